"""The number of pods changes hands: cut short at any call, or scaled by others at any call, no pod is lost.

``tests/apiserver/reconcile/test_replicas.py`` says the same of a real API server and real controllers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import orjson
import pytest

from sensorthings_operator.desired.metadata import FIELD_MANAGER, REPLICAS_FIELD_MANAGER
from tests.unit.operator.owning_api import AUTOSCALER, NAME, Operator, OwningApi, manifests_of
from tests.unit.operator.samples import UID, body
from tests.unit.operator.virtual_time import run

Manifest = dict[str, Any]


AUTOSCALED: Final[Manifest] = {"http": {"autoscaling": {"minReplicas": 2, "maxReplicas": 10}}}
UPGRADED: Final[Manifest] = {**AUTOSCALED, "version": "2.8.0"}


def fixed(number: int) -> Manifest:
    """A service with so many pods."""
    return {"http": {"replicas": number}}


@dataclass(frozen=True)
class Turn:
    """From one spec to another, and the numbers of pods that there may be on the way."""

    before: Manifest | None
    after: Manifest
    numbers: tuple[int, ...]
    scaled: int | None = None
    """To what an autoscaler or a person had scaled before."""


TURNS: Final = {
    "made": Turn(None, AUTOSCALED, (2,)),
    "five pods to an autoscaler": Turn(fixed(5), AUTOSCALED, (5,)),
    "fifty pods to an autoscaler of ten": Turn(fixed(50), AUTOSCALED, (50,)),
    "fewer than the fewest to an autoscaler": Turn(fixed(1), AUTOSCALED, (1, 2)),
    "no pod to an autoscaler": Turn(fixed(0), AUTOSCALED, (0, 2)),
    "drifted to an autoscaler": Turn(fixed(3), AUTOSCALED, (4,), scaled=4),
    "taken back": Turn(AUTOSCALED, fixed(3), (7, 3), scaled=7),
    "taken back as it was": Turn(AUTOSCALED, fixed(7), (7,), scaled=7),
    "to sleep": Turn(AUTOSCALED, {**AUTOSCALED, "hibernated": True}, (7, 0), scaled=7),
    "woken": Turn({**AUTOSCALED, "hibernated": True}, AUTOSCALED, (0, 2)),
    "upgraded": Turn(AUTOSCALED, UPGRADED, (7,), scaled=7),
    "upgraded before it was ever scaled": Turn(AUTOSCALED, UPGRADED, (2,)),
}

_TO_AUTOSCALERS: Final = {name: turn for name, turn in TURNS.items() if "autoscaling" in turn.after["http"]}


def _decides(spec: Manifest) -> bool:
    """Whether an autoscaler decides on the number of pods."""
    return "autoscaling" in spec["http"] and not spec.get("hibernated")


async def _begin(turn: Turn) -> Operator:
    operator = Operator(OwningApi())
    operator.api.put(body(turn.before), uid=UID)
    if turn.before is not None:
        await operator.settle(turn.before)
    if turn.scaled is not None:
        operator.api.scale(turn.scaled)
    operator.api.calls.clear()
    operator.api.numbers = [] if turn.before is None else operator.api.numbers[-1:]
    return operator


async def _calls(turn: Turn) -> int:
    """How many calls the turn takes."""
    operator = await _begin(turn)
    await operator.settle(turn.after)
    return len(operator.api.calls)


def _fails_once(at: int, error: Exception) -> Callable[..., Exception | None]:
    calls = count()
    return lambda *_: error if next(calls) == at else None


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_a_turn_cut_short_anywhere_is_taken_up_and_loses_no_pod(turn: Turn) -> None:
    async def cut(at: int, *, lost: bool, restart: bool) -> None:
        operator = await _begin(turn)
        fails = _fails_once(at, ConnectionError())
        if lost:
            operator.api.loses = fails
        else:
            operator.api.fails = fails
        try:
            await operator.look(turn.after)
        except ConnectionError:
            if restart:
                operator.restart()
        await operator.settle(turn.after)
        assert tuple(operator.api.numbers) == turn.numbers
        ours = operator.api.owners & {FIELD_MANAGER, REPLICAS_FIELD_MANAGER}
        assert (ours == {FIELD_MANAGER}) == (not _decides(turn.after)), "who says a number owns it, nobody in between"

    for at in range(run(_calls(turn)) + 1):
        for lost in (False, True):
            for restart in (False, True):
                run(cut(at, lost=lost, restart=restart))


@pytest.mark.parametrize("turn", _TO_AUTOSCALERS.values(), ids=_TO_AUTOSCALERS)
def test_who_scales_meanwhile_has_the_last_word(turn: Turn) -> None:
    """Whatever the call before which it happens: a person, or an autoscaler that is there already."""

    async def scaled(at: int) -> None:
        operator = await _begin(turn)
        calls = count()

        def scale(*_: str) -> None:
            if next(calls) == at and NAME in operator.api.objects:
                operator.api.scale(9)

        operator.api.fails = scale
        await operator.settle(turn.after)
        numbers = operator.api.numbers
        if 9 in numbers:
            after = numbers[numbers.index(9) :]
            hibernated = turn.after.get("hibernated", False)
            # What is still ours to say is said: the fewest pods of one that is made or woken, and none at night.
            assert after == [9] or (hibernated and after == [9, 0])
        assert set(numbers) <= {*turn.numbers, 9}

    for at in range(run(_calls(turn)) + 1):
        run(scaled(at))


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
def test_afterwards_nothing_is_read_or_written(turn: Turn) -> None:
    async def steady() -> None:
        operator = await _begin(turn)
        await operator.settle(turn.after)
        operator.api.calls.clear()
        await operator.look(turn.after)
        assert operator.api.calls == []
        if _decides(turn.after):
            operator.api.scale(8)
            await operator.look(turn.after)
            assert operator.api.calls == [], "the number is not ours: no drift"

    run(steady())


def test_the_autoscaler_goes_before_its_number_is_another() -> None:
    """Also where nothing is pruned, because a part of the service waits."""

    async def taken_back() -> None:
        operator = await _begin(TURNS["taken back"])
        manifests = manifests_of(fixed(3))
        for live in operator.api.objects.values():
            operator.store.put(live["kind"], live)
        await operator.children.apply_all(manifests)
        writes = operator.api.writes()
        assert AUTOSCALER not in operator.api.objects
        assert writes.index(("delete", *AUTOSCALER)) < writes.index(("apply", *NAME))

    run(taken_back())


@pytest.mark.parametrize("whose", ["another service's", "somebody's"])
def test_an_autoscaler_that_is_not_ours_is_left_alone(whose: str) -> None:
    async def taken_back() -> None:
        operator = await _begin(TURNS["taken back"])
        foreign = operator.api.objects[AUTOSCALER]
        if whose == "somebody's":
            foreign["metadata"]["managedFields"] = []
        else:
            foreign["metadata"]["ownerReferences"][0]["uid"] = "another"
        operator.api.touch(foreign)
        await operator.settle(fixed(3))
        assert AUTOSCALER in operator.api.objects

    run(taken_back())


def test_one_that_was_deleted_at_the_last_moment_is_made_anew_with_the_fewest_pods() -> None:
    async def deleted(at: int) -> list[int]:
        operator = await _begin(TURNS["upgraded"])
        calls = count()
        operator.api.fails = lambda *_: operator.api.end() if next(calls) == at else None
        await operator.settle(UPGRADED)
        return operator.api.numbers

    numbers = [run(deleted(at)) for at in range(run(_calls(TURNS["upgraded"])) + 1)]
    assert [7, 2] in numbers
    assert all(seen in ([7], [7, 2]) for seen in numbers), "never one"


def test_a_deployment_that_the_watch_does_not_see_keeps_its_pods() -> None:
    """Somebody took the label that the watch selects by: it is not there, as far as the store knows."""

    async def unseen() -> None:
        operator = await _begin(TURNS["upgraded"])
        live = operator.api.objects.pop(NAME)
        operator.restart()
        for other in operator.api.objects.values():
            operator.store.put(other["kind"], other)
        operator.api.objects[NAME] = live
        await operator.children.apply_all(manifests_of(UPGRADED))
        assert operator.api.numbers == [7]

    run(unseen())


def test_a_service_without_autoscaling_costs_no_call_more() -> None:
    async def made() -> None:
        operator = Operator(OwningApi())
        operator.api.put(body(fixed(2)), uid=UID)
        await operator.look(fixed(2))
        about = [verb for verb, kind, _ in operator.api.calls if kind == "Deployment"]
        assert about == ["apply"]

    run(made())


def test_one_that_somebody_scaled_to_zero_is_not_woken() -> None:
    """Kubernetes' own way of turning an autoscaler off."""

    async def upgraded() -> None:
        operator = await _begin(TURNS["upgraded"])
        operator.api.scale(0)
        await operator.settle(UPGRADED)
        assert operator.api.numbers[-1] == 0

    run(upgraded())


def test_what_is_sent_in_between_is_small() -> None:
    """The second field manager must own nothing but the number."""

    async def made() -> None:
        sent: list[Manifest] = []
        operator = await _begin(TURNS["five pods to an autoscaler"])
        apply = operator.api.apply

        async def kept(manifest: Manifest, **options: Any) -> Manifest:
            sent.append({"manifest": manifest, **options})
            return await apply(manifest, **options)

        operator.api.apply = kept  # type: ignore[method-assign]
        await operator.settle(AUTOSCALED)
        (second,) = [call for call in sent if call["field_manager"] == REPLICAS_FIELD_MANAGER]
        assert second["manifest"]["spec"] == {"replicas": 5}
        assert not second["force"]
        assert orjson.dumps(second["manifest"]["metadata"]).count(b"labels") == 0

    run(made())
