"""The client of the benchmark: reaches for a service until its first Observation is delivered over MQTT.

The same client measures the operator's service and the bare processes.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from benchmarks.processes import PERIOD

if TYPE_CHECKING:
    from benchmarks.reach import Reach
    from tests.e2e.clients import Http, Subscriber

_PATIENCE: Final = 300.0


class TooSlowError(Exception):
    """Nothing was delivered within five minutes."""


class FirstObservation:
    """Subscribes as soon as MQTT answers, POSTs as soon as HTTP does, and notes when what happened.

    Args:
        reach: the way to the service.
        begun: ``time.monotonic`` of the beginning.
    """

    def __init__(self, reach: Reach, begun: float) -> None:
        self.marks: dict[str, float] = {}
        self._reach = reach
        self._begun = begun
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
            self._subscriber = self._reach.subscriber()
            if self._subscriber is not None:
                self.mark("subscribed")
                return
            time.sleep(PERIOD)

    def _await_http(self) -> Http:
        while self._in_time():
            http = self._reach.http()
            if http is not None and http.get("Things?$top=1&$select=id").status == 200:
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
                if self._told(self._subscriber, number):
                    self.mark("delivered")
                    return
            else:
                time.sleep(PERIOD)
        raise TooSlowError("no Observation was delivered")

    def _told(self, subscriber: Subscriber, newest: int) -> bool:
        """Of one of ours: the operator, which verifies delivery, posts results that are far larger."""
        deadline = time.monotonic() + PERIOD
        while time.monotonic() < deadline:
            if any(result <= newest for result in subscriber.results):
                return True
            time.sleep(0.002)
        return False

    def _in_time(self) -> bool:
        return time.monotonic() - self._begun < _PATIENCE
