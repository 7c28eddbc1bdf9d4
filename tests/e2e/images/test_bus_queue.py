"""What waits on the bus for modules that are away fits into its memory, with the limits that the operator writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from sensorthings_operator.desired import bus
from sensorthings_operator.desired.quantities import memory_bytes
from tests.e2e.images.conftest import free_port, listens
from tests.e2e.images.containers import await_true
from tests.unit.operator.samples import SETTINGS, service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.images.containers import Runtime

_TOPIC: Final = "FROST-Bus"
_SESSIONS: Final = 3
"""What a service with one pod of each module is given room for."""
_MEBIBYTE: Final = 2**20
_ENCRYPTION: Final = ("cafile", "certfile", "keyfile", "require_certificate", "use_identity_as_username")


def _configuration(port: int) -> str:
    """As the operator writes it, but for its address and its certificates."""
    (told,) = (each["data"]["mosquitto.conf"] for each in bus.build(service(), SETTINGS) if each["kind"] == "ConfigMap")
    changed = "\n".join(line for line in told.splitlines() if not line.startswith(_ENCRYPTION))
    for old, new in (
        ("listener 8883", f"listener {port} 127.0.0.1"),
        ("allow_anonymous false", "allow_anonymous true"),
        ("/mosquitto/data/", "/tmp/"),  # noqa: S108 - in the container
    ):
        assert old in changed
        changed = changed.replace(old, new)
    return changed


def _limit() -> float:
    """The container's memory limit, in MiB."""
    pods = [
        each["spec"]["template"]["spec"] for each in bus.build(service(), SETTINGS) if each["kind"] == "StatefulSet"
    ]
    return memory_bytes(pods[0]["containers"][0]["resources"]) / _MEBIBYTE


def _goes_away(port: int, number: int) -> None:
    """Subscribe as a module does, and leave the session behind."""
    granted = list[int]()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"module-{number}", clean_session=False)
    client.on_subscribe = lambda *_: granted.append(1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(_TOPIC, 2)
    await_true(lambda: bool(granted), "it is subscribed")
    client.disconnect()
    client.loop_stop()


def _publish(port: int, count: int, payload: bytes) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(100)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for sent in [client.publish(_TOPIC, payload, qos=1) for _ in range(count)]:
        sent.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize("size", [300, 1500, 8000], ids=lambda size: f"{size} bytes")
def test_what_waits_fits_into_its_memory(
    runtime: Runtime, tmp_path: Path, size: int, measured: Callable[[str], None]
) -> None:
    port = free_port()
    file = tmp_path / "mosquitto.conf"
    file.write_text(_configuration(port))
    container = runtime.run("mosquitto", mounts={"/mosquitto/config/mosquitto.conf": file})
    await_true(lambda: listens(port), "mosquitto listens")
    limits = dict(line.split(" ", 1) for line in file.read_text().splitlines() if line.startswith("max_queued"))
    enough = min(int(limits["max_queued_messages"]), int(limits["max_queued_bytes"]) // size) * 11 // 10
    # One after the other, so that none of them waits for the same messages.
    for number in range(_SESSIONS):
        _goes_away(port, number)
        _publish(port, enough, b"x" * size)
    used = container.resident_memory()
    container.stop()
    measured(f"{used:.0f} MiB of {_limit():.0f}, with {_SESSIONS} sessions whose queues are full")
    assert "Outgoing messages are being dropped" in container.log, "its queues were full"
    assert used < 0.75 * _limit()
