"""Publishes changes of signals at a steady pace, as a process of its own: whoever measures has its core to itself.

Run as ``python -m benchmarks.publish.signals PORT SIGNALS SECONDS``.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from itertools import count

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion


def publish(port: int, signals: int, seconds: float) -> int:
    """Each signal changes once in a second, one after the other; how many changes there were."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="signals")
    client.connect("127.0.0.1", port)
    client.loop_start()
    begun = time.monotonic()
    for number in count():
        due = begun + number / signals
        if due > begun + seconds:
            break
        time.sleep(max(0.0, due - time.monotonic()))
        stream, result = number % signals + 1, (number // signals + number) % 3 + 1
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        told = {"@iot.id": number, "phenomenonTime": now, "result": result, "resultTime": None}
        client.publish(f"v1.1/Datastreams({stream})/Observations", json.dumps(told))
    client.disconnect()
    client.loop_stop()
    return number


if __name__ == "__main__":
    print(publish(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))  # noqa: T201
