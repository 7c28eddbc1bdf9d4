"""What a Gateway's controller says of listeners and routes, by the Gateway API. Used by the summaries.

https://gateway-api.sigs.k8s.io/reference/spec: the types ...ConditionType and ...ConditionReason. What speaks of an
older generation is of no account.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sensorthings_operator.conditions.gatewayroutes import GatewayState
from sensorthings_operator.conditions.observed import Answer

_LONGEST_MESSAGE: Final = 500
_ON_ITS_WAY: Final = {"Pending", "AddressNotAssigned"}
"""Reasons of a condition that is not True yet."""
_MUST_HOLD: Final = ("Accepted", "ResolvedRefs", "Programmed")

Conditions = dict[str, Mapping[str, Any]]


def route(live: Mapping[str, Any]) -> Answer:
    """A route: whether its parent has taken it up and found what it leads to."""
    return _attached(live, "parents")


def policy(live: Mapping[str, Any]) -> Answer:
    """A policy of Envoy Gateway: whether it is in force where it is attached."""
    return _attached(live, "ancestors")


def _attached(live: Mapping[str, Any], where: str) -> Answer:
    generation = live["metadata"].get("generation", 0)
    return _answer([_current(status, generation) for status in live.get("status", {}).get(where, ())])


def listeners(live: Mapping[str, Any]) -> Answer:
    """A Gateway or a ListenerSet: whether all of its listeners take connections."""
    generation = live["metadata"].get("generation", 0)
    status = live.get("status", {})
    whole = _current(status, generation)
    named = [
        (f"listener {listener['name']}", trouble)
        for listener in status.get("listeners", ())
        for trouble in _troubles(_current(listener, generation))
    ]
    return _answer([whole], named)


def _current(status: Mapping[str, Any], generation: int) -> Conditions:
    return {
        condition["type"]: condition
        for condition in status.get("conditions", ())
        if condition.get("observedGeneration", generation) >= generation
    }


def _troubles(conditions: Conditions) -> list[Mapping[str, Any]]:
    """What is not as it must be, the worst first."""
    conflicted = conditions.get("Conflicted", {})
    bad = [conflicted] if conflicted.get("status") == "True" else []
    return bad + [
        condition
        for type_ in _MUST_HOLD
        if (condition := conditions.get(type_)) is not None and condition["status"] == "False"
    ]


def _answer(told: Iterable[Conditions], named: Iterable[tuple[str, Mapping[str, Any]]] = ()) -> Answer:
    conditions = list(told)
    troubles = [("", trouble) for each in conditions for trouble in _troubles(each)]
    lasting = [(name, each) for name, each in (*named, *troubles) if each.get("reason") not in _ON_ITS_WAY]
    if lasting:
        name, worst = lasting[0]
        words = f"{name + ': ' if name else ''}{worst.get('reason', '')}: {worst.get('message', '')}"
        return Answer(holds=False, reason=GatewayState.REFUSED, message=words[:_LONGEST_MESSAGE].rstrip(" .\n"))
    accepted = [each.get("Accepted", {}).get("status") == "True" for each in conditions]
    if not accepted or not all(accepted) or troubles:
        return Answer(holds=False, reason=GatewayState.PENDING, message="")
    return Answer(holds=True, reason=GatewayState.TAKEN_UP, message="")
