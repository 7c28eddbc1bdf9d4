"""One child at a time: what is sent, what is left, what is refused, and what goes."""

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from sensorthings_operator.apply.children import Children
from sensorthings_operator.apply.outcome import Outcome
from sensorthings_operator.apply.owners import OwnerGoneError
from sensorthings_operator.apply.secrets import Secrets
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.desired import HTTP, bus, database, http, stage_children
from sensorthings_operator.desired.metadata import FIELD_MANAGER, Manifest
from tests.unit.operator.fake_api import FakeApi, names_of
from tests.unit.operator.samples import SETTINGS, UID, body, service
from tests.unit.operator.virtual_time import on_virtual_time

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

MANIFESTS = bus.build(service(), SETTINGS)
CONFIG = MANIFESTS[0]
(SECRET,) = database.secrets(service(), SETTINGS)


@pytest.fixture
def store() -> OwnedStore:
    return OwnedStore({})


@pytest.fixture
def told() -> list[str]:
    """What was put right."""
    return []


@pytest.fixture
def children(api: FakeApi, store: OwnedStore, told: list[str]) -> Children:
    client = cast("KubernetesClient", api)
    return Children(client, store, repaired=lambda child, _: told.append(child["metadata"]["name"]))


def _drifted(api: FakeApi, store: OwnedStore) -> None:
    """Somebody took the data over: it is no longer among our fields."""
    live = api.objects["ConfigMap", "air-bus"]
    for entry in live["metadata"]["managedFields"]:
        del entry["fieldsV1"]["f:data"]
    api.touch(live)
    store.put("ConfigMap", live)


def _relabelled(manifest: Manifest) -> Manifest:
    metadata: Manifest = manifest["metadata"]
    return {**metadata, "labels": {**metadata["labels"], "changed": "true"}}


@on_virtual_time
async def test_what_is_there_is_not_sent_again(children: Children, api: FakeApi) -> None:
    assert (await children.apply(CONFIG)).outcome is Outcome.CREATED
    before = len(api.calls)
    assert (await children.apply(CONFIG)).outcome is Outcome.UNCHANGED
    assert len(api.calls) == before


@on_virtual_time
@pytest.mark.parametrize("manifest", [CONFIG, SECRET], ids=["child", "secret"])
@pytest.mark.parametrize("end", ["gone", "made anew", "deleted"])
async def test_children_of_a_service_that_went_are_not_made_again(
    children: Children, api: FakeApi, store: OwnedStore, manifest: Manifest, end: str
) -> None:
    secrets = Secrets(cast("KubernetesClient", api), store, children.owners)
    if end == "gone":
        del api.objects["SensorThingsService", "air"]
    elif end == "made anew":
        api.put(body(), uid="another")
    else:
        api.put(body(), uid=UID, deletionTimestamp="2026-01-01T00:00:00Z")
    with pytest.raises(OwnerGoneError):
        await (children.apply if manifest is CONFIG else secrets.apply)(manifest)
    assert api.writes() == []


@on_virtual_time
async def test_a_service_is_looked_for_once_in_a_pass(children: Children, api: FakeApi) -> None:
    with children.owners.in_pass(UID, is_new=False):
        await children.apply_all(MANIFESTS[:1])
        await children.apply_all(MANIFESTS[1:])
    assert api.calls.count(("get", "SensorThingsService", "air")) == 1

    del api.objects["SensorThingsService", "air"]
    with pytest.raises(OwnerGoneError), children.owners.in_pass(UID, is_new=False):
        await children.apply(stage_children(HTTP, service(), SETTINGS)[0])


@on_virtual_time
async def test_children_that_are_made_side_by_side_look_for_their_service_once(
    children: Children, api: FakeApi
) -> None:
    with children.owners.in_pass(UID, is_new=False):
        await children.apply_all(MANIFESTS)
    assert api.calls.count(("get", "SensorThingsService", "air")) == 1


@on_virtual_time
async def test_children_of_a_new_service_are_made_without_a_look(children: Children, api: FakeApi) -> None:
    """Each look costs the API server nearly as much as the child."""
    with children.owners.in_pass(UID, is_new=True):
        await children.apply_all(MANIFESTS)
    assert {call[0] for call in api.calls} == {"apply"}


@on_virtual_time
async def test_what_changed_is_sent_and_what_drifted_is_repaired(
    children: Children, api: FakeApi, store: OwnedStore
) -> None:
    await children.apply(CONFIG)
    changed = {**CONFIG, "data": {"mosquitto.conf": "other"}}
    assert (await children.apply(changed)).outcome is Outcome.UPDATED
    _drifted(api, store)
    assert (await children.apply(changed)).outcome is Outcome.REPAIRED
    assert (await children.apply(changed)).outcome is Outcome.UNCHANGED


@on_virtual_time
async def test_what_was_put_right_is_told_also_where_a_child_beside_it_fails(
    children: Children, api: FakeApi, store: OwnedStore, told: list[str]
) -> None:
    await children.apply_all(MANIFESTS)
    _drifted(api, store)
    changed = [CONFIG, *({**manifest, "metadata": _relabelled(manifest)} for manifest in MANIFESTS[1:])]
    api.fails = lambda verb, kind, _: (
        ApiError(500, "InternalError", "etcd") if (verb, kind) == ("apply", "StatefulSet") else None
    )
    with pytest.raises(ApiError, match="etcd"):
        await children.apply_all(changed)
    assert told == ["air-bus"]


@on_virtual_time
async def test_an_object_of_somebody_else_is_refused_and_not_written(children: Children, api: FakeApi) -> None:
    before = api.put({**CONFIG, "metadata": {"name": "air-bus"}})
    result = await children.apply(CONFIG)
    assert (result.outcome, result.reason) == (Outcome.REFUSED, "NameTaken")
    assert api.objects["ConfigMap", "air-bus"] == before


@on_virtual_time
async def test_an_object_that_took_the_name_of_ours_a_moment_ago_is_left_alone(
    children: Children, api: FakeApi
) -> None:
    """The watch has not told of it yet."""
    await children.apply(CONFIG)
    theirs = api.put({**CONFIG, "metadata": {"name": "air-bus"}}, uid="theirs")
    with pytest.raises(ApiError, match="another uid"):
        await children.apply({**CONFIG, "data": {"mosquitto.conf": "other"}})
    assert api.objects["ConfigMap", "air-bus"] == theirs


@on_virtual_time
async def test_a_child_of_a_deleted_namesake_is_waited_for(children: Children, api: FakeApi) -> None:
    owner = {**CONFIG["metadata"]["ownerReferences"][0], "uid": "old"}
    before = api.put({**CONFIG, "metadata": {**CONFIG["metadata"], "ownerReferences": [owner]}}, FIELD_MANAGER)
    with pytest.raises(ApiError, match="deleted service of the same name"):
        await children.apply(CONFIG)
    assert api.objects["ConfigMap", "air-bus"] == before


@on_virtual_time
async def test_a_child_that_lost_its_owner_is_taken_back(children: Children, api: FakeApi) -> None:
    metadata = {key: value for key, value in CONFIG["metadata"].items() if key != "ownerReferences"}
    api.put({**CONFIG, "metadata": metadata}, FIELD_MANAGER)
    assert (await children.apply(CONFIG)).outcome is Outcome.CREATED
    assert api.objects["ConfigMap", "air-bus"]["metadata"]["ownerReferences"][0]["uid"] == UID


@on_virtual_time
async def test_a_lasting_refusal_is_a_result_and_a_passing_one_is_raised(children: Children, api: FakeApi) -> None:
    api.fails = lambda verb, *_: ApiError(403, "Forbidden", "exceeded quota") if verb == "apply" else None
    result = await children.apply(CONFIG)
    assert (result.outcome, result.reason, result.message) == (Outcome.REFUSED, "ApplyRefused", "exceeded quota")
    api.fails = lambda verb, *_: ApiError(500, "InternalError", "etcd") if verb == "apply" else None
    with pytest.raises(ApiError, match="etcd"):
        await children.apply(CONFIG)


@on_virtual_time
async def test_drift_that_an_apply_can_not_heal_is_merged_away_first(
    children: Children, api: FakeApi, store: OwnedStore
) -> None:
    await children.apply(CONFIG)
    _drifted(api, store)
    invalid = [ApiError(422, "Invalid", "duplicate")]
    api.fails = lambda verb, *_: invalid.pop() if verb == "apply" and invalid else None
    assert (await children.apply(CONFIG)).outcome is Outcome.REPAIRED
    assert [verb for verb, _, _ in api.writes()][-4:] == ["apply", "merge", "apply", "merge"]


@on_virtual_time
async def test_what_was_never_valid_is_not_merged(children: Children, api: FakeApi) -> None:
    api.fails = lambda verb, *_: ApiError(422, "Invalid", "wrong") if verb == "apply" else None
    assert (await children.apply(CONFIG)).outcome is Outcome.REFUSED
    assert "merge" not in {verb for verb, _, _ in api.calls}


@on_virtual_time
async def test_nothing_is_on_its_way_after_a_failure(children: Children, api: FakeApi) -> None:
    """Or two passes of one service would write at the same time."""
    first = MANIFESTS[0]["metadata"]["name"]
    api.fails = lambda verb, kind, name: (
        ApiError(500, "", "etcd") if (verb, kind, name) == ("apply", "ConfigMap", first) else None
    )
    with pytest.raises(ApiError):
        await children.apply_all([*MANIFESTS, *http.build(service(), SETTINGS)])
    assert api.running == 0
    before = len(api.calls)
    await asyncio.sleep(10)
    assert len(api.calls) == before
    assert ("Deployment", "air-http") in api.objects


@on_virtual_time
async def test_pruned_is_what_is_ours_and_no_longer_wanted(children: Children, api: FakeApi, store: OwnedStore) -> None:
    await children.apply_all(MANIFESTS)
    key = ("hamburg", "air")
    labels = {"labels": CONFIG["metadata"]["labels"]}
    owner = {"ownerReferences": CONFIG["metadata"]["ownerReferences"]}
    for name, metadata, manager in (
        ("owned", {**labels, **owner}, "somebody"),
        ("labelled", labels, FIELD_MANAGER),
        ("stale", {**labels, **owner}, FIELD_MANAGER),
    ):
        manifest = {**CONFIG, "metadata": {"name": name, "namespace": "hamburg", **metadata}}
        store.put("ConfigMap", api.put(manifest, manager))
    assert await children.prune("another owner", key, []) == []
    pruned = await children.prune(UID, key, names_of(MANIFESTS))
    assert [(result.kind, result.name) for result in pruned] == [("ConfigMap", "stale")]
    assert await children.prune(UID, key, names_of(MANIFESTS)) == [], "gone already, and not yet known to be"
