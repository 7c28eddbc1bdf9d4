"""Where DNS leads a host is held against where its routes are; nothing of that takes Ready away."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.host import HostReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.observe.figures import FIGURES
from sensorthings_operator.observe.hosts import gateway_addresses, host_probes, ingress_addresses, look, resolve
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.exposed import HOST as _HOST
from tests.unit.operator.exposed import exposed
from tests.unit.operator.samples import body, child, observed
from tests.unit.operator.virtual_time import on_virtual_time, run

_LOAD_BALANCER = "lb.cloud.example"
_NAMES = st.dictionaries(
    st.sampled_from([_HOST, _LOAD_BALANCER]), st.frozensets(st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]))
)


def _ingress(*told: dict[str, str]) -> dict[str, Any]:
    return {**child("Ingress", "air-http"), "status": {"loadBalancer": {"ingress": list(told)}}}


class Dns:
    """Names and their addresses; an address is its own."""

    def __init__(self, names: dict[str, frozenset[str]]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def resolve(self, name: str) -> frozenset[str]:
        self.asked.append(name)
        return self.names.get(name, frozenset() if name.endswith("example") else frozenset({name}))


async def _looked(dns: Dns, ingress: dict[str, Any], seconds: float = 1) -> Answer | None:
    store, woken = OwnedStore(SUMMARIES, FIGURES), list[object]()
    store.put("Ingress", ingress)
    probes = host_probes(dns.resolve, changed=woken.append)
    look(probes, store, exposed(), body())
    await asyncio.sleep(seconds)
    answer = look(probes, store, exposed(), body())
    await probes.close()
    return answer


@pytest.mark.parametrize(
    ("found", "reason"),
    [("192.0.2.1", HostReason.HERE), ("192.0.2.9", HostReason.ELSEWHERE), ("", HostReason.UNKNOWN)],
)
@on_virtual_time
async def test_a_host_leads_here_elsewhere_or_nowhere(found: str, reason: str) -> None:
    answer = await _looked(Dns({_HOST: frozenset({found} - {""})}), _ingress({"ip": "192.0.2.1"}))
    assert answer is not None
    assert (answer.holds, answer.reason) == (reason == HostReason.HERE, reason)
    assert _HOST in answer.message
    assert ("192.0.2.1" in answer.message) == (reason != HostReason.HERE), "where it should be"
    assert "192.0.2.9" not in answer.message, "the next answer may be another"


@on_virtual_time
async def test_a_load_balancer_may_be_known_by_its_name() -> None:
    names = {_HOST: frozenset({"192.0.2.7"}), _LOAD_BALANCER: frozenset({"192.0.2.7", "192.0.2.8"})}
    answer = await _looked(Dns(names), _ingress({"hostname": _LOAD_BALANCER}))
    assert answer is not None
    assert answer.holds


@given(names=_NAMES, known=st.booleans())
def test_it_holds_where_some_address_is_one_of_the_routes(names: dict[str, frozenset[str]], known: bool) -> None:
    told = [{"hostname": _LOAD_BALANCER}] if known else [{"ip": "192.0.2.1"}]

    answer = run(_looked(Dns(names), _ingress(*told)))
    routes = names.get(_LOAD_BALANCER, frozenset()) if known else frozenset({"192.0.2.1"})
    found = names.get(_HOST, frozenset())
    assert isinstance(answer, Answer)
    assert answer.holds == bool(found and (found & routes or not routes))


@on_virtual_time
async def test_it_is_looked_up_now_and_then_and_not_before_the_routes_have_an_address() -> None:
    dns = Dns({_HOST: frozenset({"192.0.2.1"})})
    assert await _looked(dns, _ingress()) is None
    assert dns.asked == []
    await _looked(dns, _ingress({"ip": "192.0.2.1"}), seconds=3600)
    assert 9 <= dns.asked.count(_HOST) <= 17


def test_addresses_are_those_of_the_status() -> None:
    assert ingress_addresses(_ingress({"ip": "192.0.2.1"}, {"hostname": "a.example"})) == ("192.0.2.1", "a.example")
    assert ingress_addresses(child("Ingress", "air-http")) == ()
    told = {"addresses": [{"type": "IPAddress", "value": "192.0.2.1"}]}
    assert gateway_addresses({**child("Gateway", "air"), "status": told}) == ("192.0.2.1",)
    assert gateway_addresses(child("Gateway", "air")) == ()


@pytest.mark.parametrize("reason", [HostReason.UNKNOWN, HostReason.ELSEWHERE])
def test_ready_does_not_wait_for_dns(reason: str) -> None:
    without, verdicts = (
        evaluate(observed(service=exposed(), host=answer)) for answer in (None, Answer(False, reason, "x"))
    )
    assert verdicts["HostResolved"].status == "False"
    assert without["HostResolved"].status == "Unknown"
    assert verdicts["Ready"] == without["Ready"]
    assert "HostResolved" not in evaluate(observed())


async def test_the_machines_own_resolver_is_asked() -> None:
    assert "127.0.0.1" in await resolve("localhost")
    assert await resolve("no-such-host.invalid") == frozenset()
