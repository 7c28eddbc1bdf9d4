"""What arrives of a connector, as the service's own data shows it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sensorthings_operator.clients import arrivals as module
from sensorthings_operator.clients.access import AccessSource
from sensorthings_operator.clients.arrivals import NOT_ASKED, Arrivals, ArrivalsReader, ArrivalTarget
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.clients.sensorthings import Pod, SensorThings
from sensorthings_operator.observe.arrivals import target
from sensorthings_operator.observe.figures import FIGURES
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.connecting import connector, feed
from tests.unit.operator.samples import SETTINGS, ready_http_pod

if TYPE_CHECKING:
    from sensorthings_operator.clients.keycloak import KeycloakClients

_NOBODY_SIGNS_IN: Final = AccessSource(cast("KeycloakClients", None), None)

_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
_MINE = "Datastream/properties/connector eq 'loader'"


class Frost:
    """Answers with pages, and notes what it was asked."""

    def __init__(self, *pages: Any) -> None:
        self.pages = list(pages)
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        assert request.query["$orderby"] == "phenomenonTime desc"
        self.asked.append(request.query["$filter"])
        page = self.pages.pop(0)
        return web.Response(status=500) if page is None else web.json_response(page)


@asynccontextmanager
async def _asked(frost: Frost, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ArrivalsReader, ArrivalTarget]]:
    application = web.Application()
    application.router.add_get("/FROST-Server/v1.1/Observations", frost.answer)
    async with TestServer(application) as server:

        def at_server(http: Any, pod: Pod, root_path: str, **fields: Any) -> SensorThings:
            return SensorThings(http, pod, root_path, server.port or 0, **fields)

        monkeypatch.setattr(module, "SensorThings", at_server)
        async with ArrivalsReader(_NOBODY_SIGNS_IN, now=lambda: _NOON) as reader:
            yield reader, ArrivalTarget(Pod("air-http-1", "u", "127.0.0.1"), "/FROST-Server", _MINE)


async def test_how_many_arrive_and_when_the_newest_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    frost = Frost({"@iot.count": 61, "value": [{"phenomenonTime": "2026-11-23T11:59:58Z"}]})
    async with _asked(frost, monkeypatch) as (reader, target_):
        found = await reader.ask(target_)
    assert isinstance(found, Arrivals)
    assert (found.newest, found.per_minute) == ("2026-11-23T11:59:58Z", 12)
    assert frost.asked == [f"({_MINE}) and phenomenonTime ge 2026-11-23T11:55:00Z"]


async def test_the_newest_of_long_ago_and_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    frost = Frost(
        {"@iot.count": 0, "value": []},
        {"value": [{"phenomenonTime": "2026-11-01T00:00:00Z/2026-11-01T01:00:00Z"}]},
        {"value": []},
        {"value": []},
    )
    async with _asked(frost, monkeypatch) as (reader, target_):
        found = [await reader.ask(target_), await reader.ask(target_)]
    assert [each.newest for each in found if isinstance(each, Arrivals)] == ["2026-11-01T01:00:00Z", ""]
    assert frost.asked[1] == _MINE


async def test_a_service_that_does_not_answer_is_no_surprise(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _asked(Frost(None), monkeypatch) as (reader, target_):
        found = await reader.ask(target_)
        assert (found.holds, found.reason) == (False, NOT_ASKED)
        away = replace(target_, pod=Pod("air-http-1", "u", "127.0.0.2"))
        assert (await reader.ask(away)).reason == NOT_ASKED


def test_whose_observations_are_looked_for() -> None:
    assert connector().observations == _MINE
    assert connector({"observations": {"filter": "id gt 3"}}).observations == "id gt 3"
    store = OwnedStore(SUMMARIES, FIGURES)
    assert target(store, feed(), SETTINGS) is None, "no pod is ready"
    store.put("Pod", ready_http_pod())
    found = target(store, feed(), SETTINGS)
    assert found is not None
    assert found.pod.address == "10.0.0.7"
    assert found.sign_in.client is None, "everybody reads"
