"""Killed at a call, before it arrives or before its answer does, and started again: the end is that of a quiet run.

A few of the calls; ``EVERY_CALL=1`` takes all of them.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.apiserver.reconcile.end_state import differences, end_state
from tests.apiserver.reconcile.faulty_api import Call, Fate, FaultyApi
from tests.apiserver.reconcile.stage import Stage, staged
from tests.apiserver.reconcile.waiting import eventually
from tests.apiserver.reconcile.walk import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcluster.controlplane import ControlPlane
    from tests.apiserver.conftest import Kubectl
    from tests.apiserver.reconcile.process import OperatorProcess
    from tests.apiserver.reconcile.walk import Walk

_STRIDE: Final = 9
"""Between two calls that are taken."""
_EVERY: Final = os.environ.get("EVERY_CALL") == "1"
_ONE: Final = {
    "http": {"replicas": 2, "settings": {"defaultTop": "50"}},
    "bus": {"mosquitto": {"storage": {"whenDeleted": "Delete"}}},
}
_OTHER: Final = {
    "http": {"replicas": None, "autoscaling": {"minReplicas": 2, "maxReplicas": 3}, "settings": None},
    "mqtt": {"replicas": 2},
    "bus": {"type": "External", "external": {"host": "bus.city.example"}, "mosquitto": None},
}


class Killer:
    """Counts calls, and kills the operator at one of them."""

    def __init__(self, proxy: FaultyApi, operator: OperatorProcess) -> None:
        self._operator = operator
        self._lock = threading.Lock()
        self._at, self._fate, self._dead = 0, Fate.PASSES, False
        self.calls = 0
        proxy.judge = self._judge

    def arm(self, at: int, fate: Fate) -> None:
        """Kill at the call of this number from now on; 0 never does."""
        with self._lock:
            self._at, self._fate, self._dead, self.calls = at, fate, False, 0

    @property
    def has_killed(self) -> bool:
        return self._dead

    def disarm(self) -> bool:
        """Kill no more; whether it has killed before."""
        with self._lock:
            self._at = 0
            return self._dead

    def _judge(self, call: Call) -> Fate:
        with self._lock:
            if self._dead:
                return Fate.NEVER_ARRIVES
            self.calls += call.is_counted
            if not call.is_counted or self.calls != self._at:
                return Fate.PASSES
            self._dead = True
            if self._fate is Fate.NEVER_ARRIVES:
                self._operator.kill()
            return self._fate

    def revive(self) -> None:
        """Start the operator anew, and let it live."""
        self._operator.kill()
        self.arm(0, Fate.PASSES)
        self._operator.start()


@pytest.fixture(scope="module")
def stage(rough: ControlPlane, rough_kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(rough, rough_kubectl, tmp_path_factory.mktemp("killed")) as stage:
        yield stage


@pytest.fixture(scope="module")
def killer(stage: Stage) -> Killer:
    return Killer(stage.proxy, stage.operator)


def _create(walk: Walk) -> None:
    walk.external(_ONE)


def _ready(walk: Walk) -> None:
    _create(walk)
    walk.becomes_ready(seconds=30)
    walk.settle()


def _change(walk: Walk) -> None:
    walk.change(_OTHER)


def _delete(walk: Walk) -> None:
    walk.change({"http": {"replicas": 1}})  # so that a pass runs while it goes
    walk.cluster.delete("SensorThingsService", NAME)


def _is_ready(walk: Walk) -> dict[str, Any]:
    walk.becomes_ready(seconds=60)
    walk.settle()
    return end_state(walk)


def _is_gone(walk: Walk) -> dict[str, Any]:
    def check() -> None:
        assert walk.cluster.get("SensorThingsService", NAME) is None
        assert not walk.cluster.children(), "the garbage collector takes them"

    eventually(check, seconds=60)
    return {}


@dataclass(frozen=True)
class Story:
    """What is there, what is done, and what comes of it."""

    before: Callable[[Walk], None]
    deed: Callable[[Walk], None]
    end: Callable[[Walk], dict[str, Any]]

    def run(self, stage: Stage, killer: Killer, at: int, fate: Fate) -> tuple[bool, int, dict[str, Any]]:
        """Whether the operator was killed, the calls it made until the end or its death, and the end."""
        with stage.walk() as walk:
            self.before(walk)
            killer.arm(at, fate)
            self.deed(walk)
            killed = bool(at) and (_dies(killer, walk) or killer.disarm())
            calls = killer.calls
            if killed:
                killer.revive()
            end = self.end(walk)
            return killed, killer.calls if not killed else calls, end


def _dies(killer: Killer, walk: Walk) -> bool:
    """Let pods run until the operator is killed."""

    def check() -> None:
        walk.kubelet.run()
        walk.kubelet.end_schema_jobs()
        assert killer.has_killed

    try:
        eventually(check, seconds=20)
    except AssertionError:
        return False
    return True


_STORIES: Final = {
    "create": Story(lambda _: None, _create, _is_ready),
    "change": Story(_ready, _change, _is_ready),
    "delete": Story(_ready, _delete, _is_gone),
}
_FATES: Final = (Fate.NEVER_ARRIVES, Fate.ANSWER_IS_LOST)


@pytest.mark.parametrize("name", _STORIES)
def test_whatever_it_was_doing(stage: Stage, killer: Killer, name: str) -> None:
    story = _STORIES[name]
    _, calls, quiet = story.run(stage, killer, 0, Fate.PASSES)
    taken = range(1, calls + 1, 1 if _EVERY else _STRIDE)
    deaths = 0
    for number in taken:
        for fate in _FATES if _EVERY else (_FATES[number % 2],):
            killed, _, end = story.run(stage, killer, number, fate)
            assert differences(end, quiet) == [], f"killed at call {number} of {calls}, which {fate.value}"
            deaths += killed
    assert deaths >= len(taken) // 2, "passes differ by a few calls from run to run, not by half"
