"""The address plan: whatever is accepted is apart, nested and private."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sensorthings_stacks.settings.network import Addresses

_NAMES = ("network", "cluster", "database", "pods", "services")


@st.composite
def _ranges(draw: st.DrawFn) -> IPv4Network:
    """Mostly private ranges near each other, so that they often touch."""
    prefix = draw(st.integers(min_value=10, max_value=28))
    start = draw(st.sampled_from(["10.20.0.0", "10.0.0.0", "10.244.0.0", "172.16.0.0", "192.168.0.0", "100.64.0.0"]))
    address = int(IPv4Network(start)[0]) + draw(st.integers(min_value=0, max_value=2**17))
    return IPv4Network((address >> (32 - prefix) << (32 - prefix), prefix))


@given(st.fixed_dictionaries({}, optional={name: _ranges() for name in _NAMES}))
def test_an_accepted_plan_is_sound(plan: dict[str, IPv4Network]) -> None:
    try:
        addresses = Addresses.model_validate({name: str(given) for name, given in plan.items()})
    except ValidationError:
        return
    inside = [addresses.cluster, addresses.database]
    outside = [addresses.network, addresses.pods, addresses.services]
    assert all(subnet.subnet_of(addresses.network) for subnet in inside)
    assert not any(first.overlaps(second) for group in (inside, outside) for first, second in combinations(group, 2))
    assert all(each.is_private and not each.overlaps(IPv4Network("100.64.0.0/10")) for each in (*inside, *outside))


@given(st.integers(min_value=0, max_value=255))
def test_every_city_can_have_a_plan_of_its_own(second: int) -> None:
    plan = {
        "network": f"10.{second}.0.0/16",
        "cluster": f"10.{second}.0.0/20",
        "database": f"10.{second}.16.0/24",
        "pods": "172.16.0.0/16",
        "services": "172.17.0.0/16",
    }
    assert Addresses.model_validate(plan).network == IPv4Network(f"10.{second}.0.0/16")
