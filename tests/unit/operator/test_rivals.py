"""Who takes a child back again and again is noticed, and the operator becomes the calmer of the two."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.apply.children import Children
from sensorthings_operator.apply.outcome import Outcome
from sensorthings_operator.apply.rivals import FORGET_SECONDS, Contested, Rivals, delay_seconds
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.desired import bus
from sensorthings_operator.desired.metadata import FIELD_MANAGER
from tests.unit.operator.fake_api import FakeApi
from tests.unit.operator.samples import SETTINGS, UID, observed, service
from tests.unit.operator.virtual_time import on_virtual_time

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

_AIR = ("hamburg", "air")
_CHILD = ("ConfigMap", "air-bus")
_CONFIG = bus.build(service(), SETTINGS)[0]


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _fight(rivals: Rivals, clock: Clock, seconds: float) -> list[float]:
    """A rival who changes the child back at once, for so long; when it was brought back."""
    end = clock.now + seconds
    times: list[float] = []
    while True:
        clock.now += rivals.wait(_AIR, *_CHILD) + 0.01
        if clock.now > end:
            return times
        rivals.note(_AIR, *_CHILD, "somebody")
        times.append(clock.now)


def test_an_hour_of_fighting_is_a_handful_of_writes_and_they_come_later_and_later() -> None:
    clock = Clock()
    rivals = Rivals(clock)
    times = _fight(rivals, clock, 3600)
    gaps = [round(after - before, 3) for before, after in pairwise(times)]
    assert len(times) < 30
    assert gaps == sorted(gaps)
    assert gaps[0] < 1
    assert gaps[-1] <= 301
    assert rivals.of(_AIR) == (Contested(*_CHILD, "somebody"),)


def test_a_person_who_edits_a_few_times_is_no_rival() -> None:
    clock = Clock()
    rivals = Rivals(clock)
    for _ in range(5):
        rivals.note(_AIR, *_CHILD, "")
        assert rivals.wait(_AIR, *_CHILD) == 0
        clock.now += 20
    assert rivals.of(_AIR) == ()
    assert rivals.look_again(_AIR) is None


def test_all_is_forgotten_after_ten_quiet_minutes_and_the_service_is_looked_at_then() -> None:
    clock = Clock()
    rivals = Rivals(clock)
    _fight(rivals, clock, 60)
    looks = 0
    while (seconds := rivals.look_again(_AIR)) is not None:
        clock.now += seconds
        looks += 1
        assert looks <= 3
    assert rivals.of(_AIR) == ()
    assert rivals.wait(_AIR, *_CHILD) == 0


def test_other_children_and_services_are_not_kept_waiting() -> None:
    clock = Clock()
    rivals = Rivals(clock)
    _fight(rivals, clock, 60)
    assert rivals.wait(_AIR, "ConfigMap", "air-other") == 0
    assert rivals.wait(("hamburg", "water"), *_CHILD) == 0
    rivals.forget(_AIR)
    assert rivals.of(_AIR) == ()


def test_what_is_not_wanted_any_more_is_no_fight() -> None:
    clock = Clock()
    rivals = Rivals(clock)
    _fight(rivals, clock, 60)
    rivals.note(_AIR, "ConfigMap", "air-other", "")
    rivals.settle(_AIR, *_CHILD)
    assert rivals.of(_AIR) == ()
    assert rivals.wait(_AIR, *_CHILD) == 0
    rivals.settle(_AIR, "ConfigMap", "air-other")
    rivals.settle(_AIR, "ConfigMap", "air-other")


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_more_times_never_wait_less_and_never_longer_than_it_takes_to_forget(one: int, other: int) -> None:
    fewer, more = sorted((one, other))
    assert 0 <= delay_seconds(fewer) <= delay_seconds(more) < FORGET_SECONDS


def _take(api: FakeApi, store: OwnedStore) -> None:
    """A rival applies the data for itself, by force."""
    live = api.objects[_CHILD]
    ours = next(entry for entry in live["metadata"]["managedFields"] if entry["manager"] == FIELD_MANAGER)
    if "f:data" not in ours["fieldsV1"]:
        return
    entry = {"manager": "rival", "operation": "Update", "fieldsV1": {"f:data": ours["fieldsV1"].pop("f:data")}}
    others = [each for each in live["metadata"]["managedFields"] if each["manager"] != "rival"]
    live["metadata"]["managedFields"] = [*others, entry]
    api.touch(live)
    store.put("ConfigMap", live)


@on_virtual_time
async def test_the_rival_is_named_and_what_it_wants(api: FakeApi) -> None:
    store = OwnedStore({})
    children = Children(cast("KubernetesClient", api), store, repaired=lambda *_: None)
    outcomes: list[Any] = []
    for _ in range(20):
        outcomes.append((await children.apply(_CONFIG)).outcome)
        _take(api, store)
    assert outcomes[0] is Outcome.CREATED
    assert outcomes[1:8] == [Outcome.REPAIRED] * 7
    assert Outcome.LEFT in outcomes[8:]
    (contested,) = children.rivals.of(_AIR)
    assert contested.told == "rival changes data back each time it is put right"


def _replace(api: FakeApi, store: OwnedStore) -> None:
    """A rival replaces the object as a whole: annotations of ours go with it."""
    live = api.objects[_CHILD]
    entry = {"manager": "rival", "operation": "Update", "fieldsV1": {"f:data": {}}}
    live["metadata"].pop("annotations", None)
    live["metadata"]["managedFields"] = [entry]
    api.touch(live)
    store.put("ConfigMap", live)


@on_virtual_time
async def test_a_rival_that_replaces_the_object_is_one_too(api: FakeApi) -> None:
    store = OwnedStore({})
    children = Children(cast("KubernetesClient", api), store, repaired=lambda *_: None)
    outcomes: list[Any] = []
    for _ in range(20):
        outcomes.append((await children.apply(_CONFIG)).outcome)
        _replace(api, store)
    assert outcomes[1:8] == [Outcome.REPAIRED] * 7
    assert Outcome.LEFT in outcomes[8:]


@on_virtual_time
async def test_the_operator_is_no_rival_of_its_own(api: FakeApi) -> None:
    """Who switches an option on and off has the same child made and pruned again and again."""
    store = OwnedStore({})
    children = Children(cast("KubernetesClient", api), store, repaired=lambda *_: None)
    for _ in range(20):
        assert (await children.apply(_CONFIG)).outcome is Outcome.CREATED
        assert len(await children.prune(UID, _AIR, ())) == 1
        (made,) = store.of_kind("ConfigMap")
        store.remove("ConfigMap", "hamburg", made.name, made.uid)
    assert children.rivals.of(_AIR) == ()


@on_virtual_time
async def test_a_new_spec_is_applied_all_the_same(api: FakeApi) -> None:
    store = OwnedStore({})
    children = Children(cast("KubernetesClient", api), store, repaired=lambda *_: None)
    for _ in range(12):
        await children.apply(_CONFIG)
        _take(api, store)
    assert (await children.apply(_CONFIG)).outcome is Outcome.LEFT
    assert (await children.apply({**_CONFIG, "data": {"new": "value"}})).outcome is Outcome.UPDATED


def test_it_is_told_and_clients_are_served_all_the_same() -> None:
    verdicts = evaluate(observed(contested=(Contested(*_CHILD, "rival changes data back"),)))
    assert verdicts["Ready"].holds
    assert (verdicts["Stalled"].status, verdicts["Stalled"].reason) == ("True", "Contested")
    assert "ConfigMap air-bus: rival changes data back" in verdicts["Stalled"].message
