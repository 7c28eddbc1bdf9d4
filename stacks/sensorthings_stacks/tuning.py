"""PostgreSQL's settings for a machine that does nothing else, from its size. Used for the machines' user-data.

Sources: PostgreSQL's manual, chapters 20.4 and 20.5, and its wiki, "Tuning Your PostgreSQL Server".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensorthings_stacks.machine_size import MachineSize

CONNECTIONS = 200
"""Of all clients together: FROST-Server keeps a pool in each of its pods."""
KEYCLOAK_CONNECTIONS = 60
"""Those of them that Keycloak may take at most, where its database lies on the same machines."""
_MEBIBYTES_PER_CONNECTION = 4
"""What an idle backend and the caches of its catalogue take."""


def settings(size: MachineSize, disk_gibibytes: int) -> dict[str, str]:
    """Settings of postgresql.conf for a machine of this size, with their units.

    Args:
        size: The machine.
        disk_gibibytes: Its data disk, in GiB; it bounds what write-ahead logs may take.
    """
    memory = size.memory_mebibytes
    shared = memory // 4
    # A query may take several times work_mem, and not every connection sorts at once: half of what is left, for all.
    left = memory - shared - CONNECTIONS * _MEBIBYTES_PER_CONNECTION
    work = max(4, left // (2 * CONNECTIONS))
    workers = max(2, size.vcpus // 2)
    wal_gibibytes = max(2, min(64, disk_gibibytes // 16))
    return {
        "max_connections": str(CONNECTIONS),
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{memory * 3 // 4}MB",
        "work_mem": f"{work}MB",
        "maintenance_work_mem": f"{min(2048, memory // 16)}MB",
        "max_worker_processes": str(max(8, size.vcpus)),
        "max_parallel_workers": str(size.vcpus),
        "max_parallel_workers_per_gather": str(min(4, workers)),
        "max_parallel_maintenance_workers": str(min(4, workers)),
        "max_wal_size": f"{wal_gibibytes}GB",
        "min_wal_size": "1GB",
        # A replica that stays away must not fill the primary's disk.
        "max_slot_wal_keep_size": f"{wal_gibibytes * 2}GB",
        # The disk is an SSD.
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
    }
