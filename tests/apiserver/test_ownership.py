"""Who owns a field and what becomes of it: rules of the API server on which ``apply`` is built; no operator is there.

What several own at once is in ``test_shared_ownership``.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

import pytest
from kubernetes.dynamic.exceptions import ConflictError

from sensorthings_operator.apply.ownership import applied_fields, lost_fields, who_took
from sensorthings_operator.clients.resources import WATCHED_CHILDREN
from tests.apiserver.probes import PROBES, probe
from tests.apiserver.reconcile.waiting import eventually
from tests.unit.api.examples import patched

if TYPE_CHECKING:
    from tests.apiserver.reconcile.cluster import Cluster
    from tests.unit.api.examples import Manifest

pytestmark = pytest.mark.usefixtures("crds")

_OURS: Final = "sensorthings-operator"
_OLDER_THAN_ANY: Final = "1"
_every_kind = pytest.mark.parametrize("kind", PROBES)
_forced_or_not = pytest.mark.parametrize("force", [True, False], ids=["forced", "not forced"])


def _is_gone(cluster: Cluster, kind: str, name: str) -> None:
    assert cluster.get(kind, name) is None


def _deleted(cluster: Cluster, kind: str, name: str) -> str:
    """The uid of an object that was there."""
    cluster.apply(probe(kind, name), field_manager=_OURS)
    uid = cluster.require(kind, name)["metadata"]["uid"]
    cluster.delete(kind, name)
    eventually(lambda: _is_gone(cluster, kind, name))
    return str(uid)


def _fields(live: Manifest, manager: str = _OURS) -> Any:
    return applied_fields(live["metadata"], manager)


def test_every_kind_that_is_watched_is_tried_here() -> None:
    assert {resource.kind for resource in WATCHED_CHILDREN} == set(PROBES) - {"Secret", "SensorThingsService"}


# Drift is visible in managedFields alone.


@_every_kind
def test_what_was_applied_is_ours_until_somebody_changes_it(cluster: Cluster, kind: str, name: str) -> None:
    manifest = probe(kind, name)
    cluster.apply(manifest, field_manager=_OURS)
    assert lost_fields(manifest, _fields(cluster.require(kind, name))) == []

    cluster.patch(kind, name, PROBES[kind].change)
    lost, took = who_took(manifest, cluster.require(kind, name)["metadata"], _OURS)
    assert lost == [PROBES[kind].path]
    assert "somebody" in took


@_every_kind
def test_a_changed_annotation_stands_with_who_changed_it(cluster: Cluster, kind: str, name: str) -> None:
    manifest = probe(kind, name)
    cluster.apply(manifest, field_manager=_OURS)
    cluster.patch(kind, name, {"metadata": {"annotations": {"ours": "2"}}})
    lost, took = who_took(manifest, cluster.require(kind, name)["metadata"], _OURS)
    assert lost == ["metadata.annotations.ours"]
    assert "somebody" in took


@_every_kind
def test_what_is_removed_leaves_our_entry_and_what_is_added_changes_nothing_in_it(
    cluster: Cluster, kind: str, name: str
) -> None:
    manifest = probe(kind, name)
    cluster.apply(manifest, field_manager=_OURS)
    before = _fields(cluster.require(kind, name))
    cluster.patch(kind, name, {"metadata": {"labels": {"theirs": "1"}}})
    assert _fields(cluster.require(kind, name)) == before

    cluster.patch(kind, name, {"metadata": {"labels": {"ours": None}}})
    assert lost_fields(manifest, _fields(cluster.require(kind, name))) == ["metadata.labels.ours"]


def test_what_was_changed_and_changed_back_is_not_ours_any_more(cluster: Cluster, name: str) -> None:
    manifest = probe("ConfigMap", name)
    cluster.apply(manifest, field_manager=_OURS)
    for value in ("theirs", "ours"):
        cluster.patch("ConfigMap", name, {"data": {"key": value}})
    assert lost_fields(manifest, _fields(cluster.require("ConfigMap", name))) == ["data.key"]


def test_a_patch_that_changes_nothing_takes_nothing(cluster: Cluster, name: str) -> None:
    manifest = probe("ConfigMap", name)
    cluster.apply(manifest, field_manager=_OURS)
    cluster.patch("ConfigMap", name, {"data": {"key": "ours"}})
    live = cluster.require("ConfigMap", name)
    assert who_took(manifest, live["metadata"], _OURS) == ([], [])


# Objects that are not there.


@_every_kind
def test_with_the_uid_of_one_that_is_gone_none_is_made(cluster: Cluster, kind: str, name: str) -> None:
    uid = _deleted(cluster, kind, name)
    with pytest.raises(ConflictError):
        cluster.apply(probe(kind, name, uid=uid), field_manager=_OURS)
    assert cluster.get(kind, name) is None


@_every_kind
def test_without_a_uid_one_is_made(cluster: Cluster, kind: str, name: str) -> None:
    uid = _deleted(cluster, kind, name)
    cluster.apply(probe(kind, name), field_manager=_OURS)
    assert cluster.require(kind, name)["metadata"]["uid"] != uid


@_every_kind
@_forced_or_not
def test_with_a_version_older_than_any_one_is_made_where_none_is(
    cluster: Cluster, kind: str, name: str, force: bool
) -> None:
    manifest = probe(kind, name, resourceVersion=_OLDER_THAN_ANY)
    cluster.apply(manifest, field_manager=_OURS, force=force)
    assert lost_fields(manifest, _fields(cluster.require(kind, name))) == []


@_every_kind
@_forced_or_not
def test_with_a_version_older_than_any_one_that_is_there_is_left_alone(
    cluster: Cluster, kind: str, name: str, force: bool
) -> None:
    theirs = patched(probe(kind, name), PROBES[kind].change)
    cluster.apply(theirs, field_manager="somebody")
    before = _without_status(cluster.require(kind, name))
    for manifest in (probe(kind, name, resourceVersion=_OLDER_THAN_ANY), {**theirs, "metadata": {"name": name}}):
        late = patched(manifest, {"metadata": {"resourceVersion": _OLDER_THAN_ANY}})
        with pytest.raises(ConflictError):
            cluster.apply(late, field_manager=_OURS, force=force)
    assert _without_status(cluster.require(kind, name)) == before


def _without_status(live: Manifest) -> Manifest:
    """Without what controllers write by themselves while a test runs."""
    said = deepcopy({key: value for key, value in live.items() if key != "status"})
    said["metadata"].pop("resourceVersion")
    said["metadata"]["annotations"].pop("deployment.kubernetes.io/revision", None)
    entries = said["metadata"].pop("managedFields")
    said["entries"] = [entry for entry in entries if entry["manager"] != "kube-controller-manager"]
    return said


@_forced_or_not
def test_one_that_is_being_deleted_is_there_too(cluster: Cluster, name: str, force: bool) -> None:
    cluster.create(probe("ConfigMap", name, finalizers=["example.org/wait"]))
    cluster.delete("ConfigMap", name)
    before = cluster.require("ConfigMap", name)
    with pytest.raises(ConflictError):
        cluster.apply(probe("ConfigMap", name, resourceVersion=_OLDER_THAN_ANY), field_manager=_OURS, force=force)
    assert cluster.require("ConfigMap", name) == before
    cluster.patch("ConfigMap", name, {"metadata": {"finalizers": None}})


# What is applied no longer is given up.


@_every_kind
def test_a_label_that_is_applied_no_longer_goes_unless_somebody_has_it_too(
    cluster: Cluster, kind: str, name: str
) -> None:
    cluster.apply(probe(kind, name), field_manager=_OURS)
    identity = {"apiVersion": PROBES[kind].api_version, "kind": kind}
    cluster.apply({**identity, "metadata": {"name": name, "labels": {"kept": "1"}}}, field_manager="other")
    cluster.apply(probe(kind, name, labels={}), field_manager=_OURS)
    assert cluster.require(kind, name)["metadata"]["labels"] == {"kept": "1"}
