"""Another controller that has a child its own way: it is told who it is, and nobody fights for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, count, takewhile
from typing import TYPE_CHECKING, Any, Final, Self

import pytest
from kubernetes.dynamic.exceptions import ConflictError

from sensorthings_operator.apply.rivals import delay_seconds
from sensorthings_operator.desired.metadata import FIELD_MANAGER
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.apiserver.conftest import Kubectl
    from tests.apiserver.reconcile.cluster import Cluster
    from tests.apiserver.reconcile.walk import Walk

_RIVAL: Final = "image-pinner"
_THEIRS: Final = "example.org/pinned:1"
_OTHER: Final = "water"
_LOOKS_EVERY_SECONDS: Final = 0.02
_MOST_DEEDS: Final = 100
"""An operator that does not slow down gets here within seconds."""
_LONGEST_SECONDS: Final = 60.0


class Rival:
    """Does its deed whenever there is something to do, in a thread; so often and so long at most."""

    def __init__(self, deed: Callable[[], bool]) -> None:
        self._deed = deed
        self._over = threading.Event()
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.deeds = 0

    def __enter__(self) -> Self:
        self._ending = self._thread.submit(self._fight)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.shutdown()
        self._ending.result()

    def _fight(self) -> None:
        until = time.monotonic() + _LONGEST_SECONDS
        while self.deeds < _MOST_DEEDS and time.monotonic() < until and not self._over.wait(_LOOKS_EVERY_SECONDS):
            self.deeds += self._deed()


def _pinned(**annotations: str) -> dict[str, Any]:
    """An image of the rival's on the pods of HTTP, for server-side apply."""
    containers = [{"name": "frost-http", "image": _THEIRS}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "air-http", "annotations": annotations},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def _image(cluster: Cluster) -> str:
    template = cluster.require("Deployment", "air-http")["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def _pins_the_image(cluster: Cluster) -> bool:
    if _image(cluster) == _THEIRS:
        return False
    cluster.apply(_pinned(), field_manager=_RIVAL)
    return True


def _account(cluster: Cluster) -> bool:
    return bool(cluster.require("ServiceAccount", "air-frost")["automountServiceAccountToken"])


def _mounts_tokens(cluster: Cluster) -> bool:
    if _account(cluster):
        return False
    cluster.patch("ServiceAccount", "air-frost", {"automountServiceAccountToken": True}, field_manager=_RIVAL)
    return True


def _replaces_the_configuration(cluster: Cluster) -> bool:
    """As ``kubectl replace`` does: what its manifest does not have goes, annotations of ours with it."""
    if cluster.require("ConfigMap", "air-bus")["data"] == {"mosquitto.conf": "theirs"}:
        return False
    theirs = {"metadata": {"annotations": None}, "data": {"mosquitto.conf": "theirs"}}
    cluster.patch("ConfigMap", "air-bus", theirs, field_manager=_RIVAL)
    return True


def _deletes_the_service(cluster: Cluster) -> bool:
    if cluster.get("Service", "air-mqtt") is None:
        return False
    cluster.delete("Service", "air-mqtt")
    return True


@dataclass(frozen=True)
class Fight:
    """For a field of a child."""

    child: str
    field: str
    deed: Callable[[Cluster], bool]

    @property
    def kind(self) -> str:
        return self.child.split()[0]


_FIGHTS: Final = {
    "applies": Fight("Deployment air-http", "spec.template.spec.containers[0].image", _pins_the_image),
    "updates": Fight("ServiceAccount air-frost", "automountServiceAccountToken", _mounts_tokens),
}


@pytest.fixture
def ready(walk: Walk) -> Walk:
    """With a service at rest. Fights are forgotten with their service, so each test has one of its own."""
    walk.external()
    walk.becomes_ready()
    walk.settle()
    return walk


def _most_times(seconds: float) -> int:
    """How often a child may have been brought back so long after a fight began."""
    at_once = next(times for times in count(1) if delay_seconds(times) > 0)
    later = accumulate(delay_seconds(times) for times in count(at_once))
    return at_once + sum(1 for _ in takewhile(lambda moment: moment <= seconds, later))


def _reaches(number: Callable[[], int], wanted: int) -> None:
    def check() -> None:
        assert number() >= wanted

    eventually(check, seconds=20)


@pytest.mark.parametrize("fight", _FIGHTS.values(), ids=_FIGHTS)
def test_a_fight_is_told_slows_down_and_ends_well(ready: Walk, kubectl: Kubectl, fight: Fight) -> None:
    cluster, before, began = ready.cluster, ready.operator.repairs(fight.kind), time.monotonic()

    def repairs() -> int:
        return ready.operator.repairs(fight.kind) - before

    with Rival(lambda: fight.deed(cluster)) as rival:
        message = ready.becomes("Stalled", "True", "Contested")
        # And nobody else: kube-controller-manager, for one, writes the status of a Deployment.
        assert message.startswith(f"{fight.child}: {_RIVAL} changes {fight.field} back each time it is put right")
        eventually(lambda: _is_told(ready, message))
        described = kubectl.run("describe", "sta", "air", f"--namespace={cluster.namespace}").stdout
        assert "Contested" in described
        assert _RIVAL in described

        ready.external(name=_OTHER)
        ready.becomes_ready(_OTHER)
        _reaches(repairs, 9)
        assert repairs() <= _most_times(time.monotonic() - began)

    assert rival.deeds < _MOST_DEEDS
    eventually(lambda: _is_ours(cluster), seconds=20)
    ready.becomes_ready()
    ready.settle()
    after = repairs()
    assert after <= rival.deeds, "each deed of the rival's was made good once at most"
    ready.force_pass()
    assert repairs() == after, "the last repair holds"
    assert len(_events(ready)) == 1, "told once"
    assert ready.condition("Stalled")["reason"] == "Contested", "until ten minutes were quiet"


def _is_ours(cluster: Cluster) -> None:
    assert _image(cluster) != _THEIRS
    assert not _account(cluster)


def _is_told(walk: Walk, message: str) -> None:
    assert _events(walk) == [f"Stalled=True: {message}"]


def _events(walk: Walk) -> list[str]:
    found = [event for event in walk.cluster.list("Event") if event["reason"] == "Contested"]
    assert {event["type"] for event in found} <= {"Warning"}
    return [event["note"] for event in found]


def test_a_rival_that_replaces_whole_objects_is_told_and_slows_down_too(ready: Walk) -> None:
    with Rival(lambda: _replaces_the_configuration(ready.cluster)) as rival:
        message = ready.becomes("Stalled", "True", "Contested", seconds=5)
        assert message.startswith(f"ConfigMap air-bus: {_RIVAL} changes ")
    assert rival.deeds < _MOST_DEEDS


def test_a_rival_that_deletes_is_told_and_slows_down_too(ready: Walk) -> None:
    began = time.monotonic()
    with Rival(lambda: _deletes_the_service(ready.cluster)) as rival:
        message = ready.becomes("Stalled", "True", "Contested")
        assert message.startswith("Service air-mqtt: somebody deletes it each time it is made")
        _reaches(lambda: rival.deeds, 9)
        assert rival.deeds <= _most_times(time.monotonic() - began)
    ready.appears("Service", "air-mqtt")
    ready.becomes_ready()
    ready.settle()


def test_a_fight_ends_with_its_service(ready: Walk) -> None:
    """A new service of the same name begins without the old one's quarrels."""
    with Rival(lambda: _mounts_tokens(ready.cluster)):
        ready.becomes("Stalled", "True", "Contested")
    ready.end()
    eventually(lambda: _has_no_children(ready))
    ready.external()
    ready.becomes_ready()
    assert ready.condition("Stalled")["reason"] == "NothingInTheWay"


def _has_no_children(walk: Walk) -> None:
    assert walk.cluster.children() == {}


_TWO_PODS: Final = ({"replicas": 2}, {"replicas": 1}, "PodDisruptionBudget")
_BY_LOAD: Final = (
    {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}},
    {"autoscaling": None},
    "HorizontalPodAutoscaler",
)


@pytest.mark.parametrize(
    "option",
    [
        pytest.param(_TWO_PODS, id="pruned"),
        pytest.param(_BY_LOAD, id="ended"),
    ],
)
def test_who_changes_their_mind_is_no_rival(ready: Walk, option: tuple[Any, Any, str]) -> None:
    """An option is switched on and off: the operator itself deletes what is there for it, and makes it again."""
    on, off, kind = option
    for _ in range(next(times for times in count(1) if delay_seconds(times) > 0)):
        ready.change({"http": on})
        ready.appears(kind, "air-http")
        ready.becomes_ready()
        ready.change({"http": off})
        ready.disappears(kind, "air-http")
    ready.becomes_ready()
    assert ready.condition("Stalled")["reason"] == "NothingInTheWay"


def test_who_applies_without_force_is_told_whose_the_field_is(ready: Walk) -> None:
    with pytest.raises(ConflictError) as refused:
        ready.cluster.apply(_pinned(), field_manager=_RIVAL, force=False)
    told = str(refused.value.body)
    assert f'conflict with \\"{FIELD_MANAGER}\\"' in told
    assert '.spec.template.spec.containers[name=\\"frost-http\\"].image' in told.replace('\\\\\\"', '\\"')
    ready.settle()


def test_what_is_forced_once_is_taken_back_and_what_is_added_stays(ready: Walk) -> None:
    image, repairs = _image(ready.cluster), ready.operator.repairs("Deployment")
    ready.cluster.apply(_pinned(team="water"), field_manager=_RIVAL)

    def check() -> None:
        assert ready.operator.repairs("Deployment") == repairs + 1
        assert _image(ready.cluster) == image

    eventually(check)
    ready.becomes_ready()
    ready.settle()
    assert ready.cluster.require("Deployment", "air-http")["metadata"]["annotations"]["team"] == "water"
    assert ready.operator.repairs("Deployment") == repairs + 1
    assert ready.condition("Stalled")["reason"] == "NothingInTheWay", "once is no fight"
