"""The client of the benchmark: reaches for a service until its first Observation is delivered over MQTT.

The same client measures the operator's service and the bare processes.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from tests.e2e.clients import Http, Subscriber
from tests.e2e.netns import inside

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Address = Callable[[], str | None]
    """The host, once it is known."""

PERIOD: Final = 0.05
"""Seconds between two tries."""
_PATIENCE: Final = 300.0
_MQTT_PORT: Final = 1883
_CONNECT_SECONDS: Final = 0.2
"""A first packet that was lost, to a Service that is not programmed yet, is sent again only after 1 s, 3 s, 7 s."""


class TooSlowError(Exception):
    """Nothing was delivered within five minutes."""


class FirstObservation:
    """Subscribes as soon as MQTT answers, POSTs as soon as HTTP does, and notes when what happened.

    Args:
        netns: the network namespace of the service.
        begun: ``time.monotonic`` of the beginning.
        http: gives the HTTP side's host, port 80 or what ``http_port`` says.
        mqtt: gives the MQTT side's host, port 1883.
    """

    def __init__(self, netns: Path, begun: float, *, http: Address, mqtt: Address, http_port: int) -> None:
        self.marks: dict[str, float] = {}
        self._netns = netns
        self._begun = begun
        self._http = http
        self._mqtt = mqtt
        self._http_port = http_port
        self._subscriber: Subscriber | None = None

    def mark(self, name: str) -> None:
        """Note that this happened now, in seconds since the beginning."""
        self.marks.setdefault(name, time.monotonic() - self._begun)

    def measure(self) -> dict[str, float]:
        """Run to the first delivery.

        Raises:
            TooSlowError: it did not come.
        """
        subscribing = threading.Thread(target=self._subscribe, daemon=True)
        subscribing.start()
        try:
            http = self._await_http()
            datastream = http.create_datastream()
            self.mark("Datastream created")
            self._deliver(http, datastream)
        finally:
            subscribing.join(_PATIENCE)
            if self._subscriber is not None:
                self._subscriber.close()
        return self.marks

    def _subscribe(self) -> None:
        while self._in_time():
            host = self._mqtt()
            if host is not None and self._listens(host, _MQTT_PORT):
                try:
                    self._subscriber = Subscriber(host, _MQTT_PORT, None, netns=self._netns)
                except OSError:
                    pass
                else:
                    self.mark("subscribed")
                    return
            time.sleep(PERIOD)

    def _listens(self, host: str, port: int) -> bool:
        try:
            with inside(self._netns), socket.create_connection((host, port), timeout=_CONNECT_SECONDS):
                return True
        except OSError:
            return False

    def _await_http(self) -> Http:
        while self._in_time():
            host = self._http()
            if host is not None and self._listens(host, self._http_port):
                http = Http(host, self._http_port, self._netns)
                if http.get("Things?$top=1&$select=id").status == 200:
                    self.mark("HTTP answers")
                    return http
            time.sleep(PERIOD)
        raise TooSlowError("HTTP does not answer")

    def _deliver(self, http: Http, datastream: int) -> None:
        """POST until one is delivered: what was POSTed before the modules were joined by the bus never will be."""
        number = 0
        while self._in_time():
            if self._subscriber is not None:
                number += 1
                http.observe(datastream, number)
                if self._told(self._subscriber):
                    self.mark("delivered")
                    return
            else:
                time.sleep(PERIOD)
        raise TooSlowError("no Observation was delivered")

    def _told(self, subscriber: Subscriber) -> bool:
        deadline = time.monotonic() + PERIOD
        while time.monotonic() < deadline:
            if subscriber.results:
                return True
            time.sleep(0.002)
        return False

    def _in_time(self) -> bool:
        return time.monotonic() - self._begun < _PATIENCE
