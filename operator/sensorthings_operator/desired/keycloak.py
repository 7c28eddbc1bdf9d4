"""Identity by Keycloak: a service's client in its realm, and what FROST-Server needs to check the realm's tokens.

Used by http, mqtt and schema, by the probe that keeps the client, and as the builder of the adapter's configuration
(Keycloak's Java adapter, https://www.keycloak.org/archive/documentation-18.0.html, in every FROST-Server).
No secret is in any of it: checking tokens takes none.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator.api.base import GROUP
from sensorthings_operator.desired import rights
from sensorthings_operator.desired.metadata import Manifest, digest, metadata
from sensorthings_operator.desired.pods import container
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings

ROLES: Final[Mapping[str, str]] = {
    "read": "Reads and subscribes where that takes a token.",
    "create": "Creates entities, such as Observations.",
    "update": "Changes entities.",
    "delete": "Deletes entities.",
    "admin": "Administers FROST-Server: its page DatabaseStatus.",
}
"""The roles of a service's client, with their descriptions; none of them implies another."""
CLIENT_PREFIX: Final = "sensorthings-"
"""What the clientIds of services begin with."""
UID_ATTRIBUTE: Final = f"{GROUP}/uid"
"""On a client in Keycloak: the uid of the service or connector that it was made for."""
ROTATION_ATTRIBUTE: Final = f"{GROUP}/rotation"
"""On a client in Keycloak: what its secret was last made anew for."""
ROLE_MAPPER: Final = "oidc-hardcoded-role-mapper"
CONFIGURATION_HASH_ANNOTATION: Final = f"{GROUP}/keycloak-hash"

_COMPONENT: Final = "frost"
_PROVIDER: Final = "de.fraunhofer.iosb.ilt.frostserver.auth.keycloak.KeycloakAuthProvider"
_CONFIG_PATH: Final = "/etc/sensorthings/keycloak"
_TRUST_PATH: Final = "/run/sensorthings/keycloak"
_TRUSTSTORE: Final = f"{_TRUST_PATH}/truststore.p12"
_TRUSTSTORE_PASSWORD: Final = "changeit"  # noqa: S105 - Java's own default; certificates are public
_TIMEOUT_MILLIS: Final = 5000
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


_DELIVERY_ROLES: Final = ("read", "create", "delete")
Mapper = tuple[str, Mapping[str, str]]
"""What Keycloak calls protocolMapper and config."""


@dataclass(frozen=True)
class RealmClient:
    """The client that a service has in its realm."""

    namespace: str
    name: str
    uid: str

    @property
    def client_id(self) -> str:
        """What Keycloak calls clientId."""
        return f"{CLIENT_PREFIX}{self.namespace}-{self.name}"

    @property
    def representation(self) -> dict[str, Any]:
        """What is kept of its ClientRepresentation: it has roles and no way to log in. The mark is kept beside it."""
        return {
            "name": f"SensorThings service {self.namespace}/{self.name}",
            "description": "Made by sensorthings-operator, which undoes changes to its settings and roles.",
            "protocol": "openid-connect",
            "enabled": True,
            "publicClient": False,
            "bearerOnly": False,
            "standardFlowEnabled": False,
            "implicitFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "serviceAccountsEnabled": False,
            "fullScopeAllowed": False,
            # With every flow off they lead nowhere; they would the day that somebody turns one on.
            "redirectUris": [],
            "webOrigins": [],
        }

    @property
    def roles(self) -> Mapping[str, str]:
        """Its roles, with their descriptions."""
        return ROLES

    @property
    def mappers(self) -> Mapping[str, Mapper]:
        """Its protocol mappers, by name; others are left alone."""
        return {}

    @property
    def attributes(self) -> Mapping[str, str]:
        """What is kept of its attributes, beside the mark; others are left alone."""
        return {}

    @property
    def rotation(self) -> str:
        """Another text has its secret made anew."""
        return ""


@dataclass(frozen=True)
class DeliveryClient(RealmClient):
    """The client by which the operator verifies the delivery of a service that takes tokens."""

    @property
    def client_id(self) -> str:
        """What Keycloak calls clientId."""
        return f"{super().client_id}.delivery"

    @property
    def representation(self) -> dict[str, Any]:
        """What is kept of its ClientRepresentation: it logs in by its secret, and its tokens are for one service."""
        return {
            **super().representation,
            "name": f"Delivery check of SensorThings service {self.namespace}/{self.name}",
            "serviceAccountsEnabled": True,
        }

    @property
    def roles(self) -> Mapping[str, str]:
        """None of its own."""
        return {}

    @property
    def mappers(self) -> Mapping[str, Mapper]:
        """Put the roles into its tokens that a check needs."""
        return mappers_for(super().client_id, _DELIVERY_ROLES)


def mappers_for(service_client: str, roles: Iterable[str]) -> dict[str, Mapper]:
    """Protocol mappers that put roles of a service's client into the tokens of another one, for that service alone.

    Giving the roles to its service account would take manage-users.
    """
    mapped: dict[str, Mapper] = {f"role {role}": (ROLE_MAPPER, {"role": f"{service_client}.{role}"}) for role in roles}
    audience = {"included.client.audience": service_client, "access.token.claim": "true", "id.token.claim": "false"}
    return {**mapped, "audience": ("oidc-audience-mapper", audience)}


def client_of(service: Service) -> RealmClient:
    """The service's client."""
    return RealmClient(service.namespace, service.name, service.uid)


def delivery_client_of(service: Service) -> DeliveryClient:
    """The client by which its delivery is verified."""
    return DeliveryClient(service.namespace, service.name, service.uid)


def is_used(service: Service) -> bool:
    """Whether tokens of a realm say who may write."""
    return service.spec.auth.type == "Keycloak"


def realm_name(service: Service) -> str:
    """What the service calls its realm; empty where it has none."""
    keycloak = service.spec.auth.keycloak
    return keycloak.realm if is_used(service) and keycloak is not None else ""


def realm_of(service: Service, settings: OperatorSettings) -> KeycloakRealm | None:
    """The service's realm; None where it has none, or one that the operator's settings do not know."""
    return settings.keycloak_realms.get(realm_name(service))


def is_publicly_trusted(service: Service, settings: OperatorSettings) -> bool:
    """Whether the realm's certificate is to be vouched for by a public authority."""
    realm = realm_of(service, settings)
    return realm is not None and realm.url.startswith("https:") and not _trusts(service)


def certificates(pem: str) -> list[str]:
    """The certificates of a bundle, each in PEM, without what stands between them."""
    return [f"{found}\n" for found in _CERTIFICATE.findall(pem)]


def configuration_name(service: Service) -> str:
    """Name of the ConfigMap with the adapter's configuration."""
    return f"{service.name}-keycloak"


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The ConfigMap; nothing where it can't be known, so that pods wait for it and none runs open to everybody."""
    data = _configuration(service, settings)
    if not data:
        return []
    described = metadata(service, _COMPONENT, configuration_name(service))
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": data}]


def annotations(service: Service, settings: OperatorSettings) -> dict[str, str]:
    """Annotation that rolls a module's pods when the realm's address or CA changes: both are read at their start."""
    data = _configuration(service, settings)
    return {CONFIGURATION_HASH_ANNOTATION: digest(data)} if data else {}


def _configuration(service: Service, settings: OperatorSettings) -> dict[str, str]:
    realm = realm_of(service, settings)
    if realm is None or service.realm_ca is None:
        return {}
    adapter: dict[str, Any] = {
        **_adapter(f"{realm.url.rstrip('/')}/", realm.realm, client_of(service).client_id),
        # Keycloak puts every client whose roles a token carries into its audience: one without is not for this service.
        "verify-token-audience": True,
        # Without them a Keycloak that hangs would take every thread of the module with it.
        "connection-timeout-millis": _TIMEOUT_MILLIS,
        "socket-timeout-millis": _TIMEOUT_MILLIS,
    }
    authorities = certificates(service.realm_ca)
    if authorities:
        adapter |= {"truststore": _TRUSTSTORE, "truststore-password": _TRUSTSTORE_PASSWORD}
    files = {f"ca-{number}.crt": pem for number, pem in enumerate(authorities, start=1)}
    return {"keycloak.json": _json(adapter), **files}


def _adapter(url: str, realm: str, client_id: str) -> dict[str, Any]:
    return {
        "auth-server-url": url,
        "realm": realm,
        "resource": client_id,
        # Otherwise a write without a token is sent to a page for logging in.
        "bearer-only": True,
        "use-resource-role-mappings": True,
        # TLS ends before FROST-Server, which sees plain HTTP from wherever the ingress controller's pod is.
        "ssl-required": "none",
        "confidential-port": 0,
    }


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def http_settings(service: Service) -> dict[str, str]:
    """FROST-Server's settings for the HTTP module: a role for each thing that one may do."""
    if not is_used(service):
        return {}
    return {**rights.http(service, _PROVIDER), **_file(), **rights.NO_BATCHES}


def mqtt_settings(service: Service) -> dict[str, str]:
    """FROST-Server's settings for the MQTT module: nobody may publish.

    The module lets a client id that once had a right keep it, whoever uses it next; nobody's role can't be inherited.
    """
    if not is_used(service):
        return {}
    return {
        **rights.mqtt(service, _PROVIDER),
        **_file(),
        # A token is sent as a password. FROST-Server 2.4 and later take 128 characters where nothing is said.
        "auth.maxPasswordLength": "8192",
    }


def schema_settings(service: Service) -> dict[str, str]:
    """FROST-Server's settings while it updates the schema: it is asked for a Thing without a token, nobody may write.

    They hold nothing of the realm, whose change is no reason for another migration.
    """
    if not is_used(service):
        return {}
    nowhere = _adapter("http://127.0.0.1:1/", "none", "none")
    return {**rights.schema(_PROVIDER), "auth.keycloakConfig": json.dumps(nowhere, separators=(",", ":"))}


def _file() -> dict[str, str]:
    return {"auth.keycloakConfigFile": f"{_CONFIG_PATH}/keycloak.json"}


def _trusts(service: Service) -> bool:
    return is_used(service) and bool(certificates(service.realm_ca or ""))


def volumes(service: Service) -> list[Manifest]:
    """Volumes of a module's pod."""
    if not is_used(service):
        return []
    configuration = {"name": "keycloak", "configMap": {"name": configuration_name(service)}}
    return [configuration, {"name": "keycloak-trust", "emptyDir": {}}] if _trusts(service) else [configuration]


def mounts(service: Service) -> list[Manifest]:
    """Mounts of a module's container."""
    if not is_used(service):
        return []
    configuration = {"name": "keycloak", "mountPath": _CONFIG_PATH, "readOnly": True}
    truststore = {"name": "keycloak-trust", "mountPath": _TRUST_PATH, "readOnly": True}
    return [configuration, truststore] if _trusts(service) else [configuration]


def init_containers(service: Service, settings: OperatorSettings, image: str) -> list[Manifest]:
    """Makes the truststore of the realm's private CA, with the ``keytool`` of the module's own image.

    It goes to the adapter alone, not to the whole JVM: this CA vouches for Keycloak, and for nothing else.
    """
    if not _trusts(service):
        return []
    # keytool takes the first certificate of a file only. It has no /tmp to leave its performance data in.
    program = f"""\
set -eu
rm -f {_TRUSTSTORE}
for file in {_CONFIG_PATH}/ca-*.crt; do
  keytool -J-XX:TieredStopAtLevel=1 -J-XX:-UsePerfData -J-Xmx32m -importcert -noprompt -alias "${{file##*/}}" \\
    -file "$file" -keystore {_TRUSTSTORE} -storetype PKCS12 -storepass {_TRUSTSTORE_PASSWORD}
done
"""
    return [
        container(
            "trust-keycloak",
            image,
            settings,
            command=["sh", "-c", program],
            resources={"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "96Mi"}},
            volumeMounts=[
                {"name": "keycloak", "mountPath": _CONFIG_PATH, "readOnly": True},
                {"name": "keycloak-trust", "mountPath": _TRUST_PATH},
            ],
        )
    ]
