"""Which database serves while another one is restored: the former one, until the other one is there and ready."""

from typing import Any, Final

import orjson
import pytest

from sensorthings_operator.apply.status import build
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.observe import managed, restores
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.backed_up import NOW, backed_up, children_of
from tests.unit.operator.samples import SETTINGS, body, child, observed, service

_LABELS: Final = {"sensorthings.city/service": "air"}
_SAID: Final = orjson.dumps({"label": "x", "observations": 3}).decode()
_SWITCHED: Final = backed_up(restore={"name": "r1"}, serving="r1")
_SERVED: Final = {"version": "2.0.0"}
_SERVED_BY_R1: Final = {"version": "2.0.0", "database": {"serving": "r1"}}
_RESTORED: Final = {"version": "2.0.0", "database": {"restored": {"name": "r1"}}}


def _store(*, former: int | None = 1, wanted: int | None = None, ready: int = 0, restored: bool = False) -> OwnedStore:
    """What runs: replicas of the former database and of the one that shall serve, and what the latter's pod said."""
    store = OwnedStore(SUMMARIES)
    for name, number, there in (("air-db", former, former), ("air-db-r1", wanted, ready)):
        if number is not None:
            live = {"spec": {"replicas": number}, "status": {"readyReplicas": there}}
            store.put("StatefulSet", {**child("StatefulSet", name, labels=_LABELS, uid=name), **live})
    if restored:
        over = {"exitCode": 0, "finishedAt": "2026-11-23T02:00:00Z", "message": _SAID}
        labels = {**_LABELS, "app.kubernetes.io/component": "database-r1"}
        containers = [{"name": "restore", "env": [{"name": "STANZA", "value": "air-db-r1"}]}]
        statuses = [{"name": "restore", "image": "x", "state": {"terminated": over}}]
        live = {"spec": {"initContainers": containers}, "status": {"initContainerStatuses": statuses}}
        store.put("Pod", {**child("Pod", "air-db-r1-0", labels=labels), **live})
    return store


def _held(spec: Manifest, status: Manifest, **there: Any) -> str | None:
    return restores.held(_store(**there), service(spec), {**body(spec), "status": status})


@pytest.mark.parametrize(
    "there",
    [
        {},
        {"wanted": 1},
        {"wanted": 1, "restored": True},
        {"wanted": 1, "ready": 1},
        {"former": 0, "wanted": 0},
    ],
    ids=["begun", "restoring", "starting", "another one of the name", "hibernated"],
)
def test_the_former_one_serves_until_the_other_one_is_restored_and_ready(there: dict[str, Any]) -> None:
    assert _held(_SWITCHED, _SERVED, **there) == ""


def test_then_the_other_one_does() -> None:
    assert _held(_SWITCHED, _SERVED, wanted=1, ready=1, restored=True) is None
    assert _held(_SWITCHED, _RESTORED, wanted=1, ready=1) is None, "its pod said so before it started anew"


def test_it_goes_on_when_it_is_away_for_a_moment() -> None:
    assert _held(_SWITCHED, _SERVED_BY_R1, wanted=1) is None
    assert _held(_SWITCHED, _SERVED, former=0, wanted=1) is None, "switched by a pass that could not say so"


def test_in_a_new_cluster_there_is_none_to_wait_with() -> None:
    assert _held(_SWITCHED, {}, former=None) is None
    assert _held(_SWITCHED, {"conditions": []}, former=None, wanted=1) is None


def test_back_is_at_once() -> None:
    assert _held(backed_up(restore={"name": "r1"}), _SERVED_BY_R1, former=0, wanted=1, ready=1) is None


@pytest.mark.parametrize("more", [{}, {"restore": {"name": "r2", "source": "r7"}}], ids=["no restore", "another one"])
def test_a_name_under_which_nothing_was_restored_never_serves(more: Manifest) -> None:
    """Its volume is empty or half written: a new and empty database would come up."""
    assert _held(backed_up(serving="r1", **more), _SERVED) == ""
    assert _held(backed_up(serving="r1", **more), _SERVED_BY_R1) is None


def test_while_it_waits_everything_is_as_before() -> None:
    """FROST-Server, backups and the former database's pods know nothing of it."""
    before = children_of(backed_up(restore={"name": "r1"}))
    waiting = children_of(_SWITCHED, serving="")
    assert waiting == before
    seen = service(_SWITCHED, serving="")
    assert addresses.database_address(seen, SETTINGS).endpoints[0].host.startswith("air-db-primary.")


def test_the_status_says_who_serves() -> None:
    def status(**fields: Any) -> Manifest:
        seen = observed(service=service(_SWITCHED, **fields))
        database: Manifest = build(body(), seen, evaluate(seen), (), NOW).get("database", {})
        return database

    assert status()["serving"] == "r1"
    assert "serving" not in status(serving="")


def test_pods_are_told_what_was_restored_and_so_do_not_restore_it_again() -> None:
    """By a file in a ConfigMap that starts no pod anew when it changes."""
    spec = backed_up(restore={"name": "r1"})

    def prepared(store: OwnedStore, status: Manifest) -> str:
        live = {**body(spec), "status": status}
        made = managed.prepared(store, service(spec), live, answer=None, keys_missing=False, now=NOW)
        return str(children_of(spec, restored=made.restored)["ConfigMap", "air-backup"]["data"]["restored"])

    assert prepared(_store(wanted=1), _SERVED).split() == []
    assert prepared(_store(wanted=1, restored=True), _SERVED) == "air-db-r1\n"
    assert prepared(_store(wanted=1), _RESTORED) == "air-db-r1\n"
    told, untold = (children_of(spec, restored=name)["StatefulSet", "air-db-r1"] for name in ("r1", ""))
    assert told == untold
    (container,) = told["spec"]["template"]["spec"]["initContainers"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    (path,) = (each["value"] for each in container["env"] if each["name"] == "RESTORED")
    assert path.rpartition("/")[0] in mounted
