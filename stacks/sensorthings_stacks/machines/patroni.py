"""Patroni's configuration: who may lead, when it is given up, and what PostgreSQL is started with.

Patroni holds a lease in etcd while it leads. Loss of a machine is known when the lease has run out, so that `ttl` is
the larger part of an outage; 20 s is the least that Patroni takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sensorthings_stacks import tuning
from sensorthings_stacks.machines.cluster import (
    DATA,
    ETCD_CLIENT_PORT,
    KEYCLOAK,
    OWNER,
    PATRONI_PORT,
    POSTGRESQL_PORT,
    SCOPE,
    VERSION,
)
from sensorthings_stacks.machines.secrets import folder

if TYPE_CHECKING:
    from sensorthings_stacks.machines.cluster import Cluster, Member

TTL: Final = 20
"""Seconds after which a leader that is not heard of is replaced."""
LOOP_WAIT: Final = 5
"""Seconds between two looks of Patroni."""
RETRY_TIMEOUT: Final = 5
"""Seconds for which Patroni tries to reach etcd and PostgreSQL: LOOP_WAIT + 2 * RETRY_TIMEOUT must fit into TTL."""
_SECRETS: Final = folder("postgres")
_AUTHORITY: Final = f"{_SECRETS}/authority.crt"
_CERTIFICATE: Final = f"{_SECRETS}/machine.crt"
_KEY: Final = f"{_SECRETS}/machine.key"
_TLS: Final = {
    "sslmode": "verify-full",
    "sslrootcert": _AUTHORITY,
    "sslcert": _CERTIFICATE,
    "sslkey": _KEY,
    # libpq would try GSSAPI first.
    "gssencmode": "disable",
}
_OF_THE_CLUSTER: Final = frozenset({"max_connections", "max_worker_processes", "max_wal_senders", "wal_log_hints"})
"""Settings that must be the same on both machines: Patroni takes them from etcd and nowhere else."""


def configuration(cluster: Cluster, member: Member) -> dict[str, Any]:
    """Patroni's configuration on a database machine, without passwords: those are added on the machine, in memory."""
    return {
        "scope": SCOPE,
        "name": member.name,
        "restapi": {
            "listen": f"{member.address}:{PATRONI_PORT}",
            "connect_address": f"{member.address}:{PATRONI_PORT}",
            "certfile": _CERTIFICATE,
            "keyfile": _KEY,
            "cafile": _AUTHORITY,
            # Whoever wants to change something shows a certificate; health checks have none.
            "verify_client": "optional",
        },
        "ctl": {"cacert": _AUTHORITY, "certfile": _CERTIFICATE, "keyfile": _KEY},
        "etcd3": {
            "hosts": [f"{each.address}:{ETCD_CLIENT_PORT}" for each in cluster.members],
            "protocol": "https",
            "cacert": _AUTHORITY,
            "cert": _CERTIFICATE,
            "key": _KEY,
        },
        "bootstrap": _bootstrap(cluster),
        "postgresql": _postgresql(cluster, member),
        # With no device the machine has to rely on Patroni itself; the module softdog makes one.
        "watchdog": {"mode": "automatic", "device": "/dev/watchdog", "safety_margin": 5},
    }


def _bootstrap(cluster: Cluster) -> dict[str, Any]:
    tuned = _tuned(cluster)
    return {
        "dcs": {
            "ttl": TTL,
            "loop_wait": LOOP_WAIT,
            "retry_timeout": RETRY_TIMEOUT,
            # PostgreSQL that crashed is replaced at once where a standby has everything. What made it crash, such as a
            # full disk, may do so again, and each new start would count as one more chance.
            "primary_start_timeout": 0,
            # Only who has every acknowledged row may be promoted. Without a standby the primary goes on alone.
            "synchronous_mode": True,
            # etcd gone, and every member still answers the leader: it goes on leading.
            "failsafe_mode": True,
            "postgresql": {
                "use_pg_rewind": True,
                "use_slots": True,
                "parameters": {name: tuned[name] for name in sorted(_OF_THE_CLUSTER & tuned.keys())},
            },
        },
        "initdb": [
            {"encoding": "UTF8"},
            {"locale": "C.UTF-8"},
            "data-checksums",
            {"auth-local": "peer"},
            {"auth-host": "scram-sha-256"},
        ],
        "post_init": "/usr/local/sbin/sensorthings-roles",
    }


def _tuned(cluster: Cluster) -> dict[str, str]:
    return {
        **tuning.settings(cluster.size, cluster.disk_gibibytes),
        "max_wal_senders": "10",
        "wal_log_hints": "on",
    }


def _postgresql(cluster: Cluster, member: Member) -> dict[str, Any]:
    tuned = {name: value for name, value in _tuned(cluster).items() if name not in _OF_THE_CLUSTER}
    return {
        "listen": f"{member.address}:{POSTGRESQL_PORT}",
        "connect_address": f"{member.address}:{POSTGRESQL_PORT}",
        "use_unix_socket": True,
        "data_dir": DATA,
        "bin_dir": f"/usr/lib/postgresql/{VERSION}/bin",
        "pgpass": "/run/patroni/pgpass",
        "authentication": {
            # By the socket, as the account of the same name: it needs no password, and has none.
            "superuser": {"username": "postgres"},
            "replication": {"username": "replication", **_TLS},
            "rewind": {"username": "rewind", **_TLS},
        },
        "parameters": {**_SETTINGS, **tuned},
        "pg_hba": access(cluster),
        "recovery_conf": {"restore_command": "/usr/local/sbin/sensorthings-archive fetch %f %p"},
        # What a machine wrote that was its neighbour's and never acknowledged must go before it follows again.
        "remove_data_directory_on_rewind_failure": True,
        "remove_data_directory_on_diverged_timelines": True,
        "basebackup": [{"checkpoint": "fast"}],
    }


_SETTINGS: Final = {
    "unix_socket_directories": "/run/postgresql",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "ssl_cert_file": _CERTIFICATE,
    "ssl_key_file": _KEY,
    "ssl_ca_file": _AUTHORITY,
    "ssl_min_protocol_version": "TLSv1.2",
    "wal_compression": "lz4",
    # Both machines archive: what the primary could not hand over before it died, the other one has.
    "archive_mode": "always",
    "archive_command": "/usr/local/sbin/sensorthings-archive wal %p %f",
    "archive_timeout": "60s",
    # A line that went dead is given up before clients lose patience.
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
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
    keycloak = {KEYCLOAK: f"CONNECTION LIMIT {tuning.KEYCLOAK_CONNECTIONS}"} if cluster.keycloak else {}
    return {OWNER: "", **keycloak, "replication": "REPLICATION", "rewind": "", "prometheus": "IN ROLE pg_monitor"}
