"""How calls are counted and told apart, and how even they are said to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.identity.calls import kind_of
from benchmarks.identity.tally import Call, likely_peak, per_second


def test_calls_are_counted_by_the_second() -> None:
    spread = per_second([9.9, 10.0, 10.2, 12.5, 12.6, 12.7, 14.1], begun=10, ended=14.2)
    assert (spread.least, spread.median, spread.most, spread.mean, spread.seconds) == (0, 1, 3, 1.25, 4)


@given(st.lists(st.floats(0, 99)))
def test_every_call_is_in_one_second(times: list[float]) -> None:
    spread = per_second(times, 0, 100)
    assert round(spread.mean * spread.seconds) == len(times)
    assert spread.least <= spread.median <= spread.most


def test_a_peak_that_chance_brings() -> None:
    assert likely_peak(0, 100) == 0
    # The median of a single draw: 7.
    assert likely_peak(7.4, 1) == 7
    assert 15 <= likely_peak(7.4, 300) <= 17
    assert likely_peak(7.4, 3000) > likely_peak(7.4, 300)


def test_what_a_call_is_for() -> None:
    def kind(target: str) -> str:
        return kind_of(Call(0, "GET", target))

    assert kind("/realms/hamburg/protocol/openid-connect/token") == "login"
    assert kind("/admin/realms/hamburg/clients?clientId=sensorthings-&search=true") == "all clients"
    assert kind("/admin/realms/hamburg/clients?clientId=sensorthings-hamburg-air") == "GET clients"
    assert kind("/admin/realms/hamburg/clients/0a1b-2c3d/roles") == "GET clients/roles"
    assert kind("/admin/realms/hamburg/client-scopes/0a1b-2c3d/scope-mappings") == "all roles"
    assert kind("/admin/realms/hamburg/client-scopes") == "GET client-scopes"
