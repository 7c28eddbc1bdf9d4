"""Mutual TLS on the service's own bus: a Secret with the certificates, and where FROST-Server and mosquitto have them.

The operator issues them itself (apply/certificates), from an authority that knows nothing but this bus: who is let in
has a certificate of it. FROST-Server has no settings for that; its bus client asks the JVM's own stores
(https://docs.oracle.com/en/java/javase/17/security/java-secure-socket-extension-jsse-reference-guide.html).
"""

from typing import Final

from sensorthings_operator.desired import keycloak
from sensorthings_operator.desired.addresses import bus_address, bus_name
from sensorthings_operator.desired.metadata import (
    CERTIFICATE_HOSTS_ANNOTATION,
    CERTIFICATES_HASH_ANNOTATION,
    Manifest,
    metadata,
)
from sensorthings_operator.desired.pods import container
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

CA: Final = "ca.crt"
CA_KEY: Final = "ca.key"
"""Stays in the Secret: no pod mounts it."""
SERVER: Final = "server.crt"
SERVER_KEY: Final = "server.key"
CLIENT: Final = "client.crt"
CLIENT_KEY: Final = "client.key"
CLIENT_KEYSTORE: Final = "client.p12"
TRUSTSTORE: Final = "truststore.p12"
STORE_PASSWORD: Final = "changeit"  # noqa: S105 - Java's own default: whoever reads the Secret has the key anyway
CLIENT_NAME: Final = "frost"
"""Common name in the client's certificate."""
MOUNTED: Final = (CA, SERVER, SERVER_KEY, CLIENT, CLIENT_KEY, CLIENT_KEYSTORE, TRUSTSTORE)
"""What pods read, and are rolled by."""

CLIENT_PATH: Final = "/etc/sensorthings/bus"
_COMPONENT: Final = "bus"
_TRUST_PATH: Final = "/run/sensorthings/bus"
_OWNER_AND_GROUP_READ: Final = 0o440


def is_wanted(service: Service) -> bool:
    """Whether the bus is the service's own."""
    return service.spec.bus.type == "Mosquitto"


def secret_name(service: Service) -> str:
    """Name of the Secret."""
    return f"{bus_name(service)}-certificates"


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Secret, with an annotation that names whom the bus's certificate is for; nothing for a bus run elsewhere."""
    if not is_wanted(service):
        return []
    described = metadata(service, _COMPONENT, secret_name(service))
    hosts = {CERTIFICATE_HOSTS_ANNOTATION: bus_address(service, settings).host}
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": {**described, "annotations": hosts}, "type": "Opaque"}]


def volume(service: Service, *keys: str) -> Manifest:
    """A volume with these values of the Secret, for the pod's own user alone."""
    secret = {
        "secretName": secret_name(service),
        "defaultMode": _OWNER_AND_GROUP_READ,
        "items": [{"key": key, "path": key} for key in keys],
    }
    return {"name": "bus-certificates", "secret": secret}


def mount(path: str) -> Manifest:
    """Its mount."""
    return {"name": "bus-certificates", "mountPath": path, "readOnly": True}


def client_volumes(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Volumes of a module's pod."""
    if not is_wanted(service):
        return []
    certificates = volume(service, CA, CLIENT, CLIENT_KEY, CLIENT_KEYSTORE, TRUSTSTORE)
    return [certificates, {"name": "bus-trust", "emptyDir": {}}] if _joins(service, settings) else [certificates]


def client_mounts(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Mounts of a module's container."""
    if not is_wanted(service):
        return []
    trust = {"name": "bus-trust", "mountPath": _TRUST_PATH, "readOnly": True}
    return [mount(CLIENT_PATH), trust] if _joins(service, settings) else [mount(CLIENT_PATH)]


def mosquitto_options(service: Service) -> str:
    """Options of mosquitto's own clients; empty for a bus run elsewhere."""
    if not is_wanted(service):
        return ""
    return f"--cafile {CLIENT_PATH}/{CA} --cert {CLIENT_PATH}/{CLIENT} --key {CLIENT_PATH}/{CLIENT_KEY} "


def waiting_mounts(service: Service) -> Manifest:
    """Mounts of the container that waits for the bus."""
    return {"volumeMounts": [mount(CLIENT_PATH)]} if is_wanted(service) else {}


def template_annotations(service: Service) -> dict[str, str]:
    """Annotation that rolls the pods when certificates are renewed: both sides read them at their start alone."""
    if not is_wanted(service):
        return {}
    return {CERTIFICATES_HASH_ANNOTATION: service.secret_digests.get(secret_name(service), "")}


def java_options(service: Service, settings: OperatorSettings) -> tuple[str, ...]:
    """Options of a module's JVM. They count for everything in it that says nothing of its own about TLS."""
    if not is_wanted(service):
        return ()
    truststore = f"{_TRUST_PATH if _joins(service, settings) else CLIENT_PATH}/{TRUSTSTORE}"
    return (
        f"-Djavax.net.ssl.keyStore={CLIENT_PATH}/{CLIENT_KEYSTORE}",
        "-Djavax.net.ssl.keyStoreType=PKCS12",
        f"-Djavax.net.ssl.keyStorePassword={STORE_PASSWORD}",
        f"-Djavax.net.ssl.trustStore={truststore}",
        f"-Djavax.net.ssl.trustStorePassword={STORE_PASSWORD}",
    )


def init_containers(service: Service, settings: OperatorSettings, image: str) -> list[Manifest]:
    """Adds the bus's authority to the public ones that the image's Java knows, where a public one is needed too."""
    if not _joins(service, settings):
        return []
    java = "$(dirname $(dirname $(readlink -f $(command -v java))))"
    program = f"""\
set -eu
cp {java}/lib/security/cacerts {_TRUST_PATH}/{TRUSTSTORE}
chmod u+w {_TRUST_PATH}/{TRUSTSTORE}
keytool -J-XX:TieredStopAtLevel=1 -J-XX:-UsePerfData -J-Xmx32m -importcert -noprompt -alias bus \\
  -file {CLIENT_PATH}/{CA} -keystore {_TRUST_PATH}/{TRUSTSTORE} -storepass {STORE_PASSWORD}
"""
    return [
        container(
            "trust-bus",
            image,
            settings,
            command=["sh", "-c", program],
            resources={"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "96Mi"}},
            volumeMounts=[mount(CLIENT_PATH), {"name": "bus-trust", "mountPath": _TRUST_PATH}],
        )
    ]


def _joins(service: Service, settings: OperatorSettings) -> bool:
    """Whether something in the module's JVM goes by the public authorities: a Keycloak with a public certificate."""
    return is_wanted(service) and keycloak.is_publicly_trusted(service, settings)
