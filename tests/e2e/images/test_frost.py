"""The SensorThings API and its MQTT side as our images serve them, against real PostgreSQL and mosquitto."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from sensorthings_operator.desired.http import EDGE_IDLE_SECONDS
from tests.e2e.images.conftest import Http, Mqtt, Stack, call, free_port, listens
from tests.e2e.images.containers import await_true
from tests.e2e.images.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

THING = {
    "name": "crossing",
    "description": "a crossing of two streets",
    "properties": {"serviceName": "lights"},
    "Locations": [
        {
            "name": "place",
            "description": "where it stands",
            "encodingType": "application/geo+json",
            "location": {"type": "Point", "coordinates": [9.99, 53.55]},
        }
    ],
    "Datastreams": [
        {
            "name": "signal group 1",
            "description": "its colour",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CategoryObservation",
            "unitOfMeasurement": {"name": None, "symbol": None, "definition": None},
            "ObservedProperty": {
                "name": "colour",
                "definition": "https://example.org/colour",
                "description": "a colour",
            },
            "Sensor": {"name": "s", "description": "s", "encodingType": "text/plain", "metadata": "m"},
        }
    ],
}


@pytest.fixture(scope="module")
def datastream(http: Http) -> str:
    """The URL of a Datastream, made by a deep insert."""
    created = call(f"{http.root}/Things", "POST", THING)
    assert created.code == 201, created
    location = created.headers["Location"]
    assert location.startswith(f"{http.root}/Things(")
    (entity,) = call(f"{location}/Datastreams").json["value"]
    return str(entity["@iot.selfLink"])


class Subscriber:
    """Counts what arrives on a topic."""

    def __init__(self, port: int, transport: str, topic: str) -> None:
        self.received: list[dict[str, Any]] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, transport=transport)  # type: ignore[arg-type]
        self._client.on_connect = lambda client, *_: client.subscribe(topic)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.received.append(json.loads(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(20)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_a_connection_that_nobody_uses_outlives_what_is_in_front(http: Http) -> None:
    url = urlsplit(http.root)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=10)
    for idle in (0, EDGE_IDLE_SECONDS + 2):
        time.sleep(idle)
        connection.request("GET", f"{url.path}/Things?$top=0")
        with connection.getresponse() as answer:
            answer.read()
            assert answer.status == 200
        # It would be opened anew otherwise.
        connection.auto_open = 0
    connection.close()


def test_an_observation_reaches_subscribers_on_tcp_and_web_socket(mqtt: Mqtt, datastream: str) -> None:
    topic = "v1.1/" + datastream.split("/v1.1/")[1] + "/Observations"
    subscribers = [Subscriber(mqtt.port, "tcp", topic), Subscriber(mqtt.web_socket_port, "websockets", topic)]
    try:
        assert call(f"{datastream}/Observations", "POST", {"result": "green"}).code == 201
        for subscriber in subscribers:
            await_true(lambda known=subscriber: len(known.received) == 1, "the observation arrives", 20)  # type: ignore[misc]
            assert subscriber.received[0]["result"] == "green"
    finally:
        for subscriber in subscribers:
            subscriber.close()


def test_queries(http: Http, datastream: str) -> None:
    for number in range(3):
        assert call(f"{datastream}/Observations", "POST", {"result": number}).code == 201
    page = call(f"{datastream}/Observations?$top=2&$orderby=id&$count=true").json
    assert len(page["value"]) == 2
    assert page["@iot.count"] >= 3
    following = call(page["@iot.nextLink"])
    assert following.code == 200
    assert following.json["value"][0]["@iot.id"] > page["value"][-1]["@iot.id"]
    expanded = call(f"{datastream}/Thing?$expand=Datastreams($expand=Observations($top=1))&$select=name").json
    assert expanded["Datastreams"][0]["Observations"]
    named = call(
        f"{http.root}/Things?$filter=name%20eq%20%27crossing%27%20and%20properties/serviceName%20eq%20'lights'"
    )
    assert named.json["value"][0]["name"] == "crossing"
    assert call(f"{http.root}/Things?$filter=name%20eq%20'a%26b'").json["value"] == []
    assert "@iot.count" not in call(f"{http.root}/Things").json
    assert call(f"{http.root}/Observations?$resultFormat=dataArray&$top=1").json["value"][0]["dataArray"]
    assert call(f"{http.root}/Things?$resultFormat=CSV").body.startswith("@iot.id,name,")


def test_changing_and_deleting(http: Http) -> None:
    thing = call(f"{http.root}/Things", "POST", {"name": "grün", "description": "d"}).headers["Location"]
    assert call(thing, "PATCH", {"description": "changed"}).code == 200
    assert call(thing).json["description"] == "changed"
    assert call(thing).json["name"] == "grün"
    operations = [{"op": "replace", "path": "/name", "value": "y"}]
    assert call(thing, "PATCH", operations, {"Content-Type": "application/json-patch+json"}).code == 200
    assert call(f"{thing}/name/$value").body == "y"
    assert call(thing, "PUT", {"name": "z", "description": "d"}).code == 200
    assert call(thing, "DELETE").code == 200
    assert call(thing).code == 404


def test_batches(http: Http) -> None:
    answer = call(
        f"{http.root}/$batch",
        "POST",
        {
            "requests": [
                {"id": "1", "method": "post", "url": "Things", "body": {"name": "b", "description": "d"}},
                {"id": "2", "method": "get", "url": "Things?$top=1"},
            ]
        },
    )
    assert answer.code == 200, answer
    assert [part["status"] for part in answer.json["responses"]] == [201, 200]
    multipart = "--x\r\nContent-Type: application/http\r\n\r\nGET /v1.1/Things?$top=1 HTTP/1.1\r\n\r\n\r\n--x--\r\n"
    answer = call(f"{http.root}/$batch", "POST", multipart, {"Content-Type": "multipart/mixed;boundary=x"})
    assert answer.code == 200, answer
    assert "http/1.1 200" in answer.body.lower()


def test_errors_are_json_and_say_what_was_wrong(http: Http) -> None:
    for path, code in (("/Things(987654)", 404), ("/Nothings", 404), ("/Things?$filter=nonsense", 400)):
        answer = call(http.root + path)
        assert answer.code == code, answer
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.json["message"]
    assert call(f"{http.root}/Things", "POST", "{not json").code == 400
    assert call(f"{http.root}/Things", "POST", {"description": "no name"}).code == 400
    assert call(f"http://127.0.0.1:{http.port}/FROST-Server/v9.9/Things").code == 404
    assert call(f"{http.root}/Things", "TRACE").code == 405


_REFUSES_AT_COMMIT = """
create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$;
create constraint trigger refuse after insert on "OBSERVATIONS" deferrable initially deferred
  for each row when (new."RESULT_NUMBER" = 666) execute function refuse();
"""
_REFUSES_NO_MORE = 'drop trigger refuse on "OBSERVATIONS"; drop function refuse'


def test_what_the_database_did_not_commit_is_not_acknowledged(stack: Stack, http: Http, datastream: str) -> None:
    """A connection that is lost during COMMIT looks alike. More of them than the pool has connections."""
    stack.sql("sensorthings", _REFUSES_AT_COMMIT)
    try:
        codes = {call(f"{datastream}/Observations", "POST", {"result": 666}).code for _ in range(25)}
    finally:
        stack.sql("sensorthings", _REFUSES_NO_MORE)
    assert stack.sql("sensorthings", 'select count(*) from "OBSERVATIONS" where "RESULT_NUMBER" = 666') == "0"
    assert codes == {500}
    assert call(f"{datastream}/Observations", "POST", {"result": 667}).code == 201


def test_pages_methods_and_headers(http: Http) -> None:
    base = f"http://127.0.0.1:{http.port}/FROST-Server"
    assert call(f"{base}/").code == 200
    assert call(f"{base}/v1.0/Things").code == 200
    assert {entry["name"] for entry in call(http.root).json["value"]} >= {"Things", "Observations"}
    assert call(f"{http.root}/api").json["openapi"].startswith("3.")
    head = call(f"{http.root}/Things", "HEAD")
    assert (head.code, head.body) == (200, "")
    assert "PATCH" in call(f"{http.root}/Things", "OPTIONS").headers["Allow"]
    from_a_map = call(f"{http.root}/Things", headers={"Origin": "https://map.example.org"})
    assert from_a_map.headers["Access-Control-Allow-Origin"] == "*"


def test_an_empty_database_is_complete_before_the_first_answer(stack: Stack) -> None:
    counting = "select count(*) from databasechangelog; select locked from databasechangeloglock"
    server = stack.start_http("empty", update=True)
    with ThreadPoolExecutor(4) as pool:
        for waiting in [pool.submit(await_true, server.answers, "an answer") for _ in range(4)]:
            waiting.result()
            first = stack.sql("empty", counting)
    code, seconds = server.container.stop()
    assert (code, seconds < 8) == (0, True), server.container.log
    assert first == stack.sql("empty", counting)
    assert first.endswith("f")


def test_any_user_may_run_it(stack: Stack, http: Http) -> None:
    assert http
    server = stack.start_http("sensorthings", user=1234567)
    await_true(server.answers, "an answer")
    assert server.container.stop()[0] == 0


def test_it_listens_before_the_database_and_recovers(stack: Stack, runtime_of_its_own: Callable[[], Stack]) -> None:
    other = runtime_of_its_own()
    other.bus_port = stack.bus_port
    server = other.start_http("late", update=True)
    await_true(lambda: listens(server.port), "it listens without a database")
    assert call(f"{server.root}/Things?$top=1").code == 500
    assert call(server.root).code == 200
    other.start_database("late")
    await_true(server.answers, "it recovers")
    assert other.sql("late", 'select count(*) from "THINGS"') == "0"


def test_the_first_seconds_without_a_primary_are_bridged_and_no_more(stack: Stack, http: Http, datastream: str) -> None:
    assert http.answers()
    port = free_port()
    relay = Relay(port, stack.database_port)
    relay.start()
    server = stack.start_http(
        "sensorthings", persistence_db_url=f"jdbc:committed:postgresql://127.0.0.1:{port}/sensorthings"
    )
    observations = f"{server.root}/{datastream.split('/v1.1/')[1]}/Observations"
    await_true(server.answers, "it starts behind the relay")

    def post() -> tuple[int, float]:
        began = time.monotonic()
        return call(observations, "POST", {"result": 1}).code, time.monotonic() - began

    relay.stop()
    threading.Timer(2, relay.start).start()
    code, took = post()
    assert code == 201
    assert 1 < took < 5
    relay.stop()
    code, took = post()
    assert code == 500
    assert took > 4
    code, took = post()
    assert code == 500
    assert took < 2, "an outage is bridged once"
    relay.start()
    await_true(lambda: post()[0] == 201, "it recovers")
    relay.stop()


@pytest.fixture
def runtime_of_its_own(stack: Stack) -> Callable[[], Stack]:
    """Makes a stack with a database of its own."""
    return lambda: Stack(stack.runtime, stack.folder)


def test_delivery_when_the_bus_comes_after_frost_http(stack: Stack, http: Http, datastream: str) -> None:
    assert http
    late = Stack(stack.runtime, stack.folder, database_port=stack.database_port)
    server = late.start_http("sensorthings")
    await_true(server.answers, "it starts without a bus")
    late.start_bus()
    subscriber = Subscriber(late.bus_port, "tcp", "FROST-Bus")
    observations = f"{server.root}/{datastream.split('/v1.1/')[1]}/Observations"

    def delivered() -> bool:
        assert call(observations, "POST", {"result": 1}).code == 201
        return bool(subscriber.received)

    await_true(delivered, "a message on the bus", 20)
    subscriber.close()


def test_the_mqtt_module_stops_in_order(stack: Stack, mqtt: Mqtt) -> None:
    assert mqtt
    server = stack.start_mqtt("sensorthings")
    await_true(lambda: listens(server.port), "it listens")
    code, seconds = server.container.stop()
    assert code == 0, server.container.log
    assert seconds < 15


def test_what_was_written_during_a_stop_was_acknowledged_and_the_reverse(stack: Stack, datastream: str) -> None:
    server = stack.start_http("sensorthings")
    await_true(server.answers, "an answer")
    observations = f"{server.root}/{datastream.split('/v1.1/')[1]}/Observations"
    before = call(f"{observations}?$count=true&$top=0").json["@iot.count"]
    accepted: list[int] = []
    failed: list[str] = []

    def write_until_refused() -> None:
        while True:
            answer = call(observations, "POST", {"result": 1})
            if answer.code == 201:
                accepted.append(answer.code)
            elif answer.code == 0 and ("refused" in answer.body or "reset" in answer.body):
                return  # the kernel resets a connection that the server had not accepted yet
            else:
                failed.append(f"{answer.code} {answer.body}")
                return

    writers = [threading.Thread(target=write_until_refused) for _ in range(4)]
    for writer in writers:
        writer.start()
    await_true(lambda: len(accepted) > 20, "writers are at work")
    code, _ = server.container.stop()
    for writer in writers:
        writer.join(30)
    assert code == 0, server.container.log
    assert not failed
    other = stack.start_http("sensorthings")
    await_true(other.answers, "an answer")
    count = call(f"{other.root}/{datastream.split('/v1.1/')[1]}/Observations?$count=true&$top=0").json["@iot.count"]
    assert count == before + len(accepted)
