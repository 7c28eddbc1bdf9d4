"""Names, ports and paths that the parts of a managed database share."""

from typing import Final

from sensorthings_operator.desired.addresses import first_database_name
from sensorthings_operator.desired.service import Service

USERNAME: Final = "sensorthings"
"""Owner of the data."""
REPLICATION_USERNAME: Final = "sensorthings_replication"
REWIND_USERNAME: Final = "sensorthings_rewind"
"""With it a former primary takes back what its successor does not know."""
REPLICATION_PASSWORD: Final = "replication"  # noqa: S105 - a key of a Secret
REWIND_PASSWORD: Final = "rewind"  # noqa: S105 - a key of a Secret
USER: Final = 999
PATRONI_PORT: Final = 8008
"""Of Patroni's REST API: probes, and what the pods of a pair ask each other."""
PRIMARY: Final = "primary"
REPLICA: Final = "replica"
"""What Patroni says of a pod in the label of its role."""

DATA_PATH: Final = "/var/lib/postgresql/data"
PGDATA: Final = f"{DATA_PATH}/pgdata"
SOCKET_PATH: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
CONFIG_PATH: Final = "/etc/sensorthings"
CREDENTIALS_PATH: Final = "/run/sensorthings/credentials"
REPLICATION_PATH: Final = "/run/sensorthings/replication"
CERTIFICATES_PATH: Final = "/run/sensorthings/certificates"


def credentials_name(service: Service) -> str:
    """Name of the Secret with username and password of the database's owner."""
    return f"{first_database_name(service)}-credentials"


def replication_name(service: Service) -> str:
    """Name of the Secret with the passwords by which the pods of a pair know each other."""
    return f"{first_database_name(service)}-replication"
