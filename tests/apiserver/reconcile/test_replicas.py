"""Who decides on the number of pods, with the real API server and the real controllers: no pod is lost on the way.

No metrics-server is there, so the autoscaler keeps to its bounds alone; what it would do besides is done by hand.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

import pytest

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk
    from tests.unit.api.examples import Manifest

_NAME: Final = "air-http"
_AUTOSCALER: Final = "HorizontalPodAutoscaler"
_OURS: Final = "sensorthings-operator"
_BETWEEN: Final = "sensorthings-operator-replicas"
_AUTOSCALED: Final = {"http": {"autoscaling": {"minReplicas": 2, "maxReplicas": 6}, "replicas": None}}
_LOOK_SECONDS: Final = 30
"""The autoscaler looks every five seconds here."""


def _fixed(number: int) -> Manifest:
    return {"http": {"replicas": number, "autoscaling": None}}


class _Lookback:
    """From the moment on at which it is made."""

    def __init__(self, walk: Walk) -> None:
        self._cluster = walk.cluster
        self._since = walk.cluster.now("Deployment")
        live = walk.cluster.get("Deployment", _NAME)
        self._first = [] if live is None else [live]

    def numbers(self) -> list[int]:
        """The numbers of pods that the HTTP module was asked for, without repetitions."""
        states = [*self._first, *self._cluster.history("Deployment", _NAME, self._since)]
        return [number for number, _ in groupby(int(live["spec"]["replicas"]) for live in states)]


def _owners(walk: Walk) -> set[str]:
    """Field managers of the number of pods."""
    entries = walk.cluster.require("Deployment", _NAME)["metadata"]["managedFields"]
    return {entry["manager"] for entry in entries if "f:replicas" in entry["fieldsV1"].get("f:spec", {})}


def _replicas(walk: Walk) -> int:
    return int(walk.cluster.require("Deployment", _NAME)["spec"]["replicas"])


def _scale(walk: Walk, number: int) -> None:
    """What an autoscaler or `kubectl scale` does."""
    walk.cluster.patch("Deployment", _NAME, {"spec": {"replicas": number}}, subresource="scale")


def _answer(walk: Walk, number: int) -> None:
    """Every pod runs, and the status says so."""
    walk.kubelet.run()
    status = walk.service()["status"]["http"]
    assert (status["replicas"], status["readyReplicas"]) == (number, number)


def _autoscaled(walk: Walk, *, scaled: int | None = None) -> _Lookback:
    """A Ready service whose load decides, as a test begins with it."""
    walk.external(_AUTOSCALED)
    walk.becomes_ready()
    if scaled is not None:
        _scale(walk, scaled)
        eventually(partial(_answer, walk, scaled))
    walk.settle()
    return _Lookback(walk)


def test_it_is_made_with_the_fewest_pods_and_the_number_is_nobodys_of_ours(walk: Walk) -> None:
    since = _Lookback(walk)
    walk.external(_AUTOSCALED)
    walk.becomes_ready()
    walk.settle()
    assert since.numbers() == [2]
    assert _owners(walk) == {_BETWEEN}
    assert walk.cluster.get(_AUTOSCALER, _NAME) is not None
    assert walk.cluster.get(_AUTOSCALER, "air-mqtt") is None
    assert walk.cluster.require("Deployment", "air-mqtt")["spec"]["replicas"] == 1


def test_a_cluster_without_metrics_is_told_and_the_service_is_ready(walk: Walk) -> None:
    _autoscaled(walk)
    message = walk.becomes("AutoscalingActive", "False", "MetricsMissing", seconds=_LOOK_SECONDS)
    assert "metrics-server" in message
    assert walk.condition("Ready")["status"] == "True"
    looked = walk.cluster.require(_AUTOSCALER, _NAME)["metadata"]["resourceVersion"]
    _scale(walk, 4)

    def looked_again() -> None:
        autoscaler = walk.cluster.require(_AUTOSCALER, _NAME)
        assert autoscaler["metadata"]["resourceVersion"] != looked
        assert autoscaler["status"]["currentReplicas"] == 4

    eventually(looked_again, seconds=_LOOK_SECONDS)
    walk.becomes_ready()
    assert walk.condition("AutoscalingActive")["reason"] == "MetricsMissing"


def test_it_is_ready_all_the_time_while_the_load_decides(walk: Walk) -> None:
    """An alarm for each pod that an autoscaler adds would soon be switched off."""
    _autoscaled(walk)
    since = walk.cluster.now("SensorThingsService")
    for number in (5, 3, 4):
        _scale(walk, number)
        eventually(partial(_answer, walk, number))
    walk.settle()
    states = walk.cluster.history("SensorThingsService", "air", since)
    assert len(states) > 1, "the status says how many there are"
    for state in states:
        (ready,) = (c for c in state["status"]["conditions"] if c["type"] == "Ready")
        assert ready["status"] == "True", ready


def test_what_somebody_else_scales_is_no_drift(walk: Walk) -> None:
    since = _autoscaled(walk, scaled=4)
    walk.settle()
    repairs, writes = walk.operator.repairs("Deployment"), walk.operator.writes()
    walk.force_pass()
    assert (walk.operator.repairs("Deployment"), walk.operator.writes()) == (repairs, writes)
    assert _BETWEEN not in _owners(walk)

    walk.change({"http": {"resources": {"requests": {"cpu": "300m"}}}})
    walk.becomes_ready()
    assert since.numbers() == [4]


def test_an_upgrade_before_it_was_ever_scaled_leaves_the_fewest_pods(walk: Walk) -> None:
    since = _autoscaled(walk)
    walk.change({"version": "2.8.0"})
    walk.becomes_ready()
    assert since.numbers() == [2]
    assert _owners(walk) == {_BETWEEN}


@pytest.mark.parametrize(("before", "numbers"), [(5, [5]), (1, [1, 2]), (0, [0, 2])])
def test_from_a_number_to_an_autoscaler(walk: Walk, before: int, numbers: list[int]) -> None:
    walk.external(_fixed(before))
    if before:
        walk.becomes_ready()
    else:
        walk.kubelet.run("bus")
        walk.kubelet.end_schema_jobs(awaited=True)
        walk.becomes("HTTPAvailable", "False", "HTTPScaledToZero")
    since = _Lookback(walk)
    walk.change(_AUTOSCALED)
    walk.becomes_ready()
    walk.settle()
    assert since.numbers() == numbers
    assert _owners(walk) == {_BETWEEN}


def test_the_autoscaler_brings_what_it_took_over_within_its_bounds(walk: Walk) -> None:
    walk.external(_fixed(8))
    walk.becomes_ready()
    since = _Lookback(walk)
    walk.change(_AUTOSCALED)

    def within() -> None:
        assert _replicas(walk) == 6

    eventually(within, seconds=_LOOK_SECONDS)
    walk.becomes_ready()
    assert since.numbers() == [8, 6]
    walk.settle()
    assert _owners(walk) == {"kube-controller-manager"}


@pytest.mark.parametrize("number", [3, 4])
def test_from_an_autoscaler_to_a_number(walk: Walk, number: int) -> None:
    since = _autoscaled(walk, scaled=4)
    walk.change(_fixed(number))
    walk.becomes_ready()
    walk.disappears(_AUTOSCALER, _NAME)
    walk.settle()
    assert since.numbers() == ([4] if number == 4 else [4, number])
    assert _OURS in _owners(walk)
    assert "AutoscalingActive" not in {c["type"] for c in walk.service()["status"]["conditions"]}

    _scale(walk, 5)

    def taken_back() -> None:
        assert _replicas(walk) == number

    eventually(taken_back)
    walk.becomes_ready()


def test_a_hibernated_service_sleeps_and_wakes_with_the_fewest_pods(walk: Walk) -> None:
    since = _autoscaled(walk, scaled=4)
    walk.change({"hibernated": True})
    walk.becomes("Ready", "False", "Hibernated")
    walk.disappears(_AUTOSCALER, _NAME)
    assert since.numbers() == [4, 0]
    asleep = _Lookback(walk)

    walk.change({"hibernated": False})
    walk.becomes_ready()
    walk.settle()
    assert asleep.numbers() == [0, 2]
    assert _owners(walk) == {_BETWEEN}
    assert walk.cluster.get(_AUTOSCALER, _NAME) is not None


def test_a_hand_over_that_was_cut_short_is_taken_up(walk: Walk) -> None:
    walk.external(_fixed(5))
    walk.becomes_ready()
    since = _Lookback(walk)
    assert walk.operator.stop() == 0
    try:
        walk.change(_AUTOSCALED)
        walk.cluster.apply(_with_replicas(5), field_manager=_BETWEEN)
        assert _owners(walk) == {_OURS, _BETWEEN}
    finally:
        walk.operator.start()
    walk.becomes_ready()
    walk.settle()
    assert since.numbers() == [5]
    assert _owners(walk) == {_BETWEEN}


def test_there_and_back_again_under_a_restart_each_time(walk: Walk) -> None:
    walk.external(_fixed(3))
    walk.becomes_ready()
    since = _Lookback(walk)
    for spec in (_AUTOSCALED, _fixed(3), _AUTOSCALED):
        walk.change(spec)
        walk.operator.restart()
        walk.becomes_ready()
    walk.settle()
    assert since.numbers() == [3]


def test_deleted_while_the_load_decides_it_comes_back_with_the_fewest_pods(walk: Walk) -> None:
    since = _autoscaled(walk, scaled=4)
    walk.cluster.delete("Deployment", _NAME)

    def anew() -> None:
        assert _replicas(walk) == 2

    eventually(anew)
    walk.becomes_ready()
    assert since.numbers() == [4, 2]


def test_an_edited_autoscaler_comes_back(walk: Walk) -> None:
    _autoscaled(walk)
    walk.cluster.patch(_AUTOSCALER, _NAME, {"spec": {"maxReplicas": 50, "behavior": None}})

    def back() -> None:
        spec = walk.cluster.require(_AUTOSCALER, _NAME)["spec"]
        assert spec["maxReplicas"] == 6
        assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 120

    eventually(back)
    walk.settle()


def test_scaled_to_zero_by_hand_it_stays_there_and_says_how_to_wake_it(walk: Walk) -> None:
    _autoscaled(walk)
    _scale(walk, 0)
    assert "scale it to 1 or more" in walk.becomes(
        "AutoscalingActive", "False", "AutoscalerDisabled", seconds=_LOOK_SECONDS
    )
    walk.becomes("HTTPAvailable", "False", "HTTPScaledToZero")
    assert _replicas(walk) == 0
    _scale(walk, 1)

    def raised() -> None:
        assert _replicas(walk) == 2

    eventually(raised, seconds=_LOOK_SECONDS)
    walk.becomes_ready()


def test_a_budget_of_a_single_autoscaled_pod_lets_it_go(walk: Walk) -> None:
    """Or a node could not be drained at night."""
    walk.external({"http": {"autoscaling": {"minReplicas": 1, "maxReplicas": 3}}})
    walk.becomes_ready()

    def allowed() -> None:
        status = walk.cluster.require("PodDisruptionBudget", _NAME)["status"]
        assert (status["expectedPods"], status["disruptionsAllowed"]) == (1, 1)

    eventually(allowed)
    _scale(walk, 3)

    def one_of_three() -> None:
        walk.kubelet.run()
        status = walk.cluster.require("PodDisruptionBudget", _NAME)["status"]
        assert (status["expectedPods"], status["currentHealthy"], status["disruptionsAllowed"]) == (3, 3, 1)

    eventually(one_of_three)


def _with_replicas(number: int) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": _NAME},
        "spec": {"replicas": number},
    }
