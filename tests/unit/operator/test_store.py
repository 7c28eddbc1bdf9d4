"""What is known of children and services: the newest, by service."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.owned import APPLIED_HASH_ANNOTATION, OwnedStore
from sensorthings_operator.desired.connector.feed import ROTATE_ANNOTATION
from sensorthings_operator.observe.connectors import Connectors
from sensorthings_operator.observe.services import Services
from tests.unit.operator.samples import body, child

_KEY = ("ConfigMap", "hamburg", "air-bus")


def _version(number: int, **metadata: Any) -> dict[str, Any]:
    return child(resourceVersion=str(number), annotations={APPLIED_HASH_ANNOTATION: str(number)}, **metadata)


@given(st.lists(st.tuples(st.integers(1, 99), st.sampled_from(["old", "new"])), min_size=1))
def test_an_older_version_never_wins(arrivals: list[tuple[int, str]]) -> None:
    """Applies answer before the watch tells, and events of a deleted namesake may come late."""
    store = OwnedStore({})
    newest = 0
    for number, uid in arrivals:
        store.put("ConfigMap", _version(number, uid=uid))
        newest = max(newest, number)
        known = store.get(*_KEY)
        assert known is not None
        assert known.resource_version == str(newest)


def test_the_end_of_a_namesake_is_not_its_successors() -> None:
    store = OwnedStore({})
    store.put("ConfigMap", _version(5, uid="new"))
    assert store.remove(*_KEY, "old") is None
    assert store.get(*_KEY) is not None
    removed = store.remove(*_KEY, "new")
    assert removed is not None
    assert store.get(*_KEY) is None


_NAMES = st.sampled_from(["one", "two", "three"])
_SERVICES = st.sampled_from(["air", "water"])
_STEPS = st.lists(st.tuples(st.booleans(), _NAMES, _SERVICES))


@given(_STEPS)
def test_the_index_by_service_agrees_with_the_objects(steps: list[tuple[bool, str, str]]) -> None:
    store = OwnedStore({})
    model: dict[str, str] = {}
    for number, (put, name, service) in enumerate(steps, start=1):
        if put:
            labels = {"sensorthings.city/service": service}
            store.put("ConfigMap", child(name=name, labels=labels, resourceVersion=str(number)))
            model[name] = service
        else:
            store.remove("ConfigMap", "hamburg", name, "c-1")
            model.pop(name, None)
    for service in ("air", "water"):
        found = {owned.name for owned in store.of_service(("hamburg", service))}
        assert found == {name for name, of in model.items() if of == service}
    assert sorted(known.name for known in store.of_kind("ConfigMap")) == sorted(model)


def test_an_owner_counts_more_than_a_label() -> None:
    """Whoever changes the label by hand wakes the service whose child it is."""
    store = OwnedStore({})
    owner = {"kind": "SensorThingsService", "name": "air", "uid": "s-1", "controller": True}
    changed = child(labels={"sensorthings.city/service": "water"}, ownerReferences=[owner])
    entry = store.put("ConfigMap", changed)
    assert entry is not None
    assert entry.service_key == ("hamburg", "air")
    pod = store.put("Pod", child("Pod", ownerReferences=[{**owner, "kind": "ReplicaSet", "name": "air-http-1"}]))
    assert pod is not None
    assert pod.service_key == ("hamburg", "air")


def test_what_tells_nothing_new_wakes_nobody() -> None:
    store = OwnedStore({"ConfigMap": lambda live: live.get("data")})
    assert store.put("ConfigMap", {**child(resourceVersion="1"), "data": {}}) is not None
    assert store.put("ConfigMap", {**child(resourceVersion="2"), "data": {}}) is None
    assert store.put("ConfigMap", {**child(resourceVersion="3"), "data": {"a": "b"}}) is not None


_SERVICE = ("hamburg", "air")


@given(st.lists(st.integers(1, 50), min_size=1))
def test_services_keep_the_newest_body(versions: list[int]) -> None:
    services = Services()
    for number in versions:
        services.put(body(resourceVersion=str(number)))
    live = services.get(_SERVICE)
    assert live is not None
    assert live["metadata"]["resourceVersion"] == str(max(versions))


def test_a_pass_is_worth_it_where_spec_status_or_identity_changed() -> None:
    services = Services()
    assert services.put(body(resourceVersion="1"))
    assert not services.put(body(resourceVersion="1"))
    assert not services.put(body(resourceVersion="2", labels={"team": "air"})), "labels are nothing to us"
    assert services.put(body(resourceVersion="3", generation=2))
    assert services.put({**body(resourceVersion="4", generation=2), "status": {"version": "2.0.0"}})
    assert services.put({**body(resourceVersion="5", generation=2), "status": {"version": "9"}})
    assert services.put(body(resourceVersion="6", generation=2, uid="another"))
    assert not services.put(body(resourceVersion="4", generation=1)), "its predecessor, late"


def _as_of(number: int, generation: int, *, written: bool) -> dict[str, Any]:
    made = body(resourceVersion=str(number), generation=generation)
    return {**made, "status": {"conditions": [{"written": number}]}} if written else made


def test_a_write_of_our_own_is_no_news() -> None:
    services = Services()
    services.put(_as_of(1, 1, written=False))
    services.wrote(_as_of(2, 1, written=True))
    assert not services.put(_as_of(2, 1, written=True))
    services.remove(_as_of(3, 1, written=True))
    services.wrote(_as_of(2, 1, written=True))
    assert list(services) == [], "gone before the answer to the write came"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1))
def test_whatever_we_write_meanwhile_each_change_of_a_spec_is_looked_at(history: list[tuple[bool, int]]) -> None:
    """The watch is behind by some events, and the answer to a write of our own already holds what they tell."""
    services, generation, untold, seen = Services(), 1, [_as_of(1, 1, written=False)], 0

    def tell(events: list[dict[str, Any]]) -> None:
        nonlocal seen
        for event in events:
            if services.put(event):
                live = services.get(_SERVICE)
                assert live is not None
                seen = live["metadata"]["generation"]

    for number, (ours, behind) in enumerate(history, start=2):
        generation += not ours
        untold.append(_as_of(number, generation, written=ours))
        if ours:
            services.wrote(untold[-1])
        told = max(0, len(untold) - behind)
        tell(untold[:told])
        del untold[:told]
    tell(untold)
    assert seen == generation


def _connector(number: int, *conditions: str, **annotations: str) -> dict[str, Any]:
    metadata = {"name": "loader", "namespace": "bikes", "uid": "c", "generation": 1, "resourceVersion": str(number)}
    told = [{"type": type_, "status": "True"} for type_ in conditions]
    return {"metadata": {**metadata, "annotations": annotations}, "status": {"conditions": told}}


@pytest.mark.parametrize(
    "theirs",
    [_connector(2, "TokenIssued"), _connector(2, **{ROTATE_ANNOTATION: "2"})],
    ids=["a condition of the token service", "an annotation"],
)
def test_what_others_changed_of_a_connector_is_news_also_after_a_write_of_our_own(theirs: dict[str, Any]) -> None:
    connectors = Connectors()
    connectors.put(_connector(1))
    ours = {**theirs, "metadata": {**theirs["metadata"], "resourceVersion": "3"}}
    connectors.wrote(ours)
    assert connectors.put(theirs) == {("bikes", "loader")}


def test_a_deleted_service_is_forgotten_unless_it_was_made_again() -> None:
    services = Services()
    services.put(body(uid="new", resourceVersion="5"))
    services.remove(body(uid="old", resourceVersion="4"))
    assert list(services) == [_SERVICE]
    services.remove(body(uid="new", resourceVersion="6"))
    assert list(services) == []
    assert services.get(_SERVICE) is None


def _asking(name: str, *, created: str, host: str = "air.example", version: str = "1", **more: Any) -> dict[str, Any]:
    made = body({"host": host, "exposure": {"type": "IngressNginx"}}, name=name, uid=name, resourceVersion=version)
    made["metadata"] |= {"creationTimestamp": created, **more}
    return made


def test_a_host_is_the_oldest_services_and_passes_on_when_that_goes() -> None:
    services = Services()
    older, younger = ("hamburg", "older"), ("hamburg", "younger")
    services.put(_asking("younger", created="2026-01-02T00:00:00Z"))
    assert services.holder_of_host(younger) == younger
    assert services.put(_asking("older", created="2026-01-01T00:00:00Z")) == {older, younger}
    assert services.holder_of_host(younger) == older
    going = _asking("older", created="2026-01-01T00:00:00Z", version="2", deletionTimestamp="2026-01-03T00:00:00Z")
    assert services.put(going) == {older, younger}
    assert services.holder_of_host(younger) == younger
    assert services.remove(going) == {older}


def test_a_service_that_changes_its_host_leaves_the_old_one_to_others() -> None:
    services = Services()
    services.put(_asking("older", created="2026-01-01T00:00:00Z"))
    services.put(_asking("younger", created="2026-01-02T00:00:00Z"))
    moved = _asking("older", created="2026-01-01T00:00:00Z", host="other.example", version="2", generation=2)
    assert services.put(moved) == {("hamburg", "older"), ("hamburg", "younger")}
    assert services.holder_of_host(("hamburg", "younger")) == ("hamburg", "younger")


def test_a_service_inside_the_cluster_asks_for_no_host() -> None:
    services = Services()
    services.put(body({"host": "air.example", "certificate": {"issuerRef": {"name": "x"}}}))
    assert services.holder_of_host(("hamburg", "air")) is None
