"""Users with passwords, kept in the service's database: what FROST-Server needs to look them up, and who they are.

Used by frost, http, mqtt, reads and schema, by the probe that keeps the users, and as the builder of the Secret of the
operator's own user. Settings and tables are those of FROST-Server's BasicAuthProvider
(https://fraunhoferiosb.github.io/FROST-Server/settings/auth.html). No password is in any of it.
"""

from dataclasses import dataclass
from typing import Final

from sensorthings_operator.desired import addresses, rights
from sensorthings_operator.desired.metadata import GENERATED_KEYS_ANNOTATION, Manifest, metadata
from sensorthings_operator.desired.pods import env_from_secret
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

PASSWORD_CHARACTERS: Final = 255
"""Of FROST-Server's column for them."""
DELIVERY_USER: Final = "_delivery-check"
"""Name of the user by which the operator verifies delivery; none of a spec begins with an underscore."""
PASSWORD_KEY: Final = "password"  # noqa: S105 - the name of a key

_COMPONENT: Final = "frost"
_CONNECTIONS: Final = 10
"""auth.db.conn.max: a request with a password asks the database three times, one after the other."""
_PROVIDER: Final = "de.fraunhofer.iosb.ilt.frostserver.auth.basic.BasicAuthProvider"
_DELIVERY_ROLES: Final = frozenset({"read", "create", "delete"})
_LOOKING_UP: Final = {
    "auth.autoUpdateDatabase": "false",
    # FROST-Server 2.0.0 knows nothing else; later versions could compare hashes instead.
    "auth.plainTextPassword": "true",
    "auth.maxPasswordLength": str(PASSWORD_CHARACTERS),
}


@dataclass(frozen=True)
class Account:
    """Somebody who is to be in the database."""

    name: str
    roles: frozenset[str]
    secret: str
    """Name of the Secret with the password."""
    key: str
    """Its key in there."""


def is_used(service: Service) -> bool:
    """Whether users in the database say who may write."""
    return service.spec.auth.type == "Basic"


def accounts(service: Service) -> tuple[Account, ...]:
    """Everybody who is to be in the database: the users of the spec, and the operator's own; nobody where not used."""
    basic = service.spec.auth.basic
    if not is_used(service) or basic is None:
        return ()
    own = Account(DELIVERY_USER, _DELIVERY_ROLES, delivery_secret_name(service), PASSWORD_KEY)
    refs = [(user, user.password_secret_ref) for user in basic.users]
    return (*(Account(user.name, frozenset(user.roles), ref.name, ref.key) for user, ref in refs), own)


def delivery_secret_name(service: Service) -> str:
    """Name of the Secret with the password of the operator's own user."""
    return f"{service.name}-delivery"


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Secret of the operator's own user, whose password is drawn; nothing where there are no users."""
    if not is_used(service):
        return []
    described = metadata(service, _COMPONENT, delivery_secret_name(service))
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**described, "annotations": {GENERATED_KEYS_ANNOTATION: PASSWORD_KEY}},
            "type": "Opaque",
        }
    ]


def http_settings(service: Service) -> dict[str, str]:
    """FROST-Server's settings for the HTTP module: a role for each thing that one may do."""
    if not is_used(service):
        return {}
    return {**rights.http(service, _PROVIDER), **_LOOKING_UP, **rights.NO_BATCHES}


def mqtt_settings(service: Service) -> dict[str, str]:
    """FROST-Server's settings for the MQTT module: it looks at the password of a CONNECT, and nobody may publish."""
    return {**rights.mqtt(service, _PROVIDER), **_LOOKING_UP} if is_used(service) else {}


def schema_settings(service: Service) -> dict[str, str]:
    """FROST-Server's settings while it updates the schema: it makes the users' tables, and nobody may write.

    With the tables it makes users of its own, such as admin with the password admin: here they have no role.
    """
    if not is_used(service):
        return {}
    return {**rights.schema(_PROVIDER), **_LOOKING_UP, "auth.autoUpdateDatabase": "true"}


def schema_headers(service: Service) -> list[Manifest]:
    """Headers with which a migration is asked whether it is done: FROST-Server makes the users' tables when it is shown
    a user and a password for the first time, and not before. These are both empty."""
    return [{"name": "Authorization", "value": "Basic Og=="}] if is_used(service) else []


def connections_per_pod(service: Service) -> int:
    """Connections that a pod may open beside those for data."""
    return _CONNECTIONS if is_used(service) else 0


def connection_settings(service: Service, url: str) -> dict[str, str]:
    """FROST-Server's settings of where users are looked up: in the database of all data, by a JDBC URL."""
    if not is_used(service):
        return {}
    return {
        "auth.db.driver": "org.postgresql.Driver",
        "auth.db.url": url,
        "auth.db.conn.max": str(_CONNECTIONS),
        "auth.db.conn.idle.max": str(_CONNECTIONS),
        "auth.db.conn.idle.min": "1",
    }


def environment(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The database's credentials for looking users up."""
    if not is_used(service):
        return []
    secret = addresses.database_address(service, settings).credentials_secret
    return [
        env_from_secret("auth_db_username", secret, "username"),
        env_from_secret("auth_db_password", secret, "password"),
    ]
