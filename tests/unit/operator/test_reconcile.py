"""Whole passes against the fake API server: what they write, and what they leave when something fails."""

import asyncio
import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from sensorthings_operator.apply.events import Events
from sensorthings_operator.apply.finalizer import RELEASE
from sensorthings_operator.cataloguing import Cataloguing
from sensorthings_operator.clients.ckan import Ckan, CkanError
from sensorthings_operator.clients.ckan_entries import Published, PublishTarget
from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.datasets import DataRead, DataTarget
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.clients.users import Kept, User
from sensorthings_operator.conditions.auth import AuthReason, UsersReason
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.conditions.databasehosts import HostLook
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.publishing import PublishingReason
from sensorthings_operator.delivery import Delivery
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.desired.keycloak import RealmClient
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from sensorthings_operator.observe.catalogue import catalogue_probes
from sensorthings_operator.observe.databases import database_probes
from sensorthings_operator.observe.figures import FIGURES
from sensorthings_operator.observe.hosts import host_probes
from sensorthings_operator.observe.keycloak import keycloak_probes
from sensorthings_operator.observe.publishing import publishing_probes
from sensorthings_operator.observe.services import Services
from sensorthings_operator.observe.summaries import SUMMARIES
from sensorthings_operator.observe.users import users_probes
from sensorthings_operator.outside import Outside
from sensorthings_operator.publishing import Publishing
from sensorthings_operator.reconcile import Reconciler
from sensorthings_operator.reporting import Reporter
from tests.unit.catalogue.catalogued import DATA
from tests.unit.operator.fake_api import FakeApi
from tests.unit.operator.samples import SETTINGS, body, look, silent
from tests.unit.operator.virtual_time import on_virtual_time

if TYPE_CHECKING:
    from sensorthings_operator.clients.ckan_entries import CkanEntries
    from sensorthings_operator.clients.delivery import DeliveryChecks
    from sensorthings_operator.clients.keycloak import KeycloakClients
    from sensorthings_operator.clients.kubernetes import KubernetesClient

KEY = ("hamburg", "air")
SERVICE = ("SensorThingsService", "air")


class FakeKeycloak:
    """Has the clients of services, unless it is down."""

    def __init__(self) -> None:
        self.clients: set[str] = set()
        self.down = False

    async def ensure(self, _: KeycloakRealm, wanted: RealmClient) -> tuple[AuthReason, str]:
        if self.down:
            return AuthReason.UNREACHABLE, "no answer"
        self.clients.add(wanted.client_id)
        return AuthReason.READY, "there"

    async def remove(self, _: KeycloakRealm, wanted: RealmClient) -> bool:
        if self.down:
            raise KeycloakError(AuthReason.UNREACHABLE, "no answer")
        self.clients.discard(wanted.client_id)
        return True


class FakeEntries:
    """Has the entries of services in catalogues, by URL and name, unless one is down; stands for ``CkanEntries``."""

    def __init__(self) -> None:
        self.entries: dict[str, set[str]] = {}
        self.down = False
        self.asked: list[PublishTarget] = []

    async def ask(self, target: PublishTarget, _: Answer | None) -> Answer:
        self.asked.append(target)
        if self.down:
            return Published(holds=False, reason=PublishingReason.UNREACHABLE.value, message="no answer")
        former = {each.ckan.url for each in target.publications if each.former}
        for each in target.publications:
            self.entries[each.ckan.url] = {entry.name for entry in each.entries}
        return Published(holds=True, reason=PublishingReason.CURRENT.value, message="all", withdrawn=frozenset(former))

    async def withdraw(self, ckan: Ckan, _: str) -> None:
        if self.down:
            raise CkanError(PublishingReason.UNREACHABLE, "no answer")
        self.entries[ckan.url] = set()


class City:
    """An operator's parts, put together anew at each start, on one API server."""

    def __init__(self, spec: dict[str, Any] | None = None, settings: OperatorSettings = SETTINGS) -> None:
        self.api = FakeApi()
        self.keycloak = FakeKeycloak()
        self.settings = settings
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.looks: tuple[HostLook, ...] = (look(),)
        self.users: dict[str, User] = {}
        """In the database, by their names."""
        self.users_answer = UsersReason.READY
        self.ckan = FakeEntries()
        self.data: Answer = DataRead(True, CatalogueReason.PUBLISHED, "", summary=DATA)
        self.api.put(body(spec))
        self.start()

    def start(self) -> None:
        """Begin with empty hands, and list."""
        client = cast("KubernetesClient", self.api)
        self.events = Events(client, instance="test")
        self.services, self.store = Services(), OwnedStore(SUMMARIES, FIGURES)
        self.probes = database_probes(self._ask, changed=lambda _: None, interval_seconds=30)
        self.keycloak_probes = keycloak_probes(self.keycloak.ensure, changed=lambda _: None, interval_seconds=60)
        self.users_probes = users_probes(
            self._keep, changed=lambda _: None, repaired=lambda *_: None, interval_seconds=30
        )
        self.data_probes = catalogue_probes(self._describe, changed=lambda _: None, interval_seconds=3600)
        self.entries_probes = publishing_probes(self.ckan.ask, changed=lambda _: None, interval_seconds=3600)
        outside = Outside(
            client,
            self.settings,
            keycloak_clients=cast("KeycloakClients", self.keycloak),
            keycloak_probes=self.keycloak_probes,
            store=self.store,
            host_probes=host_probes(self._resolve, changed=lambda _: None),
            users_probes=self.users_probes,
            publishing=Publishing(
                client, self.settings, ckan=cast("CkanEntries", self.ckan), probes=self.entries_probes
            ),
        )
        self.reconciler = Reconciler(
            client,
            settings=self.settings,
            services=self.services,
            store=self.store,
            served=(),
            probes=self.probes,
            outside=outside,
            delivery=Delivery(
                client, self.store, self.settings, cast("DeliveryChecks", None), None, warn=lambda *_: None
            ),
            cataloguing=Cataloguing(client, self.store, self.settings, self.data_probes, now=lambda: self.now),
            reporter=Reporter(client, self.services, self.settings, events=self.events, now=lambda: self.now),
        )

    async def _resolve(self, _: str) -> frozenset[str]:
        return frozenset({"203.0.113.1"})

    async def _ask(self, _: DatabaseAddress, __: Credentials) -> tuple[HostLook, ...]:
        await asyncio.sleep(5)
        return self.looks

    async def _keep(self, _: DatabaseAddress, __: Credentials, users: tuple[User, ...]) -> Kept:
        await asyncio.sleep(1)
        if self.users_answer is UsersReason.READY:
            self.users = {user.name: user for user in users}
        return Kept(self.users_answer, "told")

    async def _describe(self, _: DataTarget) -> Answer:
        await asyncio.sleep(1)
        return self.data

    async def close(self) -> None:
        """Stop what was started."""
        await self.data_probes.close()
        await self.entries_probes.close()
        await self.probes.close()
        await self.keycloak_probes.close()
        await self.users_probes.close()

    async def look(self) -> float | None:
        """What the watches would have told by now, and a pass."""
        for (kind, _), live in self.api.objects.items():
            if kind == SERVICE[0]:
                self.services.put(copy.deepcopy(live))
            else:
                self.store.put(kind, live)
        later = await self.reconciler.reconcile(KEY)
        sending = asyncio.create_task(self.events.run())
        await self.events.drain(60)
        sending.cancel()
        return later

    def succeed(self) -> None:
        """Every workload is where its spec wants it."""
        for (kind, _), live in list(self.api.objects.items()):
            wanted = live.get("spec", {}).get("replicas", 0)
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
            if kind in ("Deployment", "StatefulSet"):
                self._status(live, {**counts, "observedGeneration": 1})
            if kind == "Job":
                self._status(live, {"conditions": [{"type": "Complete", "status": "True"}]})

    def lose_pods(self) -> None:
        """No pod of a module is ready any more."""
        for (kind, _), live in list(self.api.objects.items()):
            if kind == "Deployment":
                self._status(live, {**live["status"], "readyReplicas": 0, "availableReplicas": 0})

    def _status(self, live: dict[str, Any], status: dict[str, Any]) -> None:
        live["status"] = status
        self.api.touch(live)

    async def settle(self) -> None:
        """Until it is Ready."""
        for _ in range(6):
            await self.look()
            self.succeed()
            await asyncio.sleep(6)
        await self.look()
        assert self.conditions()["Ready"] == "True"

    def conditions(self) -> dict[str, str]:
        """Statuses by type."""
        return {c["type"]: c["status"] for c in self.api.objects[SERVICE]["status"]["conditions"]}


@on_virtual_time
async def test_a_settled_service_is_not_written_also_while_its_database_was_not_asked_yet() -> None:
    city = City()
    await city.settle()
    before = len(city.api.writes())
    await city.look()
    city.start()
    await city.look()
    assert city.api.writes()[before:] == [], "a start of the operator takes nobody for not ready"
    await asyncio.sleep(6)
    await city.look()
    assert city.api.writes()[before:] == []
    await city.close()


@on_virtual_time
async def test_a_restart_notices_a_database_that_went_meanwhile() -> None:
    city = City()
    await city.settle()
    city.start()
    city.looks = (silent(),)
    await city.look()
    assert city.conditions()["Ready"] == "True"
    await asyncio.sleep(36)
    await city.look()
    assert city.conditions()["DatabaseReachable"] == "False"
    assert city.conditions()["Ready"] == "False"
    await city.close()


@on_virtual_time
async def test_a_spec_that_changes_while_a_status_is_written_has_a_pass_of_its_own() -> None:
    city = City()
    await city.settle()
    live = city.api.objects[SERVICE]
    told: list[dict[str, Any]] = []

    def meanwhile(verb: str, kind: str, _name: str) -> None:
        if (verb, kind) == ("apply status", SERVICE[0]):
            live["spec"]["mqtt"] = {"replicas": 3}
            live["metadata"]["generation"] = 2
            city.api.touch(live)
            told.append(copy.deepcopy(live))

    city.api.fails = meanwhile
    city.lose_pods()
    await city.look()
    (changed,) = told
    assert city.services.put(changed) == {KEY}, "it is news, though the answer to the write has shown it"
    await city.close()


@on_virtual_time
async def test_an_event_says_who_changed_what_of_a_child_that_is_put_right() -> None:
    city = City()
    await city.settle()
    city.api.events.clear()
    live = city.api.objects["Deployment", "air-http"]
    (ours,) = live["metadata"]["managedFields"]
    taken: dict[str, Any] = {"f:spec": {"f:template": {}}}
    del ours["fieldsV1"]["f:spec"]["f:template"]
    live["metadata"]["managedFields"].append({"manager": "kubectl-edit", "operation": "Update", "fieldsV1": taken})
    city.api.touch(live)
    await city.look()
    (told,) = city.api.events
    assert told["reason"] == "Repaired"
    assert told["note"].startswith("kubectl-edit changed spec.template of Deployment air-http")
    city.api.calls.clear()
    await city.look()
    assert city.api.writes() == []
    await city.close()


@on_virtual_time
async def test_a_database_is_asked_at_once_when_pods_that_read_it_are_not_ready_any_more() -> None:
    city = City()
    await city.settle()
    city.start()
    city.looks = (silent(),)
    city.lose_pods()
    await city.look()
    await asyncio.sleep(5.1)
    await city.look()
    assert city.conditions()["DatabaseReachable"] == "False"
    await city.close()


@on_virtual_time
async def test_a_settled_pass_reads_the_secrets_and_nothing_else() -> None:
    city = City()
    await city.settle()
    city.api.calls.clear()
    await city.look()
    assert city.api.calls == [("get", "Secret", "air-db-credentials"), ("get", "Secret", "air-bus-certificates")]
    await city.close()


@on_virtual_time
async def test_the_old_answer_opens_no_gate() -> None:
    """A status that says reachable is of the past: a new migration asks first."""
    city = City()
    await city.settle()
    for key in [key for key in city.api.objects if key[0] == "Job"]:
        live = city.api.objects.pop(key)
        city.store.remove("Job", "hamburg", key[1], live["metadata"]["uid"])
    city.start()
    await city.look()
    assert not [key for key in city.api.objects if key[0] == "Job"]
    await asyncio.sleep(6)
    await city.look()
    assert [key for key in city.api.objects if key[0] == "Job"]
    await city.close()


@on_virtual_time
async def test_a_failed_pass_is_raised_for_the_queue_and_the_next_one_goes_on() -> None:
    city = City()
    city.api.fails = lambda verb, kind, _: ApiError(500, "", "etcd") if (verb, kind) == ("apply", "Service") else None
    with pytest.raises(ApiError):
        await city.look()
    city.api.fails = lambda *_: None
    await city.settle()
    await city.close()


@on_virtual_time
async def test_a_refused_child_is_told_and_tried_again() -> None:
    city = City()
    city.api.fails = lambda verb, kind, _: (
        ApiError(403, "Forbidden", "exceeded quota") if (verb, kind) == ("apply", "StatefulSet") else None
    )
    assert await city.look() == 30
    assert city.conditions()["Stalled"] == "True"
    city.api.fails = lambda *_: None
    await city.settle()
    assert city.conditions()["Stalled"] == "False"
    await city.close()


@on_virtual_time
async def test_a_deleted_service_gets_nothing_and_its_database_is_left_in_peace() -> None:
    city = City()
    await city.settle()
    live = city.api.objects[SERVICE]
    live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    city.api.touch(live)
    city.api.calls.clear()
    assert await city.look() is None
    assert city.api.calls == []
    assert not city.probes.asks(KEY)


@on_virtual_time
async def test_a_service_that_went_during_its_pass_is_no_error() -> None:
    city = City()
    city.services.put(city.api.objects.pop(SERVICE))
    city.api.fails = lambda verb, *_: NotFoundError(404, "NotFound", "gone") if verb == "apply status" else None
    await city.reconciler.reconcile(KEY)
    await city.close()


def _with_realm(folder: Path) -> OperatorSettings:
    for name in ("client-id", "client-secret"):
        (folder / name).write_text("operator")
    return OperatorSettings(
        keycloak_realms={"city": KeycloakRealm(url="https://id.example", realm="city", folder=folder)}
    )


_KEYCLOAK = {"auth": {"type": "Keycloak", "none": None, "keycloak": {"realm": "city"}}}
_CLIENT = "sensorthings-hamburg-air"


def _delete(city: City) -> None:
    live = city.api.objects[SERVICE]
    live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    city.api.touch(live)


@on_virtual_time
async def test_a_client_in_keycloak_is_made_and_goes_with_the_service(tmp_path: Path) -> None:
    city = City(_KEYCLOAK, _with_realm(tmp_path))
    await city.settle()
    assert city.keycloak.clients == {_CLIENT}
    assert city.conditions()["AuthConfigured"] == "True"
    assert city.api.objects[SERVICE]["metadata"]["finalizers"] == [RELEASE.name]
    city.api.calls.clear()
    await city.look()
    assert city.api.writes() == []

    _delete(city)
    assert await city.look() is None
    assert city.keycloak.clients == set()
    assert "finalizers" not in city.api.objects[SERVICE]["metadata"]
    assert not city.keycloak_probes.asks(KEY)
    await city.close()


@on_virtual_time
async def test_a_service_waits_ten_minutes_for_a_keycloak_that_is_away(tmp_path: Path) -> None:
    city = City(_KEYCLOAK, _with_realm(tmp_path))
    await city.settle()
    city.keycloak.down = True
    _delete(city)
    assert await city.look() == 5
    told = city.api.objects[SERVICE]["status"]["conditions"]
    assert [(c["reason"], "no answer" in c["message"]) for c in told if c["type"] == "Ready"] == [
        ("ReleaseWaiting", True)
    ]
    city.now += timedelta(minutes=11)
    assert await city.look() is None
    assert "finalizers" not in city.api.objects[SERVICE]["metadata"]
    assert [call for call in city.api.calls if call[1] == "Event"], "the status goes with the service"
    await city.close()


@on_virtual_time
async def test_what_is_orphaned_stays(tmp_path: Path) -> None:
    city = City({**_KEYCLOAK, "deletionPolicy": "Orphan"}, _with_realm(tmp_path))
    await city.settle()
    _delete(city)
    assert await city.look() is None
    assert city.keycloak.clients == {_CLIENT}
    await city.close()


@on_virtual_time
async def test_the_finalizer_goes_when_nothing_outside_is_wanted_any_more(tmp_path: Path) -> None:
    city = City(_KEYCLOAK, _with_realm(tmp_path))
    await city.settle()
    live = city.api.objects[SERVICE]
    live["spec"]["auth"] = {"type": "None", "none": {"allowAnonymousWrite": True}}
    live["metadata"]["generation"] = 2
    city.api.touch(live)
    await city.look()
    assert city.keycloak.clients == set()
    assert "finalizers" not in city.api.objects[SERVICE]["metadata"]
    assert "AuthConfigured" not in city.conditions()
    await city.close()


@on_virtual_time
async def test_no_module_starts_while_its_realm_is_not_known() -> None:
    city = City(_KEYCLOAK)
    for _ in range(4):
        await city.look()
        city.succeed()
        await asyncio.sleep(6)
    assert not [key for key in city.api.objects if key[0] == "Deployment"]
    assert city.conditions()["AuthConfigured"] == "False"
    assert city.conditions()["Stalled"] == "True"
    await city.close()


@on_virtual_time
async def test_certificates_of_a_bus_that_is_not_wanted_any_more_go_with_it() -> None:
    city = City()
    await city.settle()
    name = ("Secret", "air-bus-certificates")
    assert name in city.api.objects
    city.api.objects[SERVICE]["spec"]["bus"] = {"type": "External", "external": {"host": "bus.example"}}
    city.api.objects[SERVICE]["metadata"]["generation"] = 2
    city.api.touch(city.api.objects[SERVICE])
    city.start()
    await city.settle()
    assert name not in city.api.objects
    assert ("StatefulSet", "air-bus") not in city.api.objects
    await city.close()
