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

_CONFIG: Final = "config"
_STATES: Final = (_CONFIG, "leader", "sync", "failover")
"""What Patroni appends to the scope for the names of its ConfigMaps."""

# Patroni asks for loop_wait + 2 * retry_timeout <= ttl, and for a ttl of 20 at least.
_TTL_SECONDS: Final = 20
"""A primary that says nothing for so long is one no more."""
_LOOP_SECONDS: Final = 2
"""How soon Patroni sees that its PostgreSQL has gone."""
_RETRY_SECONDS: Final = 9
_FURTHEST_BEHIND_BYTES: Final = 1024 * 1024


def state_names(service: Service) -> list[str]:
    """Names of the ConfigMaps in which the instances agree."""
    return [f"{database_name(service)}-{state}" for state in _STATES]


def dynamic_configuration(service: Service) -> dict[str, Any]:
    """What all instances have to do alike."""
    return {
        "ttl": _TTL_SECONDS,
        "loop_wait": _LOOP_SECONDS,
        "retry_timeout": _RETRY_SECONDS,
        "maximum_lag_on_failover": _FURTHEST_BEHIND_BYTES,
        # A standby takes over at once; how long a primary recovers from a crash depends on what it had written.
        "primary_start_timeout": 0,
        "synchronous_mode": True,
        # Without a standby the primary goes on alone; a standby that missed anything since is not promoted.
        "synchronous_mode_strict": False,
        "synchronous_node_count": 1,
        # An API server that is away ends no primary whose standbys all say that it is theirs.
        "failsafe_mode": True,
        "check_timeline": True,
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": configuration.parameters(service),
        },
    }


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
    options = [
        {"username": "postgres"},
        {"auth-local": "peer"},
        {"auth-host": "scram-sha-256"},
        {"encoding": "UTF8"},
        {"locale": "C.UTF-8"},
        "data-checksums",
    ]
    return {"bootstrap": {"dcs": dynamic_configuration(service), "initdb": options}}


def _local(service: Service) -> dict[str, Any]:
    def file(name: str) -> str:
        return f"{names.CERTIFICATES_PATH}/{name}"

    verified = {"sslmode": "verify-full", "sslrootcert": file(CA)}
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
        "restapi": {
            "listen": f"*:{names.PATRONI_PORT}",
            "certfile": file(SERVER),
            "keyfile": file(SERVER_KEY),
            "cafile": file(CA),
            # Whoever changes anything shows a certificate; the kubelet, which only asks, has none.
            "verify_client": "optional",
        },
        "ctl": {"cacert": file(CA), "certfile": file(CLIENT), "keyfile": file(CLIENT_KEY)},
        "postgresql": {
            "listen": f"*:{DATABASE_PORT}",
            "data_dir": names.PGDATA,
            "pgpass": f"{names.SOCKET_PATH}/pgpass",
            "use_unix_socket": True,
            "use_unix_socket_repl": True,
            "authentication": {
                "superuser": {"username": "postgres"},
                "replication": {"username": names.REPLICATION_USERNAME, **verified},
                "rewind": {"username": names.REWIND_USERNAME, **verified},
            },
            "parameters": {
                "unix_socket_directories": names.SOCKET_PATH,
                "ssl": "on",
                "ssl_cert_file": file(SERVER),
                "ssl_key_file": file(SERVER_KEY),
                "ssl_ca_file": file(CA),
            },
            "pg_hba": list(configuration.PAIR_HBA),
            "callbacks": {"on_start": prepare, "on_role_change": prepare},
            "basebackup": [{"checkpoint": "fast"}],
            # What a former primary has that its successor lacks was acknowledged to nobody.
            "remove_data_directory_on_rewind_failure": True,
            "remove_data_directory_on_diverged_timelines": True,
        },
    }


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False)
