"""Who owns a Deployment's number of pods, and what becomes of it: the rules of the API server.

``apply/replicas.py`` stands on them, and ``tests/unit/operator/owning_api.py`` plays them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from kubernetes.dynamic.exceptions import ConflictError

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.reconcile.cluster import Cluster
    from tests.apiserver.reconcile.walk import Walk
    from tests.unit.api.examples import Manifest

_NAME: Final = "probe"
_OURS: Final = "sensorthings-operator"
_BETWEEN: Final = "sensorthings-operator-replicas"


def _number(replicas: int, **metadata: Any) -> Manifest:
    """The number of pods and nothing else."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": _NAME, **metadata},
        "spec": {"replicas": replicas},
    }


def _whole(replicas: int | None = None, **metadata: Any) -> Manifest:
    """A Deployment, with or without a number."""
    labels = {"app": _NAME}
    containers = [{"name": _NAME, "image": "example.org/probe:1"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {} if replicas is None else {"replicas": replicas}
    return {**_number(0, **metadata), "spec": {**spec, "selector": {"matchLabels": labels}, "template": template}}


@pytest.fixture
def cluster(walk: Walk) -> Cluster:
    """With a Deployment of three pods that is no child of anybody."""
    walk.cluster.apply(_whole(3), field_manager=_OURS)
    return walk.cluster


def _asked(cluster: Cluster) -> int:
    return int(cluster.require("Deployment", _NAME)["spec"]["replicas"])


def _scale(cluster: Cluster, number: int) -> None:
    cluster.patch("Deployment", _NAME, {"spec": {"replicas": number}}, subresource="scale")


def test_a_number_that_its_last_owner_drops_is_reset(cluster: Cluster) -> None:
    cluster.apply(_whole(), field_manager=_OURS)
    assert _asked(cluster) == 1


def test_a_number_that_somebody_else_owns_too_stays(cluster: Cluster) -> None:
    cluster.apply(_number(3), field_manager=_BETWEEN, force=False)
    cluster.apply(_whole(), field_manager=_OURS)
    assert _asked(cluster) == 3


def test_who_scales_owns_and_nobody_else_does(cluster: Cluster) -> None:
    cluster.apply(_number(3), field_manager=_BETWEEN, force=False)
    _scale(cluster, 7)
    cluster.apply(_whole(), field_manager=_OURS)
    assert _asked(cluster) == 7


def test_another_number_without_force_is_a_conflict(cluster: Cluster) -> None:
    _scale(cluster, 7)
    with pytest.raises(ConflictError):
        cluster.apply(_number(3), field_manager=_BETWEEN, force=False)
    assert _asked(cluster) == 7


def test_what_was_read_before_somebody_scaled_is_a_conflict(cluster: Cluster) -> None:
    read = cluster.require("Deployment", _NAME)["metadata"]["resourceVersion"]
    _scale(cluster, 7)
    with pytest.raises(ConflictError):
        cluster.apply(_number(4, resourceVersion=read), field_manager=_BETWEEN)
    assert _asked(cluster) == 7


def test_with_the_uid_of_one_that_is_gone_none_is_made(cluster: Cluster) -> None:
    read = cluster.require("Deployment", _NAME)["metadata"]["uid"]
    cluster.delete("Deployment", _NAME)

    def gone() -> None:
        assert cluster.get("Deployment", _NAME) is None

    eventually(gone)
    with pytest.raises(ConflictError):
        cluster.apply(_whole(uid=read), field_manager=_OURS)
    gone()
