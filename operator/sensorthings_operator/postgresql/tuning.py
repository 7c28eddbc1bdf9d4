"""PostgreSQL's settings by what it has for itself: a container and its volume, or a machine and its data disk.

Sources: PostgreSQL's manual, chapters 20.4 and 20.5, and its wiki, "Tuning Your PostgreSQL Server".
"""

from dataclasses import dataclass
from typing import Final

_GIBIBYTE: Final = 1024
"""In MiB."""
_CONNECTION_MEBIBYTES: Final = 4
"""What an idle backend and the caches of its catalogue take."""
_LEAST_WORK_MEBIBYTES: Final = 4
_WAL_SEGMENT_MEBIBYTES: Final = 16


@dataclass(frozen=True)
class Size:
    """What one PostgreSQL has for itself."""

    memory_mebibytes: int
    cpus: int
    volume_mebibytes: int


def settings(size: Size, connections: int) -> dict[str, str]:
    """Settings of postgresql.conf for so many connections, with their units."""
    memory = size.memory_mebibytes
    shared = memory // 4
    # A query may take several times work_mem, and not every connection sorts at once: half of what is left, for all.
    left = memory - shared - connections * _CONNECTION_MEBIBYTES
    wal = _wal_mebibytes(size.volume_mebibytes)
    workers = str(min(4, max(2, size.cpus // 2)))
    return {
        "shared_buffers": f"{max(16, shared)}MB",
        "effective_cache_size": f"{max(16, memory * 3 // 4)}MB",
        "work_mem": f"{max(_LEAST_WORK_MEBIBYTES, left // (2 * connections))}MB",
        "maintenance_work_mem": f"{max(16, min(2048, memory // 16))}MB",
        "max_worker_processes": str(max(8, size.cpus)),
        "max_parallel_workers": str(size.cpus),
        "max_parallel_workers_per_gather": workers,
        "max_parallel_maintenance_workers": workers,
        "max_wal_size": f"{wal}MB",
        "min_wal_size": f"{min(1024, max(2 * _WAL_SEGMENT_MEBIBYTES, wal // 2))}MB",
        # A standby that stays away must not fill the primary's volume.
        "max_slot_wal_keep_size": f"{2 * wal}MB",
        # Volumes are SSDs, whoever provides them.
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
    }


def _wal_mebibytes(volume: int) -> int:
    """A sixteenth of the volume in whole GiB, from 2 on and up to 64; of a small volume an eighth, which is less."""
    usual = max(2, min(64, volume // 16 // _GIBIBYTE)) * _GIBIBYTE
    return max(2 * _WAL_SEGMENT_MEBIBYTES, min(usual, volume // 8))
