"""PostgreSQL's settings that depend on nothing: how instances follow each other, and how connections are made safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sensorthings_operator.postgresql.patroni import Certificates

REPLICATION: Final = {
    "wal_level": "replica",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "wal_log_hints": "on",
    "hot_standby": "on",
    # A line that went dead is given up before clients lose patience.
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
}
"""How a standby follows."""
CONNECTIONS: Final = {
    "password_encryption": "scram-sha-256",
    # A client that vanished holds its connection for a minute, and no longer.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""How clients are served."""


def tls(files: Certificates) -> dict[str, str]:
    """Settings with which PostgreSQL takes encrypted connections."""
    return {
        "ssl": "on",
        "ssl_cert_file": files.certificate,
        "ssl_key_file": files.key,
        "ssl_ca_file": files.authority,
        "ssl_min_protocol_version": "TLSv1.2",
    }
