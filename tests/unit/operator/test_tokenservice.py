"""The token service: what it mints, keeps and takes away, and who gets a token at the door."""

import heapq
import math
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.apply import authority
from sensorthings_operator.apply.authority import Pair
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.clients.keycloak_realm import AccessToken
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.desired.connector.client import ConnectorClient, clients
from sensorthings_operator.desired.connector.feed import ROTATE_ANNOTATION, Connector, Feed
from sensorthings_operator.desired.settings import KeycloakRealm
from sensorthings_operator.observe.connectors import Connectors
from sensorthings_operator.tokenservice import passes, status
from sensorthings_operator.tokenservice.door import Door
from sensorthings_operator.tokenservice.held import HeldToken
from sensorthings_operator.tokenservice.keys import CA, CERTIFICATE, DoorKeys, Visitor
from sensorthings_operator.tokenservice.minting import AGAIN_SECONDS, Mint
from sensorthings_operator.tokenservice.secrets import ForeignSecretError, TokenSecrets
from sensorthings_operator.tokenservice.turns import Turns
from tests.unit.operator.connecting import CONNECTOR_UID, KEYCLOAK, body, connector, feed, jwt
from tests.unit.operator.samples import SETTINGS
from tests.unit.operator.samples import body as service_body

if TYPE_CHECKING:
    from sensorthings_operator.apply.events import Events
    from sensorthings_operator.clients.keycloak import KeycloakClients
    from sensorthings_operator.clients.kubernetes import KubernetesClient

_SERVICE = "sensorthings-hamburg-air"
_REALM = KeycloakRealm(url="https://id.city.example", realm="city", folder=Path("/nowhere"))
_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Api:
    """Secrets in memory."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}
        self.reads = self.writes = 0

    async def get(self, _: object, __: str, name: str) -> dict[str, Any]:
        self.reads += 1
        if name not in self.secrets:
            raise NotFoundError(404, "NotFound", "there is none")
        return self.secrets[name]

    async def apply(self, manifest: dict[str, Any], **_: object) -> dict[str, Any]:
        self.writes += 1
        name = manifest["metadata"]["name"]
        uid = self.secrets[name]["metadata"]["uid"] if name in self.secrets else f"s{self.writes}"
        if manifest["metadata"].get("uid", uid) != uid:
            raise ApiError(409, "Conflict", "uid mismatch")
        self.secrets[name] = {**manifest, "metadata": {**manifest["metadata"], "uid": uid}}
        return self.secrets[name]

    async def delete(self, _: object, __: str, name: str, *, uid: str) -> None:
        assert self.secrets.pop(name)["metadata"]["uid"] == uid


class Realm:
    """A Keycloak that gives tokens, or does not."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.fails: KeycloakError | None = None
        self.roles: list[str] | None = None
        self.minted: list[str] = []
        self.kept: list[set[str]] = []
        self.shared: list[bool] = []
        self.fails_to_list: KeycloakError | None = None

    async def token(self, _: KeycloakRealm, wanted: ConnectorClient) -> AccessToken:
        if self.fails is not None:
            raise self.fails
        self.minted.append(wanted.client_id)
        roles = list(wanted.asked_roles) if self.roles is None else self.roles
        return AccessToken(jwt(wanted.client_id, wanted.service_client, roles, self.now), 300)

    async def remove_others(
        self, _: KeycloakRealm, uid: str, prefix: str, keep: Sequence[str], *, shared: bool = False
    ) -> None:
        self.shared.append(shared)
        problem = self.fails or self.fails_to_list
        if problem is not None:
            raise problem
        assert (uid, prefix) == (CONNECTOR_UID, "connector-hamburg-loader")
        self.kept.append(set(keep))


class City:
    """A token service of one connector."""

    def __init__(self) -> None:
        self.api, self.realm = Api(), Realm()
        self.restart()

    def restart(self) -> None:
        self.secrets = TokenSecrets(cast("KubernetesClient", self.api))
        self.mint = Mint(cast("KeycloakClients", self.realm), self.secrets, clock=lambda: self.realm.now)

    async def keep(self, given: Feed, annotations: Mapping[str, str] | None = None) -> Any:
        return await self.mint.keep(given.connector, _REALM, clients(given, annotations or {}))


@pytest.fixture
def city() -> City:
    return City()


async def test_a_token_is_minted_once_and_again_before_half_of_its_life_is_over(city: City) -> None:
    minted = await city.keep(feed())
    assert minted.problem is None
    assert 0 <= minted.look_again(city.realm.now) <= 150
    (secret,) = city.api.secrets.values()
    assert secret["metadata"]["name"] == "loader-token"
    assert secret["metadata"]["ownerReferences"][0]["uid"] == CONNECTOR_UID
    assert set(secret["data"]) == {"token"}
    city.restart()
    for _ in range(2):
        found = await city.keep(feed())
        assert 120 <= found.look_again(city.realm.now) <= 150
        assert len(city.realm.minted) == 1, "it is good, also for one who finds it in the Secret"
    city.realm.now += 150
    again = await city.keep(feed())
    assert 120 <= again.look_again(city.realm.now) <= 150
    assert len(city.realm.minted) == 2
    assert again.tokens[""].expires == pytest.approx(1450)
    assert city.api.writes == 2


@given(st.floats(0, 400), st.floats(1, 60))
def test_what_became_due_before_a_start_is_renewed_soon_and_while_it_is_good(age: float, seconds: float) -> None:
    token = HeldToken("v", 1000, 1300, 1140, "connector-hamburg-loader", ())
    now = 1000 + age
    first, last = token.found_at(now, seconds)
    assert now <= first <= last or (age < 120 and (first, last) == token.renewed_between)
    assert last <= max(1150, now + seconds)
    assert last < token.expires or now >= token.expires


async def test_a_start_spreads_what_became_due_before_it(city: City) -> None:
    await city.keep(feed())
    city.realm.now += 160
    dues = []
    for _ in range(40):
        city.restart()
        dues.append((await city.keep(feed())).look_again(city.realm.now))
    assert len(city.realm.minted) == 1, "none of them at once"
    assert max(dues) <= 20
    assert sum(due < 10 for due in dues) in range(8, 33)


async def test_clients_made_while_others_could_not_be_looked_for_are_looked_for_anew(city: City) -> None:
    city.realm.fails_to_list = KeycloakError(AuthReason.UNREACHABLE, "Keycloak is away")
    assert (await city.keep(feed())).problem is city.realm.fails_to_list
    assert len(city.realm.minted) == 1
    city.realm.fails_to_list = None
    assert (await city.keep(feed())).problem is None
    assert city.realm.shared == [True, False], "what was read before the client was made does not show it"
    await city.keep(feed())
    assert len(city.realm.shared) == 2


@given(st.floats(0, 2e9), st.floats(0, 3000))
def test_a_turn_is_within_its_time(first: float, length: float) -> None:
    turns = Turns()
    for _ in range(5):
        assert first <= turns.take(first, first + length) <= first + length


def test_renewals_take_the_seconds_that_few_others_take() -> None:
    """A thousand tokens of five minutes that began together, for half an hour."""
    turns, begun, counted = Turns(), 1_000_000.0, Counter[int]()
    dues = [turns.take(begun, begun + 150) for _ in range(1000)]
    heapq.heapify(dues)
    while dues[0] < begun + 1800:
        counted[math.floor(dues[0])] += 1
        heapq.heapreplace(dues, turns.take(dues[0] + 120, dues[0] + 150))
    settled = [counted[math.floor(begun) + second] for second in range(300, 1800)]
    mean = sum(settled) / len(settled)
    assert max(settled) <= 2 * mean, "mostly 1.5 times; by chance alone some 2.5 times"


def test_turns_of_the_past_are_forgotten() -> None:
    turns = Turns()
    for second in range(5000):
        turns.take(second, second + 30)
    assert len(turns._due) < 1000


def _due_early(dues: list[float]) -> int:
    """How many are to be renewed sooner than one that is renewed in time."""
    return sum(due < 119 for due in dues)


async def test_connectors_that_begin_together_are_renewed_at_any_time_from_then_on(city: City) -> None:
    dues = []
    for _ in range(60):
        one = City()
        dues.append((await one.keep(feed())).look_again(one.realm.now))
    assert 30 <= _due_early(dues) < 60, "about 88 of 100"
    assert min(dues) < 60
    assert max(dues) <= 150


@pytest.mark.parametrize(("away", "spread"), [(5, False), (100, True), (400, True)])
async def test_renewals_that_keycloak_held_up_are_spread_again(away: float, spread: bool) -> None:
    dues = []
    for _ in range(40):
        one = City()
        await one.keep(feed())
        one.restart()
        await one.keep(feed())
        one.realm.now += 150
        one.realm.fails = KeycloakError(AuthReason.UNREACHABLE, "away")
        await one.keep(feed())
        one.realm.now += away - 5
        one.realm.fails = None
        dues.append((await one.keep(feed())).look_again(one.realm.now))
    assert (_due_early(dues) > 0) == spread


async def test_after_a_start_keycloak_is_asked_for_nothing_until_a_token_is_due(city: City) -> None:
    await city.keep(feed({"devices": [{"name": "a"}]}))
    city.restart()
    city.realm.kept.clear()
    await city.keep(feed())
    assert city.realm.kept == []
    city.realm.now += 150
    await city.keep(feed())
    assert city.realm.kept == [{"connector-hamburg-loader"}], "the device went while nobody looked"


async def test_other_roles_are_another_token_at_once(city: City) -> None:
    await city.keep(feed())
    minted = await city.keep(feed({"roles": ["read"]}))
    assert minted.tokens[""].roles == ("read",)
    assert len(city.realm.minted) == 2


async def test_while_keycloak_is_down_the_token_stands_until_its_end(city: City) -> None:
    await city.keep(feed())
    city.realm.fails = KeycloakError(AuthReason.UNREACHABLE, "down")
    city.realm.now += 200
    minted = await city.keep(feed())
    assert minted.problem is city.realm.fails
    assert set(minted.tokens) == {""}
    assert minted.look_again(city.realm.now) == AGAIN_SECONDS
    city.realm.now += 101
    assert (await city.keep(feed())).tokens == {}
    assert city.api.secrets["loader-token"]["data"] == {}, "what is over is handed to nobody"
    city.realm.fails = None
    assert set((await city.keep(feed())).tokens) == {""}


async def test_a_device_that_goes_loses_its_token_and_its_client(city: City) -> None:
    both = feed({"devices": [{"name": "a"}, {"name": "b"}]})
    await city.keep(both)
    assert set(city.api.secrets["loader-token"]["data"]) == {"token", "device.a", "device.b"}
    await city.keep(both, {"sensorthings.city/revoked": "a"})
    assert set(city.api.secrets["loader-token"]["data"]) == {"token", "device.b"}
    assert city.realm.kept[-1] == {"connector-hamburg-loader", "connector-hamburg-loader.b"}
    assert len(city.realm.minted) == 3, "the others keep theirs"


async def test_a_token_without_its_roles_is_not_handed_out(city: City) -> None:
    city.realm.roles = ["read"]
    minted = await city.keep(feed())
    assert minted.problem is not None
    assert minted.problem.reason is AuthReason.ROLES_MISSING
    assert city.api.secrets == {}


def _passes(city: City, told: "Statuses", connectors: Connectors) -> passes.TokenPasses:
    return passes.TokenPasses(
        cast("KubernetesClient", city.api),
        SETTINGS.model_copy(update={"keycloak_realms": {"city": _REALM}}),
        connectors=connectors,
        mint=city.mint,
        door_keys=DoorKeys(city.secrets, lambda: None),
        status=status.TokenStatus(cast("KubernetesClient", told), cast("Events", told)),
    )


async def test_a_connector_that_is_shut_out_loses_its_client(city: City) -> None:
    await city.keep(feed())
    city.realm.fails = KeycloakError(AuthReason.UNREACHABLE, "down")
    told, connectors = Statuses(), Connectors()
    connectors.put(body({}, finalizers=[passes.TOKENS_FINALIZER.name]))
    shutting = _passes(city, told, connectors)
    assert await shutting.look(feed().connector.key) == AGAIN_SECONDS
    assert city.api.secrets == {}, "nobody is handed a token any more"
    (condition,) = told.sent[-1]["conditions"]
    assert condition["reason"] == "ServiceMissing"
    assert condition["message"].endswith("its client in Keycloak is not deleted yet: down")
    city.realm.fails = None
    for _ in range(2):
        assert await shutting.look(feed().connector.key) == passes._LOOK_SECONDS
    assert city.realm.kept[1:] == [set()], "asked once"
    assert "Keycloak" not in told.sent[-1]["conditions"][0]["message"]


async def test_a_service_is_read_once_for_many_connectors_and_always_before_one_is_refused(city: City) -> None:
    granted = service_body({**KEYCLOAK, "allowedConnectors": [{"namespace": "bikes"}]})
    live, reads = [granted], list[str]()

    async def get(_: object, _namespace: str, name: str) -> dict[str, Any]:
        reads.append(name)
        return live[0]

    passing = _passes(city, Statuses(), Connectors())
    passing._client = cast("KubernetesClient", SimpleNamespace(get=get))
    passing._clock = lambda: city.realm.now
    elsewhere = {"serviceRef": {"namespace": "hamburg", "name": "air"}}
    ours, theirs = connector(), connector(elsewhere, namespace="bikes")

    async def lets_in(who: Connector) -> bool:
        return (await passing._service_of(who))[0] is not None

    for who in (ours, theirs, ours):
        assert await lets_in(who)
    assert len(reads) == 1
    live[0] = service_body(KEYCLOAK)
    city.realm.now += 9
    assert await lets_in(theirs), "a token more, at most"
    city.realm.now += 1
    assert not await lets_in(theirs)
    live[0] = granted
    assert await lets_in(theirs), "at once, whatever was read a moment ago"
    assert len(reads) == 3


async def test_revoking_does_not_wait_for_keycloak(city: City) -> None:
    await city.keep(feed())
    city.realm.fails = KeycloakError(AuthReason.UNREACHABLE, "down")
    told = Statuses()
    revoking = _passes(city, told, Connectors())
    live = body({}, annotations={"sensorthings.city/revoked": "*"})
    assert await revoking._take_away(live, feed().connector, _REALM) == AGAIN_SECONDS
    assert city.api.secrets == {}, "nobody is handed a token any more"
    assert told.sent[-1]["conditions"][0]["reason"] == "KeycloakUnreachable"
    city.realm.fails = None
    assert await revoking._take_away(live, feed().connector, _REALM) is None
    assert city.realm.kept[-1] == set()
    assert told.sent[-1]["conditions"][0]["reason"] == "Revoked"


async def test_what_one_realm_gave_up_says_nothing_of_another(city: City) -> None:
    elsewhere = _REALM.model_copy(update={"realm": "elsewhere"})
    key = feed().connector.key
    await city.mint.release(_REALM, key, CONNECTOR_UID)
    city.realm.fails = KeycloakError(AuthReason.UNREACHABLE, "down")
    with pytest.raises(KeycloakError):
        await city.mint.release(elsewhere, key, CONNECTOR_UID)
    city.realm.fails = None
    await city.mint.release(elsewhere, key, CONNECTOR_UID)
    await city.mint.release(_REALM, key, CONNECTOR_UID)
    assert city.realm.kept == [set(), set()], "each was asked once"


async def test_what_is_withdrawn_is_gone(city: City) -> None:
    await city.keep(feed())
    city.restart()
    await city.mint.withdraw(feed().connector)
    assert city.api.secrets == {}
    assert city.mint.tokens(("hamburg", "loader")) == {}


async def test_a_secret_is_written_again_without_being_read_unless_it_is_another_one(city: City) -> None:
    async def renewed() -> int:
        city.realm.now += 150
        before = city.api.reads
        await city.keep(feed())
        return city.api.reads - before

    await city.keep(feed())
    assert await renewed() == 0
    del city.api.secrets["loader-token"]
    assert await renewed() == 1
    assert city.api.secrets["loader-token"]["data"]["token"]
    assert await renewed() == 0
    theirs = {"metadata": {"name": "loader-token", "uid": "x"}, "data": {}}
    city.api.secrets["loader-token"] = theirs
    with pytest.raises(ForeignSecretError):
        await renewed()
    assert city.api.secrets["loader-token"] == theirs


async def test_a_secret_of_somebody_else_is_neither_written_nor_read(city: City) -> None:
    theirs = {"metadata": {"name": "loader-token", "uid": "x"}, "data": {"token": b64encode(b"theirs").decode()}}
    city.api.secrets["loader-token"] = theirs
    with pytest.raises(ForeignSecretError, match="rename or delete"):
        await city.keep(feed())
    await city.mint.withdraw(feed().connector)
    assert city.api.secrets["loader-token"] == theirs


@given(st.text() | st.binary().map(lambda value: f"a.{b64encode(value).decode()}.c"))
def test_anything_may_stand_in_a_secret(value: str) -> None:
    assert HeldToken.read(value, _SERVICE) is None


@given(st.floats(0, 2e9), st.integers(2, 10_000))
def test_a_token_is_due_before_half_of_its_life(issued: float, life: int) -> None:
    token = HeldToken.read(jwt("c", _SERVICE, ["read"], issued, life), _SERVICE)
    assert token is not None
    assert token.issued < token.due <= token.issued + life / 2 + 1
    assert "eyJ" not in repr(token)


class Kept:
    """Keeps what stands in Secrets for external connectors."""

    def __init__(self) -> None:
        self.api, self.now = Api(), _NOON
        self.signer = authority.authority("door", _NOON)
        self.restart()

    def restart(self) -> None:
        secrets = TokenSecrets(cast("KubernetesClient", self.api))
        self.keys = DoorKeys(secrets, lambda: self.signer, now=lambda: self.now)

    async def visitors(self, annotations: Mapping[str, str] | None = None) -> dict[str, Visitor]:
        given = feed({"container": None, "external": True, "devices": [{"name": "a"}]})
        await self.keys.keep(given.connector, clients(given, annotations or {}))
        held = {key: b64decode(value) for key, value in self.api.secrets["loader-door"]["data"].items()}
        assert held[CA] == self.signer.pem
        found = {}
        for name, key in ((CERTIFICATE, "tls.key"), ("device.a.crt", "device.a.key")):
            pair = Pair.read(held, name, key)
            assert pair is not None
            assert pair.is_of(self.signer)
            (uri,) = pair.names(x509.UniformResourceIdentifier)
            visitor = Visitor.parse(uri)
            assert visitor is not None
            found[name] = visitor
        return found


async def test_certificates_of_the_door_last_and_are_made_anew_in_time() -> None:
    kept = Kept()
    await kept.visitors()
    await kept.visitors()
    kept.restart()
    await kept.visitors()
    assert kept.api.writes == 1
    kept.now += timedelta(days=250)
    await kept.visitors()
    assert kept.api.writes == 2
    await kept.visitors({ROTATE_ANNOTATION: "again"})
    assert kept.api.writes == 3


async def _door(annotations: Mapping[str, str], visitor: Visitor | None, device: str) -> tuple[HTTPStatus, Any]:
    """What a visitor is answered while the connector has these annotations."""
    city, connectors = City(), Connectors()
    given = feed({"container": None, "external": True, "devices": [{"name": "a"}, {"name": "b"}]})
    await city.keep(given)
    live = body({"external": True, "devices": [{"name": "a"}, {"name": "b"}]}, annotations=dict(annotations))
    connectors.put(live)
    return Door(connectors, city.mint.tokens, clock=lambda: city.realm.now).answer(visitor, device)


async def test_who_gets_which_token_at_the_door() -> None:
    kept = Kept()
    own, station = (await kept.visitors()).values()
    status_, answer = await _door({}, own, "")
    assert status_ is HTTPStatus.OK
    assert answer["expires_in"] == 300
    assert HeldToken.read(answer["access_token"], _SERVICE).client_id == "connector-hamburg-loader"  # type: ignore[union-attr]
    assert (await _door({}, own, "b"))[0] is HTTPStatus.OK
    _, answer = await _door({}, station, "")
    assert HeldToken.read(answer["access_token"], _SERVICE).client_id == "connector-hamburg-loader.a"  # type: ignore[union-attr]
    assert (await _door({}, station, "b"))[0] is HTTPStatus.FORBIDDEN
    assert (await _door({ROTATE_ANNOTATION: "2"}, own, ""))[0] is HTTPStatus.FORBIDDEN
    assert (await _door({}, Visitor("another", "", own.rotation), ""))[0] is HTTPStatus.FORBIDDEN
    assert (await _door({}, None, ""))[0] is HTTPStatus.FORBIDDEN
    assert (await _door({}, own, "nobody"))[0] is HTTPStatus.SERVICE_UNAVAILABLE


@given(st.text())
def test_any_name_in_a_certificate_is_read(uri: str) -> None:
    assert Visitor.parse(uri) is None
    visitor = Visitor("uid", "device", "0123")
    assert Visitor.parse(visitor.uri) == visitor


def test_the_status_is_written_where_it_differs() -> None:
    verdict = Verdict("True", "TokenIssued", "it is")
    token = HeldToken.read(jwt("c", _SERVICE, ["read"], _NOON.timestamp()), _SERVICE)
    assert token is not None
    wanted = status.build(verdict, {"": token}, None, 3, _NOON)
    assert wanted["token"] == {"issuedAt": "2026-11-23T12:00:00Z", "expiresAt": "2026-11-23T12:05:00Z"}
    others = {"type": "Ready", "status": "False"}
    live = {"observedGeneration": 3, "conditions": [others, *wanted["conditions"]], "token": wanted["token"]}
    assert status.stands(live, wanted)
    assert not status.stands({**live, "token": {}}, wanted)
    assert not status.stands({"conditions": [others]}, wanted)
    assert (
        status.build(verdict, {}, live["conditions"][1], 3, _NOON + timedelta(1))["conditions"] == wanted["conditions"]
    )


class Statuses:
    """What is applied to a status."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def apply(self, manifest: dict[str, Any], **_: object) -> dict[str, Any]:
        self.sent.append(manifest["status"])
        return manifest

    def tell(self, *_: object, **__: object) -> None:
        """No Event is looked at here."""


async def test_until_when_the_last_token_is_good_stays_told() -> None:
    api = Statuses()
    told = status.TokenStatus(cast("KubernetesClient", api), cast("Events", api), now=lambda: _NOON)
    token = {"issuedAt": "2026-11-23T12:00:00Z", "expiresAt": "2026-11-23T12:05:00Z"}
    live = body({}, annotations={"sensorthings.city/revoked": "*"})
    live["status"] = {"token": token, "conditions": []}
    verdict = passes._ended(live, feed().connector, _NOON.timestamp())
    assert "good until 2026-11-23T12:05:00Z" in verdict.message
    await told.tell(live, verdict, {}, ended=True)
    live["status"] = api.sent[0]
    assert live["status"]["token"] == token
    await told.tell(live, passes._ended(live, feed().connector, _NOON.timestamp()), {}, ended=True)
    assert len(api.sent) == 1
    await told.tell(live, Verdict("False", "ServiceMissing", "gone"), {})
    assert "token" not in api.sent[1]
    later = passes._ended(live, feed().connector, _NOON.timestamp() + 300)
    assert "good until" not in later.message
