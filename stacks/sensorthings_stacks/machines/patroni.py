"""Patroni's configuration on the machines: its lease in etcd, and what PostgreSQL is started with.

What it has in common with pods of a managed database is the operator's (`sensorthings_operator.postgresql`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.postgresql import patroni, settings, tuning
from sensorthings_stacks.machines.cluster import (
    CONNECTIONS,
    DATA,
    ETCD_CLIENT_PORT,
    KEYCLOAK,
    KEYCLOAK_CONNECTIONS,
    OWNER,
    PATRONI_PORT,
    POSTGRESQL_PORT,
    SCOPE,
    VERSION,
)
from sensorthings_stacks.machines.secrets import folder

if TYPE_CHECKING:
    from sensorthings_stacks.machines.cluster import Cluster, Member

_SECRETS: Final = folder("postgres")
_FILES: Final = patroni.Certificates(
    authority=f"{_SECRETS}/authority.crt", certificate=f"{_SECRETS}/machine.crt", key=f"{_SECRETS}/machine.key"
)
_TLS: Final = {
    "sslmode": "verify-full",
    "sslrootcert": _FILES.authority,
    "sslcert": _FILES.certificate,
    "sslkey": _FILES.key,
    # libpq would try GSSAPI first.
    "gssencmode": "disable",
}
_WATCHDOG_MARGIN_SECONDS: Final = 5
_OF_THE_CLUSTER: Final = frozenset(
    {
        "hot_standby",
        "max_connections",
        "max_replication_slots",
        "max_wal_senders",
        "max_worker_processes",
        "wal_level",
        "wal_log_hints",
    }
)
"""Settings that must be the same on both machines: Patroni takes them from etcd and nowhere else."""
_MEBIBYTES_PER_GIBIBYTE: Final = 1024


def configuration(cluster: Cluster, member: Member) -> dict[str, Any]:
    """Patroni's configuration on a database machine, without passwords: those are added on the machine, in memory."""
    return {
        "scope": SCOPE,
        "name": member.name,
        "restapi": {
            "listen": f"{member.address}:{PATRONI_PORT}",
            "connect_address": f"{member.address}:{PATRONI_PORT}",
            **patroni.rest_api(_FILES),
        },
        "ctl": patroni.commands(_FILES),
        "etcd3": {
            "hosts": [f"{each.address}:{ETCD_CLIENT_PORT}" for each in cluster.members],
            "protocol": "https",
            "cacert": _FILES.authority,
            "cert": _FILES.certificate,
            "key": _FILES.key,
        },
        "bootstrap": _bootstrap(cluster),
        "postgresql": _postgresql(cluster, member),
        # With no device the machine has to rely on Patroni itself; the module softdog makes one.
        "watchdog": {"mode": "automatic", "device": "/dev/watchdog", "safety_margin": _WATCHDOG_MARGIN_SECONDS},
    }


def _bootstrap(cluster: Cluster) -> dict[str, Any]:
    told = _told(cluster)
    same = {name: told[name] for name in sorted(_OF_THE_CLUSTER & told.keys())}
    return {
        "dcs": patroni.agreed(same, watchdog_margin_seconds=_WATCHDOG_MARGIN_SECONDS),
        "initdb": list(patroni.INITDB),
        "post_init": "/usr/local/sbin/sensorthings-roles",
    }


def _told(cluster: Cluster) -> dict[str, str]:
    size = tuning.Size(
        memory_mebibytes=cluster.size.memory_mebibytes,
        cpus=cluster.size.vcpus,
        volume_mebibytes=cluster.disk_gibibytes * _MEBIBYTES_PER_GIBIBYTE,
    )
    return {
        "max_connections": str(CONNECTIONS),
        **tuning.settings(size, CONNECTIONS),
        **settings.CONNECTIONS,
        **settings.REPLICATION,
        **_SETTINGS,
    }


def _postgresql(cluster: Cluster, member: Member) -> dict[str, Any]:
    return {
        "listen": f"{member.address}:{POSTGRESQL_PORT}",
        "connect_address": f"{member.address}:{POSTGRESQL_PORT}",
        "data_dir": DATA,
        "bin_dir": f"/usr/lib/postgresql/{VERSION}/bin",
        "pgpass": "/run/patroni/pgpass",
        **patroni.instance({"username": "replication", **_TLS}, {"username": "rewind", **_TLS}),
        "parameters": {name: value for name, value in _told(cluster).items() if name not in _OF_THE_CLUSTER},
        "pg_hba": access(cluster),
        "recovery_conf": {"restore_command": "/usr/local/sbin/sensorthings-archive fetch %f %p"},
    }


_SETTINGS: Final = {
    "unix_socket_directories": "/run/postgresql",
    **settings.tls(_FILES),
    "wal_compression": "lz4",
    # Both machines archive: what the primary could not hand over before it died, the other one has.
    "archive_mode": "always",
    "archive_command": "/usr/local/sbin/sensorthings-archive wal %p %f",
    "archive_timeout": "60s",
    "log_checkpoints": "on",
    "log_lock_waits": "on",
    "log_autovacuum_min_duration": "10s",
}


def access(cluster: Cluster) -> list[str]:
    """Lines of pg_hba.conf. Whoever is not named is refused."""
    machines = [
        f"hostssl {database} {role} {each.address}/32 scram-sha-256 clientcert=verify-ca"
        for each in cluster.databases
        for database, role in (("replication", "replication"), ("postgres", "rewind"))
    ]
    clients = [
        f"hostssl {database} {owner} {cluster.clients} scram-sha-256" for database, owner in cluster.owners.items()
    ]
    return [
        "local all postgres peer",
        "local replication postgres peer",
        "local postgres prometheus peer",
        *clients,
        *machines,
    ]


def rights(cluster: Cluster) -> dict[str, str]:
    """Roles beside the superuser, each with its options of CREATE ROLE."""
    # Whatever Keycloak does, FROST-Server finds connections.
    keycloak = {KEYCLOAK: f"CONNECTION LIMIT {KEYCLOAK_CONNECTIONS}"} if cluster.keycloak else {}
    return {OWNER: "", **keycloak, "replication": "REPLICATION", "rewind": "", "prometheus": "IN ROLE pg_monitor"}
