"""A Masterportal's own requests, against the real service over the edge: those of the layer that the catalogue writes
for it, and the others that its documentation knows.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import pytest
import yaml
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions
from yarl import URL

from localcluster.addons import keycloak
from localcluster.installation import REPOSITORY
from sensorthings_operator.cli import tls
from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.addresses import BrokerUrl
from sensorthings_operator.cli.subscription import Subscription, origin
from tests.e2e.masterportal import Box, Layer, collect
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiohttp import ClientSession

    from tests.e2e.kubernetes import Kubernetes

_SERVICE: Final = "/apis/sensorthings.city/v1alpha1/namespaces/hamburg/sensorthingsservices/traffic-lights"
_CATALOGUE: Final = yaml.safe_load("""\
title: {de: Verkehrsampeln}
description: {de: Was die Ampeln zeigen}
publisher: {name: Freie und Hansestadt Hamburg}
contact: {mail: daten@hamburg.example}
licence: {id: dl-by-de/2.0, attribution: Freie und Hansestadt Hamburg}
contributorID: transparenzportalHamburg
themes: [TRAN]
politicalGeocoding: {level: state, key: "02"}
datasets:
- serviceName: HH_STA_traffic_lights
  layers: [{layerName: primary_signal, title: {de: Hauptsignale}}]
""")
_INTERSECTIONS: Final = 5
_SIGNALS: Final = 8
"""Of an intersection."""
_FIRST_TWO: Final[Box] = (9.99, 53.55, 9.9985, 53.552)
"""An extent with two of the intersections in it."""


@pytest.fixture(scope="module")
def layer(platform: dict[str, str], city: Kubernetes) -> Iterator[Layer]:
    """The layer of the example's signals, as the catalogue has it."""
    _play(platform)
    _describe(city, _CATALOGUE)
    try:

        def entries() -> Any:
            conditions = {each["type"]: each for each in city.get(_SERVICE)["status"]["conditions"]}
            if conditions.get("CatalogueSynced", {}).get("status") != "True":
                return []
            data = city.get("/api/v1/namespaces/hamburg/configmaps/traffic-lights-catalogue")["data"]
            return [each for each in json.loads(data["services.json"]) if each["id"] == "primary_signal"]

        (entry,) = eventually("the layer in services.json", entries, 180)
        yield Layer(entry)
    finally:
        _describe(city, None)


def _describe(city: Kubernetes, catalogue: Any) -> None:
    patch = json.dumps({"spec": {"catalogue": catalogue}})
    city.run("--namespace=hamburg", "patch", "sta", "traffic-lights", "--type=merge", "-p", patch)


def _play(platform: dict[str, str]) -> None:
    player = [sys.executable, str(REPOSITORY / "examples" / "hamburg" / "play.py"), "--output", "json"]
    where = ["--url", platform["sensorthings"], "--mqtt", platform["websocket"]]
    access = ["--cacert", platform["ca"], "--connect-to", platform["address"]]
    # Two changes of each signal on average.
    played = ["--intersections", str(_INTERSECTIONS), "--rate", "10", "--duration", "8"]
    command = [*player, *where, *access, "--client-credentials", platform["writer"], *played]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout


def _access(platform: dict[str, str]) -> Access:
    return Access(authority=tls.Authority.read(Path(platform["ca"])), connect_to=ip_address(platform["address"]))


@pytest.fixture
async def session(platform: dict[str, str]) -> AsyncIterator[ClientSession]:
    """Anybody's requests."""
    async with _access(platform).http(timeout=30) as made:
        yield made


@asynccontextmanager
async def _writer(platform: dict[str, str]) -> AsyncIterator[ClientSession]:
    form = dict(parse_qsl(Path(platform["writer"]).with_suffix(".form").read_text()))
    async with _access(platform).http(timeout=20) as made:
        async with made.post(keycloak.TOKEN_URL, data=form) as answer:
            made.headers["Authorization"] = f"Bearer {(await answer.json())['access_token']}"
        yield made


async def _observe(platform: dict[str, str], datastream: int, result: int) -> None:
    async with _writer(platform) as session:
        url = f"{platform['sensorthings']}/Datastreams({datastream})/Observations"
        async with session.post(url, json={"result": result}) as answer:
            assert answer.status == 201, await answer.text()


def _names(entities: list[dict[str, Any]]) -> set[str]:
    return {entity["name"] for entity in entities}


async def test_the_layer_s_request_brings_features_with_their_newest_values(
    layer: Layer, session: ClientSession
) -> None:
    things = await collect(session, layer.request())
    assert len(things) == _INTERSECTIONS
    for thing in things:
        assert len(thing["Datastreams"]) == _SIGNALS
        assert thing["Locations"][0]["location"]["type"] == "Point"
        for stream in thing["Datastreams"]:
            assert stream["ObservedProperty"]["name"] == "Signal"
            assert len(stream["Observations"]) <= 1
    assert any(stream["Observations"] for thing in things for stream in thing["Datastreams"])


async def test_nested_order_top_and_filter_hold_at_every_depth(layer: Layer, session: ClientSession) -> None:
    order = "$orderby=phenomenonTime%20desc,id%20desc;$top=2"
    inner = f"Observations($filter=result%20ge%201;{order};$select=id,result,phenomenonTime)"
    streams = f"Datastreams($filter=properties/laneType%20eq%20'KFZ';$orderby=name%20desc;$top=3;$expand={inner})"
    (first, *_) = await collect(session, layer.request(expand=f"Locations,{streams}", orderby="name%20asc", top="1"))
    names = [stream["name"] for stream in first["Datastreams"]]
    assert len(names) == 3
    assert names == sorted(names, reverse=True)
    for stream in first["Datastreams"]:
        times = [observation["phenomenonTime"] for observation in stream["Observations"]]
        assert len(times) <= 2
        assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("intersect", [False, True], ids=["within", "intersects"])
async def test_an_extent_is_a_geography_polygon(layer: Layer, session: ClientSession, intersect: bool) -> None:
    everything = {thing["name"]: thing for thing in await collect(session, layer.request())}
    west, south, east, north = _FIRST_TWO

    def inside(thing: dict[str, Any]) -> bool:
        x, y = thing["Locations"][0]["location"]["coordinates"]
        return bool(west < x < east and south < y < north)

    wanted = {name for name, thing in everything.items() if inside(thing)}
    assert 0 < len(wanted) < _INTERSECTIONS
    assert _names(await collect(session, layer.within(_FIRST_TWO, intersect=intersect))) == wanted


async def test_a_layer_of_datastreams_is_asked_by_the_places_of_its_things(
    layer: Layer, session: ClientSession
) -> None:
    only = "properties/layerName%20eq%20'primary_signal'"
    expand = "Thing($expand=Locations),Observations($orderby=phenomenonTime%20desc;$top=1)"
    parameters = {"root": "Datastreams", "filter": only, "expand": expand}
    streams = Layer({**layer.entry, "urlParameter": parameters})
    assert len(await collect(session, streams.request())) == _INTERSECTIONS * _SIGNALS
    assert len(await collect(session, streams.within(_FIRST_TWO))) == 2 * _SIGNALS


async def test_next_links_lead_to_the_end_at_every_depth(layer: Layer, session: ClientSession) -> None:
    all_things = await collect(session, layer.request())
    parameters = {name: value for name, value in layer.entry["urlParameter"].items() if name != "root"}
    query = "&".join(f"${name}={','.join(v) if isinstance(v, list) else v}" for name, v in parameters.items())
    seen, links = [], 0
    url: str | None = f"{layer.entry['url']}/{layer.version}/Things?{query}&$top=2&$orderby=id"
    while url is not None:
        async with session.get(URL(url, encoded=True)) as answer:
            assert answer.status == 200, await answer.text()
            page = await answer.json()
        assert len(page["value"]) <= 2
        seen += [thing["@iot.id"] for thing in page["value"]]
        url, links = page.get("@iot.nextLink"), links + 1
        assert url is None or url.startswith(layer.entry["url"])
    assert sorted(seen) == sorted(thing["@iot.id"] for thing in all_things)
    assert len(set(seen)) == len(seen)
    assert links == -(-_INTERSECTIONS // 2)


def _broker(layer: Layer) -> BrokerUrl:
    options = layer.entry["mqttOptions"]
    return BrokerUrl.parse(f"{options['protocol']}://{options['host']}:{options['port']}{options['path']}")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_topics_of_both_versions_tell_of_an_observation(
    layer: Layer, platform: dict[str, str], session: ClientSession, version: str
) -> None:
    spoken = Layer({**layer.entry, "version": version})
    topics = spoken.topics(await collect(session, spoken.request()))
    assert len(topics) == _INTERSECTIONS * _SIGNALS
    topic, stream = next(iter(topics.items()))
    assert topic.startswith(f"v{version}/")
    async with Subscription(_broker(layer), list(topics), qos=layer.entry["mqttQos"], access=_access(platform)) as told:
        await _observe(platform, stream["@iot.id"], 6)
        async with asyncio.timeout(10):
            message = await anext(aiter(told))
    assert (message.topic, json.loads(message.payload)["result"]) == (topic, 6)


async def test_the_newest_observation_stands_in_for_a_retained_one(
    layer: Layer, platform: dict[str, str], session: ClientSession
) -> None:
    assert layer.entry["mqttRh"] == 0
    topic, stream = next(iter(layer.topics(await collect(session, layer.request())).items()))
    await _observe(platform, stream["@iot.id"], 5)
    # A browser asks from another origin.
    url, origin_of_a_portal = URL(layer.newest(topic), encoded=True), {"Origin": "https://geoportal.example"}
    async with session.get(url, headers=origin_of_a_portal) as answer:
        (newest,) = (await answer.json())["value"]
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://geoportal.example")
    assert newest["result"] == 5


@pytest.mark.parametrize("handling", [0, 1, 2])
async def test_with_mqtt_5_every_retain_handling_is_granted(
    layer: Layer, platform: dict[str, str], session: ClientSession, handling: int
) -> None:
    topic, stream = next(iter(layer.topics(await collect(session, layer.request())).items()))
    async with _five(_broker(layer), platform) as (client, granted, told):
        options = SubscribeOptions(qos=layer.entry["mqttQos"], retainHandling=handling)
        client.subscribe(topic, options=options)
        async with asyncio.timeout(10):
            assert not (await granted.get()).is_failure
        # FROST-Server retains nothing, whatever is asked for.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(told.get(), 1)
        await _observe(platform, stream["@iot.id"], 4)
        message = await asyncio.wait_for(told.get(), 10)
    assert (message.topic, json.loads(message.payload)["result"], message.retain) == (topic, 4, False)


@asynccontextmanager
async def _five(
    broker: BrokerUrl, platform: dict[str, str]
) -> AsyncIterator[tuple[paho.Client, asyncio.Queue[Any], asyncio.Queue[paho.MQTTMessage]]]:
    """A client of MQTT 5 over WebSocket, with the answers to its subscriptions and what it is told."""
    loop, access = asyncio.get_running_loop(), _access(platform)
    connected, granted, told = (asyncio.Queue[Any]() for _ in range(3))
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id="masterportal",
        transport=broker.transport,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )
    client.ws_set_options(path=broker.path, headers=origin(broker))
    client.tls_set_context(tls.NamedContext.of(broker.host, access.authority))

    def put(into: asyncio.Queue[Any], what: Any) -> None:
        loop.call_soon_threadsafe(into.put_nowait, what)

    client.on_connect = lambda _c, _d, _f, reason, _p: put(connected, reason)
    client.on_subscribe = lambda _c, _d, _m, reasons, _p: put(granted, reasons[0])
    client.on_message = lambda _c, _d, message: put(told, message)
    await asyncio.to_thread(client.connect, access.address(broker.host), broker.port)
    client.loop_start()
    try:
        assert not (await asyncio.wait_for(connected.get(), 10)).is_failure
        yield client, granted, told
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
