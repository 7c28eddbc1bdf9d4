"""How many messages may wait, by the memory that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from sensorthings_operator.desired.queues import bus_memory, bus_queue, memory_bytes, module_queue

if TYPE_CHECKING:
    from decimal import Decimal

_UNITS = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
_QUANTITIES = st.builds(
    lambda whole, fraction, unit: f"{whole}{fraction}{unit}",
    st.integers(0, 10**6),
    st.sampled_from(["", ".5", ".125"]),
    st.sampled_from(_UNITS),
)


def _limit(memory: str) -> dict[str, dict[str, str]]:
    return {"limits": {"memory": memory}}


@given(_QUANTITIES)
def test_quantities_are_what_kubernetes_takes_them_for(quantity: str) -> None:
    wanted: Decimal = parse_quantity(quantity)  # type: ignore[no-untyped-call]
    assert memory_bytes(_limit(quantity)) == int(wanted)


@given(st.integers(1, 2**20), st.integers(1, 200))
def test_what_waits_on_the_bus_takes_half_of_its_memory_at_most(mebibytes: int, sessions: int) -> None:
    messages, size = bus_queue(_limit(f"{mebibytes}Mi"), sessions)
    assert sessions * size <= mebibytes * 2**20 / 2 < 2 * (sessions + 1) * (size + 1)
    assert messages <= size // 1024


@given(st.integers(1, 2**20), st.integers(1, 8))
def test_what_waits_in_a_module_takes_a_quarter_of_its_heap_at_most(mebibytes: int, queues: int) -> None:
    size = int(module_queue(_limit(f"{mebibytes}Mi"), queues))
    assert size == 100 or size * queues * 8192 <= mebibytes * 2**20 * 0.6 / 4


@pytest.mark.parametrize(("sessions", "others"), [(3, 4), (5, 8), (9, 16)])
def test_a_few_pods_more_do_not_restart_the_bus(sessions: int, others: int) -> None:
    assert bus_memory(sessions) == bus_memory(others)
    assert bus_queue(_limit("128Mi"), sessions) == bus_queue(_limit("128Mi"), others)


@given(st.integers(1, 500))
def test_a_bus_of_many_modules_has_room_for_some_thousand_messages_of_each(sessions: int) -> None:
    messages, _ = bus_queue(_limit(bus_memory(sessions)), sessions)
    assert messages > 2500
