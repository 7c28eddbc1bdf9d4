"""Patroni, which runs the instances of a pair: its configuration, and the ConfigMaps in which they agree on a primary.

The operator makes these ConfigMaps and Patroni writes into them, so that they go with the service and the pods need no
right to make any. What all instances have to do alike stands in one of them as Patroni's "dynamic configuration"
(https://patroni.readthedocs.io/en/latest/dynamic_configuration.html): it is the operator's, and taken up at once.
"""

from typing import Any, Final

import orjson
import yaml

from sensorthings_operator.desired.addresses import DATABASE_PORT, database_component, database_name
from sensorthings_operator.desired.buscertificates import CA, CLIENT, CLIENT_KEY, SERVER, SERVER_KEY
from sensorthings_operator.desired.database import configuration, names
from sensorthings_operator.desired.metadata import DATABASE_LABEL, ROLE_LABEL, SERVICE_LABEL, Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.postgresql import patroni, settings

_CONFIG: Final = "config"
_STATES: Final = (_CONFIG, "leader", "sync", "failover")
"""What Patroni appends to the scope for the names of its ConfigMaps."""


def state_names(service: Service) -> list[str]:
    """Names of the ConfigMaps in which the instances agree."""
    return [f"{database_name(service)}-{state}" for state in _STATES]


def dynamic_configuration(service: Service) -> dict[str, Any]:
    """What all instances have to do alike."""
    return patroni.agreed(configuration.parameters(service))


def states(service: Service) -> list[Manifest]:
    """The ConfigMaps."""
    made = []
    for name in state_names(service):
        described = metadata(service, database_component(service), name)
        described["labels"] |= {DATABASE_LABEL: database_name(service)}
        if name.endswith(f"-{_CONFIG}"):
            described["annotations"] = {_CONFIG: _json(dynamic_configuration(service))}
        made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": described})
    return made


def files(service: Service) -> dict[str, str]:
    """Patroni's own configuration, and what the first instance alone has of it, by the files' names."""
    return {"patroni.yml": _yaml(_local(service)), "bootstrap.yml": _yaml(_bootstrap(service))}


def _bootstrap(service: Service) -> dict[str, Any]:
    """How a database is made where there is none. Only one instance may: others would come up with an empty one."""
    return {"bootstrap": {"dcs": dynamic_configuration(service), "initdb": [{"username": "postgres"}, *patroni.INITDB]}}


def _local(service: Service) -> dict[str, Any]:
    serving = _certificates(SERVER, SERVER_KEY)
    verified = {"sslmode": "verify-full", "sslrootcert": serving.authority}
    prepare = f"bash {names.CONFIG_PATH}/prepare.sh"
    return {
        "scope": database_name(service),
        "kubernetes": {
            "namespace": service.namespace,
            "labels": {SERVICE_LABEL: service.name},
            "scope_label": DATABASE_LABEL,
            "role_label": ROLE_LABEL,
            "leader_label_value": names.PRIMARY,
            "follower_label_value": names.REPLICA,
            "standby_leader_label_value": names.PRIMARY,
            "use_endpoints": False,
        },
        "log": {"level": "INFO", "deduplicate_heartbeat_logs": True},
        "watchdog": {"mode": "off"},
        "restapi": {"listen": f"*:{names.PATRONI_PORT}", **patroni.rest_api(serving)},
        "ctl": patroni.commands(_certificates(CLIENT, CLIENT_KEY)),
        "postgresql": {
            "listen": f"*:{DATABASE_PORT}",
            "data_dir": names.PGDATA,
            "pgpass": f"{names.SOCKET_PATH}/pgpass",
            "use_unix_socket_repl": True,
            **patroni.instance(
                {"username": names.REPLICATION_USERNAME, **verified}, {"username": names.REWIND_USERNAME, **verified}
            ),
            "parameters": {"unix_socket_directories": names.SOCKET_PATH, **settings.tls(serving)},
            "pg_hba": list(configuration.PAIR_HBA),
            "callbacks": {"on_start": prepare, "on_role_change": prepare},
        },
    }


def _certificates(certificate: str, key: str) -> patroni.Certificates:
    authority, certificate, key = (f"{names.CERTIFICATES_PATH}/{name}" for name in (CA, certificate, key))
    return patroni.Certificates(authority=authority, certificate=certificate, key=key)


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False)
