"""etcd's settings on each of the three machines: who leads the database is written there, by two of three voices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sensorthings_stacks.machines.cluster import ETCD_CLIENT_PORT, ETCD_PEER_PORT, SCOPE
from sensorthings_stacks.machines.secrets import folder

if TYPE_CHECKING:
    from sensorthings_stacks.machines.cluster import Cluster, Member

DATA: Final = f"/var/lib/etcd/{SCOPE}"
"""Where etcd keeps its part, on the machine's own disk: a full or slow data disk must not take its voice away."""


def peer_url(member: Member) -> str:
    """Where the others reach a machine's etcd."""
    return f"https://{member.address}:{ETCD_PEER_PORT}"


def client_url(member: Member) -> str:
    """Where Patroni reaches a machine's etcd."""
    return f"https://{member.address}:{ETCD_CLIENT_PORT}"


def environment(cluster: Cluster, member: Member) -> dict[str, str]:
    """etcd's settings as variables. How it begins (`ETCD_INITIAL_CLUSTER`) is decided on the machine.

    Source: etcd 3.4, "Configuration flags" and "Tuning".
    """
    secrets = folder("etcd")
    certificates = {
        f"ETCD_{kind}{name}": f"{secrets}/{file}"
        for kind in ("", "PEER_")
        for name, file in (
            ("CERT_FILE", "machine.crt"),
            ("KEY_FILE", "machine.key"),
            ("TRUSTED_CA_FILE", "authority.crt"),
        )
    }
    return {
        "ETCD_NAME": member.name,
        "ETCD_DATA_DIR": DATA,
        "ETCD_INITIAL_CLUSTER_TOKEN": SCOPE,
        "ETCD_LISTEN_PEER_URLS": peer_url(member),
        "ETCD_INITIAL_ADVERTISE_PEER_URLS": peer_url(member),
        "ETCD_LISTEN_CLIENT_URLS": client_url(member),
        "ETCD_ADVERTISE_CLIENT_URLS": client_url(member),
        "ETCD_CLIENT_CERT_AUTH": "true",
        "ETCD_PEER_CLIENT_CERT_AUTH": "true",
        **certificates,
        # etcd's own: zones of a region are a few milliseconds apart. Who is elected counts Patroni's lease from its
        # beginning, so that an election comes on top of the lease where the primary's machine led etcd, too.
        "ETCD_HEARTBEAT_INTERVAL": "100",
        "ETCD_ELECTION_TIMEOUT": "1000",
        # One who hears the leader no longer must not unseat it while the others do.
        "ETCD_PRE_VOTE": "true",
        "ETCD_AUTO_COMPACTION_RETENTION": "1h",
    }
