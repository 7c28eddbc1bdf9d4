"""How many messages may wait, by the memory that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from sensorthings_operator.desired import bus
from sensorthings_operator.desired.quantities import memory_bytes
from sensorthings_operator.desired.queues import bus_queue, module_queue
from tests.unit.operator.samples import SETTINGS, service

if TYPE_CHECKING:
    from decimal import Decimal

    from sensorthings_operator.desired.metadata import Manifest

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
    assert sessions * size <= mebibytes * 2**20 / 2 < sessions * (size + 1)
    assert messages <= size // 1024


@given(st.integers(1, 2**20), st.integers(1, 8))
def test_what_waits_in_a_module_takes_a_quarter_of_its_heap_at_most(mebibytes: int, queues: int) -> None:
    size = int(module_queue(_limit(f"{mebibytes}Mi"), queues))
    assert size == 100 or size * queues * 8192 <= mebibytes * 2**20 * 0.6 / 4


def test_more_pods_give_the_bus_other_limits_at_its_next_start_and_do_not_restart_it() -> None:
    def made(pods: int) -> tuple[str, Manifest]:
        configuration, _, workload = bus.build(service({"mqtt": {"replicas": pods}}), SETTINGS)
        return configuration["data"]["mosquitto.conf"], workload["spec"]["template"]

    (few, before), (many, after) = made(1), made(20)
    assert few != many
    assert before == after
