"""Clients of a SensorThings service as the tests use them: one request, one subscriber, one steady stream.

Each can be made inside a node's network namespace (see ``netns``), where pods and Services have addresses.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.e2e.netns import inside
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from ssl import SSLContext

ROOT_PATH: Final = "/FROST-Server/v1.1"
_KEY: Final = re.compile(r"\((\d+)\)$")
MODEL: Final = {
    "name": "K 101",
    "description": "An intersection with one signal group",
    "Datastreams": [
        {
            "name": "K 101, signal group 1",
            "description": "Primary signal",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation",
            "unitOfMeasurement": {"name": "primary signal", "symbol": "", "definition": "0=dark,1=red,3=green"},
            "Sensor": {
                "name": "controller",
                "description": "traffic light controller",
                "encodingType": "text/plain",
                "metadata": "none",
            },
            "ObservedProperty": {
                "name": "primary signal",
                "definition": "https://example.org/primary-signal",
                "description": "What drivers see",
            },
        }
    ],
    "Locations": [
        {
            "name": "K 101",
            "description": "Hamburg",
            "encodingType": "application/geo+json",
            "location": {"type": "Point", "coordinates": [10.0, 53.55]},
        }
    ],
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; ``status`` is 0 where there was none, and ``text`` then says why."""

    status: int
    text: str
    location: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def id(self) -> int:
        """The key at the end of the Location header of a created entity."""
        match = _KEY.search(self.location)
        assert match, self
        return int(match[1])


@dataclass(frozen=True)
class Http:
    """The HTTP side of a service at an address; a new connection for each request, as from many clients."""

    host: str
    port: int
    netns: Path | None = None
    timeout: float = 15.0

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """One request to a path below the version; never raises for what the network does."""
        with ExitStack() as stack:
            if self.netns:
                stack.enter_context(inside(self.netns))
            connection = HTTPConnection(self.host, self.port, timeout=self.timeout)
            stack.callback(connection.close)
            data = None if body is None else json.dumps(body)
            try:
                connection.request(method, f"{ROOT_PATH}/{path}", data, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                return Answer(answer.status, answer.read().decode(), answer.headers.get("Location", ""))
            except (OSError, HTTPException) as error:
                return Answer(0, f"{type(error).__name__}: {error}")

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def create(self, path: str, body: Any) -> int:
        """POST an entity that must be acknowledged; its id."""
        answer = self.call("POST", path, body)
        assert answer.status == 201, answer
        return answer.id

    def create_datastream(self) -> int:
        """A Thing with a Datastream; the id of the Datastream."""
        thing = self.create("Things", MODEL)
        return int(self.get(f"Things({thing})/Datastreams?$select=id").json["value"][0]["@iot.id"])

    def observe(self, datastream: int, result: int) -> Answer:
        """POST one Observation."""
        return self.call("POST", f"Datastreams({datastream})/Observations", {"result": result})

    def results(self, datastream: int) -> Counter[int]:
        """How often each result stands in the database."""
        found: Counter[int] = Counter()
        path = f"Datastreams({datastream})/Observations?$select=id,result&$orderby=id&$top=1000"
        skip = 0
        while True:
            answer = self.get(f"{path}&$skip={skip}")
            assert answer.status == 200, answer
            page = [int(entity["result"]) for entity in answer.json["value"]]
            if not page:
                return found
            found.update(page)
            skip += len(page)


class Subscriber:
    """An MQTT client that keeps the result of each Observation it is told of.

    Args:
        host, port: where it connects.
        datastream: whose Observations it subscribes to, with QoS 1; those of all where there is none.
        transport: TCP or WebSocket.
        netns: the network namespace it lives in.
        reconnect: whether it comes back by itself, with a session that the broker was asked to keep.
        trust: for MQTT over TLS.
        patience: seconds to wait for the subscription to be granted.
    """

    def __init__(
        self,
        host: str,
        port: int,
        datastream: int | None,
        *,
        transport: Literal["tcp", "websockets"] = "tcp",
        netns: Path | None = None,
        reconnect: bool = False,
        trust: SSLContext | None = None,
        patience: float = 30.0,
    ) -> None:
        self.where = f"{transport} {host}:{port}"
        self._topic = "v1.1/Observations" if datastream is None else f"v1.1/Datastreams({datastream})/Observations"
        self._granted = threading.Event()
        self._lock = threading.Lock()
        self._results: list[int] = []
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"e2e-{uuid.uuid4()}",
            clean_session=not reconnect,
            transport=transport,
            reconnect_on_failure=reconnect,
        )
        self._client.ws_set_options(path="/mqtt")
        if trust is not None:
            self._client.tls_set_context(trust)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        with ExitStack() as stack:
            if netns:
                stack.enter_context(inside(netns))
            self._client.connect(host, port)
            self._client.loop_start()
        try:
            assert self._granted.wait(patience), f"no subscription at {self.where} within {patience:g} s"
        except BaseException:
            self.close()
            raise

    @property
    def results(self) -> Counter[int]:
        """How often each result was told of."""
        with self._lock:
            return Counter(self._results)

    def await_results(self, wanted: set[int], seconds: float = 30.0) -> None:
        """Wait until each of these was told of at least once."""
        eventually(
            f"{len(wanted)} Observations at {self.where}, missing {sorted(wanted - set(self.results))[:20]}",
            lambda: wanted <= set(self.results),
            seconds,
        )

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._topic, 1)

    def _on_subscribe(self, *_: Any) -> None:
        self._granted.set()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            self._results.append(int(json.loads(message.payload)["result"]))


@contextmanager
def subscribers(*made: Subscriber) -> Iterator[tuple[Subscriber, ...]]:
    """Close them all at the end."""
    try:
        yield made
    finally:
        for subscriber in made:
            subscriber.close()


@dataclass
class Stream:
    """POSTs numbered Observations, or GETs, at a steady pace in a thread of its own, until the block ends.

    Args:
        http: where to.
        datastream: of the Observations.
        pace: seconds between requests.
        reads: GET the newest Observation instead.
    """

    http: Http
    datastream: int
    pace: float = 0.05
    reads: bool = False
    acknowledged: set[int] = field(default_factory=set)
    failed: list[tuple[float, Answer]] = field(default_factory=list)
    """Seconds since the start, and what came instead of 200 or 201."""
    sent: int = 0

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the stream does not end"

    def await_acknowledged(self, more: int) -> None:
        """Wait until so many more were acknowledged."""
        wanted = len(self.acknowledged) + more
        eventually(f"{more} more acknowledged; failed: {self.failed[-3:]}", lambda: len(self.acknowledged) >= wanted)

    def _run(self) -> None:
        started = time.monotonic()
        while not self._ended.wait(self.pace):
            self.sent += 1
            begun = time.monotonic() - started
            answer = self._request()
            if answer.status in (200, 201):
                self.acknowledged.add(self.sent)
            else:
                self.failed.append((round(begun, 2), answer))

    def _request(self) -> Answer:
        if self.reads:
            return self.http.get(f"Datastreams({self.datastream})/Observations?$top=1&$orderby=id%20desc")
        return self.http.observe(self.datastream, self.sent)
