"""PostgreSQL's settings fit into its container and onto its volume."""

from __future__ import annotations

import re
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.desired.database import configuration
from sensorthings_operator.desired.quantities import number
from sensorthings_operator.postgresql import tuning
from sensorthings_operator.postgresql.tuning import Size

_GIBIBYTE: Final = 1024
_SIZES: Final = st.builds(Size, st.integers(64, 2**20), st.integers(1, 256), st.integers(256, 2**26))
_CONNECTIONS: Final = st.integers(1, 50).map(lambda steps: 500 * steps)


def _mebibytes(value: str) -> int:
    found = re.fullmatch(r"(\d+)(MB|GB)", value)
    assert found, value
    return int(found[1]) * (_GIBIBYTE if found[2] == "GB" else 1)


@given(_SIZES, _CONNECTIONS)
def test_what_is_shared_and_cached_fits_into_the_memory(size: Size, connections: int) -> None:
    made = tuning.settings(size, connections)
    shared, cache = _mebibytes(made["shared_buffers"]), _mebibytes(made["effective_cache_size"])
    assert 16 <= shared <= size.memory_mebibytes // 4
    assert shared <= cache < size.memory_mebibytes
    assert _mebibytes(made["maintenance_work_mem"]) <= max(16, size.memory_mebibytes // 16)
    work = _mebibytes(made["work_mem"])
    assert work == 4 or work * connections <= size.memory_mebibytes // 2


@given(_SIZES, _CONNECTIONS)
def test_the_log_leaves_most_of_the_volume_to_the_data(size: Size, connections: int) -> None:
    made = tuning.settings(size, connections)
    least, most = _mebibytes(made["min_wal_size"]), _mebibytes(made["max_wal_size"])
    kept = _mebibytes(made["max_slot_wal_keep_size"])
    # PostgreSQL asks for two segments at least.
    assert 32 <= least <= most
    assert most + kept <= max(96, size.volume_mebibytes * 3 // 8)


@given(_SIZES, _CONNECTIONS)
def test_more_memory_never_means_less_of_anything(size: Size, connections: int) -> None:
    more = Size(size.memory_mebibytes * 2, size.cpus * 2, size.volume_mebibytes * 2)
    one, other = tuning.settings(size, connections), tuning.settings(more, connections)
    for name in ("shared_buffers", "work_mem", "maintenance_work_mem", "max_wal_size", "max_slot_wal_keep_size"):
        assert _mebibytes(one[name]) <= _mebibytes(other[name])
    for name in ("max_worker_processes", "max_parallel_workers", "max_parallel_workers_per_gather"):
        assert int(one[name]) <= int(other[name])


def test_it_is_sized_by_the_limit_of_memory_and_by_the_cpus_there_may_be() -> None:
    resources: dict[str, Any] = {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    assert configuration.size(resources, "10Gi") == Size(2048, 1, 10240)
    resources["limits"]["cpu"] = "3500m"
    assert configuration.size(resources, "1T") == Size(2048, 4, int(number("1T")) // 2**20)
