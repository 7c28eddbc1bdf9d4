"""Secrets with values that only they hold: drawn once, issued when they are due, never somebody else's."""

from base64 import b64decode
from typing import TYPE_CHECKING, cast

import pytest

from sensorthings_operator.apply.outcome import NameTakenError
from sensorthings_operator.apply.owners import GENERATED_FIELD_MANAGER, Owners
from sensorthings_operator.apply.secrets import Secrets
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.desired import buscertificates, database
from sensorthings_operator.desired.metadata import FIELD_MANAGER
from tests.unit.operator.fake_api import FakeApi
from tests.unit.operator.samples import SETTINGS, service
from tests.unit.operator.virtual_time import on_virtual_time

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

(SECRET,) = database.secrets(service(), SETTINGS)
(CERTIFICATES,) = buscertificates.build(service(), SETTINGS)


@pytest.fixture
def secrets(api: FakeApi) -> Secrets:
    client = cast("KubernetesClient", api)
    return Secrets(client, OwnedStore({}), Owners(client))


@on_virtual_time
async def test_a_password_is_drawn_once_and_kept(secrets: Secrets, api: FakeApi) -> None:
    first = await secrets.apply(SECRET)
    again = await secrets.apply(SECRET)
    assert b64decode(first["data"]["username"]) == b"sensorthings"
    assert len(b64decode(first["data"]["password"])) >= 24
    assert first["data"] == again["data"]
    assert [call[0] for call in api.writes()] == ["apply", "apply"], "the drawn value, and the rest"
    managers = {e["manager"] for e in api.objects["Secret", "air-db-credentials"]["metadata"]["managedFields"]}
    assert managers == {FIELD_MANAGER, GENERATED_FIELD_MANAGER}


@on_virtual_time
async def test_a_password_that_went_is_drawn_again(secrets: Secrets, api: FakeApi) -> None:
    first = await secrets.apply(SECRET)
    del api.objects["Secret", "air-db-credentials"]["data"]["password"]
    again = await secrets.apply(SECRET)
    assert again["data"]["password"] != first["data"]["password"]


@on_virtual_time
async def test_a_pass_cut_short_after_the_draw_is_taken_up(secrets: Secrets, api: FakeApi) -> None:
    calls = 0

    def dies(verb: str, *_: str) -> Exception | None:
        nonlocal calls
        calls += verb == "apply"
        return ConnectionError() if calls == 2 else None

    api.fails = dies
    with pytest.raises(ConnectionError):
        await secrets.apply(SECRET)
    api.fails = lambda *_: None
    drawn = api.objects["Secret", "air-db-credentials"]["data"]["password"]
    assert (await secrets.apply(SECRET))["data"]["password"] == drawn


@on_virtual_time
async def test_a_secret_of_somebody_else_is_refused(secrets: Secrets, api: FakeApi) -> None:
    api.put({**SECRET, "metadata": {"name": "air-db-credentials"}})
    with pytest.raises(NameTakenError):
        await secrets.apply(SECRET)
    assert api.writes() == []


@on_virtual_time
async def test_certificates_are_issued_once_and_kept(secrets: Secrets, api: FakeApi) -> None:
    first = await secrets.apply(CERTIFICATES)
    assert set(first["data"]) >= {buscertificates.CA_KEY, *buscertificates.MOUNTED}
    before = len(api.writes())
    assert (await secrets.apply(CERTIFICATES))["data"] == first["data"]
    assert len(api.writes()) == before


@on_virtual_time
async def test_a_certificate_that_somebody_spoiled_is_issued_anew_by_the_same_authority(
    secrets: Secrets, api: FakeApi
) -> None:
    first = await secrets.apply(CERTIFICATES)
    api.objects["Secret", "air-bus-certificates"]["data"][buscertificates.SERVER] = ""
    again = await secrets.apply(CERTIFICATES)
    assert again["data"][buscertificates.SERVER] != first["data"][buscertificates.SERVER]
    assert again["data"][buscertificates.CA] == first["data"][buscertificates.CA]


@on_virtual_time
async def test_another_domain_of_the_cluster_is_another_certificate(secrets: Secrets) -> None:
    first = await secrets.apply(CERTIFICATES)
    (elsewhere,) = buscertificates.build(service(), SETTINGS.model_copy(update={"cluster_domain": "city.local"}))
    again = await secrets.apply(elsewhere)
    assert again["data"][buscertificates.SERVER] != first["data"][buscertificates.SERVER]
    assert (await secrets.apply(elsewhere))["data"] == again["data"]
