"""Whatever happens to a service and in whatever order, once all is quiet it is as if only its last spec had ever been.

Random sequences of edits, deletions, faults of the API server and restarts; after each quiet point the children are
those of a service that was made with this spec and never disturbed, and no further write happens.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.apiserver.reconcile.end_state import differences, end_state
from tests.apiserver.reconcile.faulty_api import Call, Fate, FaultyApi
from tests.apiserver.reconcile.stage import Stage, staged
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.controlplane import ControlPlane
    from tests.apiserver.conftest import Kubectl

_EXAMPLES: Final = 4
_STEPS: Final = 7
_HTTP: Final[dict[str, Any]] = {
    "one pod": {"replicas": 1, "autoscaling": None},
    "two pods": {"replicas": 2, "autoscaling": None},
    "autoscaling": {"replicas": None, "autoscaling": {"minReplicas": 1, "maxReplicas": 3}},
}
_BUS: Final[dict[str, Any]] = {
    "own": {"type": "Mosquitto", "external": None, "mosquitto": {"storage": {"whenDeleted": "Delete"}}},
    "external": {"type": "External", "external": {"host": "bus.city.example"}, "mosquitto": None},
}
_SETTINGS: Final[dict[str, Any]] = {"none": None, "some": {"defaultTop": "50"}}
_EDITS: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("Deployment", "air-mqtt", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}),
    ("Deployment", "air-http", {"spec": {"template": {"metadata": {"annotations": {"theirs": "stays away"}}}}}),
    ("Service", "air-http", {"spec": {"ports": [{"name": "http", "port": 81}]}}),
    ("ServiceAccount", "air-frost", {"automountServiceAccountToken": True}),
]
_DELETIONS: Final = [("Service", "air-mqtt"), ("Deployment", "air-http"), ("ServiceAccount", "air-frost")]
_FATES: Final[list[Fate | int]] = [Fate.NEVER_ARRIVES, Fate.ANSWER_IS_LOST, 409, 429, 500, 503]


class BadDay:
    """Lets the next calls go wrong."""

    def __init__(self, proxy: FaultyApi) -> None:
        self._lock = threading.Lock()
        self._fates: list[Fate | int] = []
        self.met: Counter[str] = Counter()
        proxy.judge = self._judge

    def comes(self, fates: list[Fate | int]) -> None:
        with self._lock:
            self._fates = list(fates)

    def _judge(self, call: Call) -> Fate | int:
        with self._lock:
            if not call.is_counted or not self._fates:
                return Fate.PASSES
            fate = self._fates.pop()
            self.met[str(fate)] += 1
            return fate


class City(RuleBasedStateMachine):
    """One service, and all that may happen to it."""

    stage: ClassVar[Stage]
    day: ClassVar[BadDay]
    quiet_states: ClassVar[dict[tuple[str, ...], dict[str, Any]]] = {}

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.choice = ("one pod", "own", "none")

    @initialize(http=st.sampled_from(sorted(_HTTP)), bus=st.sampled_from(sorted(_BUS)))
    def is_founded(self, http: str, bus: str) -> None:
        self.choice = (http, bus, "none")
        self.walk = self._open.enter_context(self.stage.walk())
        self.walk.external(_spec(self.choice))

    @rule(
        http=st.sampled_from(sorted(_HTTP)), bus=st.sampled_from(sorted(_BUS)), some=st.sampled_from(sorted(_SETTINGS))
    )
    def wants_something_else(self, http: str, bus: str, some: str) -> None:
        self.choice = (http, bus, some)
        self.walk.change(_spec(self.choice))

    @rule(edit=st.sampled_from(_EDITS))
    def is_edited_by_hand(self, edit: tuple[str, str, dict[str, Any]]) -> None:
        kind, name, patch = edit
        if self.walk.cluster.get(kind, name) is not None:
            self.walk.cluster.patch(kind, name, patch)

    @rule(child=st.sampled_from(_DELETIONS))
    def loses_a_child(self, child: tuple[str, str]) -> None:
        self.walk.cluster.delete(*child)

    @rule(fates=st.lists(st.sampled_from(_FATES), min_size=1, max_size=6))
    def has_a_bad_day(self, fates: list[Fate | int]) -> None:
        self.day.comes(fates)

    @rule(expired=st.booleans())
    def loses_sight(self, expired: bool) -> None:
        self.stage.proxy.cut_watches(expired=expired)

    @rule()
    def loses_its_operator(self) -> None:
        self.stage.operator.kill()
        self.stage.operator.start()

    @rule()
    def comes_to_rest(self) -> None:
        self.day.comes([])
        undisturbed = _tolerant(self._undisturbed())

        def check() -> None:
            # Pods that roll because of what was done last may not have begun when Ready was seen.
            self.walk.becomes_ready(seconds=60)
            self.walk.settle()
            assert differences(_tolerant(end_state(self.walk)), undisturbed) == []

        eventually(check, seconds=60)

    def teardown(self) -> None:
        try:
            if hasattr(self, "walk"):
                self.comes_to_rest()
        finally:
            self._open.close()

    def _undisturbed(self) -> dict[str, Any]:
        """What a service with this spec is that nothing ever happened to; remembered for all sequences."""
        if self.choice not in self.quiet_states:
            with self.stage.walk() as walk:
                walk.external(_spec(self.choice))
                walk.becomes_ready(seconds=60)
                walk.settle()
                self.quiet_states[self.choice] = end_state(walk)
        return self.quiet_states[self.choice]


def _spec(choice: tuple[str, ...]) -> dict[str, Any]:
    http, bus, some = choice
    return {"http": {**_HTTP[http], "settings": _SETTINGS[some]}, "bus": _BUS[bus]}


def _tolerant(state: dict[str, Any]) -> dict[str, Any]:
    """Without what belongs to others and stays: an annotation of theirs, and the number an autoscaler was handed."""
    for name, child in state["children"].items():
        child["metadata"].get("annotations", {}).pop("sensorthings.city/min-replicas", None)
        template = child.get("spec", {}).get("template", {})
        template.get("metadata", {}).get("annotations", {}).pop("theirs", None)
        if name.startswith("Deployment/"):
            child["spec"].pop("replicas", None)
    return state


@pytest.fixture(scope="module")
def stage(rough: ControlPlane, rough_kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(rough, rough_kubectl, tmp_path_factory.mktemp("model")) as stage:
        yield stage


def test_whatever_happens_in_whatever_order(stage: Stage) -> None:
    City.stage, City.day = stage, BadDay(stage.proxy)
    run_state_machine_as_test(
        City,
        settings=settings(
            max_examples=_EXAMPLES,
            stateful_step_count=_STEPS,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert City.quiet_states, "something came to rest"
