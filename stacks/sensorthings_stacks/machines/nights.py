"""When a machine works on itself, in UTC. No two of the three do at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sensorthings_stacks.machines.cluster import Cluster, Member

_RESTARTS: Final = ("Mon *-*-* 04:00", "Tue *-*-* 04:00", "Wed *-*-* 04:00")
_UPDATES: Final = ("*-*-* 01:00", "*-*-* 02:00", "*-*-* 03:00")
_RENEWALS: Final = ("*-*-* 05:00", "*-*-* 06:00", "*-*-* 07:00")
_BACKUPS: Final = "*-*-* 00:30"


def timers(cluster: Cluster, member: Member) -> dict[str, str]:
    """Calendar events of systemd for the units of a machine.

    Both database machines look at the same time whether the backup is theirs to make, so that one of them does.
    """
    number = cluster.members.index(member)
    ours = {
        "apt-daily-upgrade": _UPDATES[number],
        "sensorthings-maintenance": _RESTARTS[number],
        "sensorthings-renew": _RENEWALS[number],
    }
    return ours if member == cluster.witness else {**ours, "sensorthings-backup": _BACKUPS}
