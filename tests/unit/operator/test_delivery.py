"""What is made of a check: when one runs, what the condition says, which pod is started anew, and how often at most."""

import asyncio
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.delivery import DeliveryChecks, DeliveryTarget
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.delivery import DeliveryReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.delivery import EVICTED, Delivery
from sensorthings_operator.desired.metadata import COMPONENT_LABEL, SERVICE_LABEL
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.delivery import delivery_probes, ready_pod
from sensorthings_operator.observe.figures import FIGURES
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.samples import SETTINGS, body, observed, service
from tests.unit.operator.test_keycloak import SPEC as WITH_KEYCLOAK
from tests.unit.operator.test_keycloak import service_with_keycloak
from tests.unit.operator.virtual_time import on_virtual_time

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

_WELL = Answer(True, DeliveryReason.DELIVERED, "well")
_OFF = {"monitoring": {"verifyDelivery": False}}


def _deaf(*pods: str) -> Answer:
    return Answer(False, DeliveryReason.MQTT_DEAF, f"{', '.join(pods)} told of none", pods)


def _pod(name: str, component: str, *, ready: bool = True, version: int = 1, restarts: int = 0) -> dict[str, Any]:
    labels = {SERVICE_LABEL: "air", COMPONENT_LABEL: component}
    described = {"name": name, "namespace": "hamburg", "uid": f"uid-{name}", "resourceVersion": str(version)}
    status = {
        "podIP": "10.0.0.1",
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        "containerStatuses": [{"name": "frost", "image": "", "restartCount": restarts, "state": {}}],
    }
    return {"kind": "Pod", "metadata": {**described, "labels": labels}, "status": status}


class FakeClient:
    """Evicts, or says why not."""

    def __init__(self) -> None:
        self.evicted: list[str] = []
        self.error: ApiError | None = None

    async def evict(self, namespace: str, name: str, *, uid: str) -> None:
        assert (namespace, uid) == ("hamburg", f"uid-{name}")
        if self.error is not None:
            raise self.error
        self.evicted.append(name)


class City:
    """A service with pods, and checks that answer as a test says."""

    def __init__(self, settings: OperatorSettings = SETTINGS) -> None:
        self.client = FakeClient()
        self.store = OwnedStore(SUMMARIES, FIGURES)
        self.answer = _WELL
        self.left = ""
        self.asked: list[DeliveryTarget] = []
        self.removed: list[DeliveryTarget] = []
        self.woken = 0
        self.told: list[tuple[str, str]] = []
        self.now = 0.0
        self.probes = delivery_probes(self.verify, changed=self._wake, interval_seconds=300)
        self.delivery = Delivery(
            cast("KubernetesClient", self.client),
            self.store,
            settings,
            cast("DeliveryChecks", self),
            self.probes if settings.delivery_probe_seconds else None,
            warn=lambda _, reason, note: self.told.append((reason, note)),
            clock=lambda: self.now,
        )

    async def verify(self, target: DeliveryTarget) -> Answer:
        self.asked.append(target)
        await asyncio.sleep(1)
        return self.answer

    async def remove(self, target: DeliveryTarget) -> str:
        self.removed.append(target)
        return self.left

    def _wake(self, _: object) -> None:
        self.woken += 1

    def run(self, *pods: dict[str, Any]) -> None:
        """Pods as the watch tells of them."""
        for pod in pods:
            self.store.put("Pod", pod)

    def run_all(self) -> None:
        """One of each module and of the bus."""
        self.run(_pod("http-1", "http"), _pod("mqtt-1", "mqtt"), _pod("bus-0", "bus"))

    async def checked(self, answer: Answer, of: Service | None = None) -> None:
        """One of each, and the first check of them has ended so; no pass has looked at that yet."""
        self.run_all()
        self.answer = answer
        await self.look(of)
        await asyncio.sleep(2)

    async def look(self, of: Service | None = None, told: Answer | None = None) -> Answer | None:
        """A pass; ``told`` stands in the status."""
        status = {"conditions": [_condition(told)]} if told else {}
        return await self.delivery.look({**body(), "status": status}, of or service())


def _condition(answer: Answer) -> dict[str, str]:
    status = "True" if answer.holds else "False"
    return {"type": "DeliveryVerified", "status": status, "reason": answer.reason, "message": answer.message}


@on_virtual_time
async def test_it_is_verified_once_both_modules_have_pods_and_then_now_and_then() -> None:
    city = City()
    city.run(_pod("http-1", "http"), _pod("mqtt-1", "mqtt", ready=False))
    answer = await city.look()
    assert answer is not None
    assert answer.reason == DeliveryReason.NOT_VERIFIED
    city.run(_pod("mqtt-1", "mqtt", version=2))
    assert (await city.look() or _WELL).message == "the first check runs"
    await asyncio.sleep(2)
    assert await city.look() == _WELL
    await asyncio.sleep(3600)
    assert 8 <= len(city.asked) <= 16
    assert city.woken == 1
    await city.probes.close()


@pytest.mark.parametrize("component", ["http", "mqtt", "bus"])
@on_virtual_time
async def test_a_pod_that_is_another_or_began_anew_is_a_reason_to_look_at_once(component: str) -> None:
    city = City()
    city.run_all()
    await city.look()
    await asyncio.sleep(2)
    name = {"http": "http-1", "mqtt": "mqtt-1", "bus": "bus-0"}[component]
    city.run(_pod(name, component, version=2, restarts=1))
    assert await city.look(told=_WELL) == _WELL, "what was known stands until it is known better"
    await asyncio.sleep(0.5)
    assert len(city.asked) == 2
    await city.probes.close()


@on_virtual_time
async def test_after_a_start_of_the_operator_what_the_status_says_stands_and_waits_for_its_turn() -> None:
    city = City()
    city.run_all()
    # Its turn comes at random within the interval: here in the middle of it, so that the next one is after its end.
    with patch("sensorthings_operator.observe.probes.random.random", return_value=0.5):
        assert await city.look(told=_WELL) == _WELL
        await asyncio.sleep(149)
        assert city.asked == []
        await asyncio.sleep(151)
    assert len(city.asked) == 1
    await city.probes.close()


@on_virtual_time
async def test_a_pod_that_delivers_nothing_is_started_anew_once_and_people_are_told() -> None:
    city = City()
    await city.checked(_deaf("mqtt-1"))
    for _ in range(3):
        answer = await city.look()
        assert answer is not None
        assert (answer.holds, answer.reason) == (False, DeliveryReason.MQTT_DEAF)
        assert answer.message.endswith("pod mqtt-1 is started anew")
    assert city.client.evicted == ["mqtt-1"]
    assert city.told == [(EVICTED, "evicted pod mqtt-1: mqtt-1 told of none")]
    await city.probes.close()


@on_virtual_time
async def test_while_the_only_pod_is_replaced_what_was_found_stands() -> None:
    city = City()
    city.run(_pod("http-1", "http"), _pod("mqtt-1", "mqtt", ready=False))
    assert await city.look(told=_deaf("mqtt-1")) == Answer(False, DeliveryReason.MQTT_DEAF, "mqtt-1 told of none")
    answer = await city.look(told=_WELL)
    assert answer is not None
    assert answer.reason == DeliveryReason.NOT_VERIFIED, "what delivered is no longer there"


@on_virtual_time
async def test_of_several_one_goes_at_a_time() -> None:
    city = City()
    city.run(_pod("http-1", "http"), _pod("mqtt-1", "mqtt"), _pod("mqtt-2", "mqtt"))
    city.answer = _deaf("mqtt-1", "mqtt-2")
    await city.look()
    await asyncio.sleep(2)
    await city.look()
    await city.look()
    assert city.client.evicted == ["mqtt-1"]
    await city.probes.close()


@on_virtual_time
async def test_three_in_an_hour_and_no_more() -> None:
    city = City()
    for number in range(1, 6):
        name = f"mqtt-{number}"
        city.store = city.delivery._store = OwnedStore(SUMMARIES, FIGURES)
        city.run(_pod("http-1", "http"), _pod(name, "mqtt"))
        city.answer = _deaf(name)
        await city.look()
        await asyncio.sleep(2)
        answer = await city.look()
        assert answer is not None
        assert ("look at the logs" in answer.message) == (number > 3)
        city.now += 60
    assert city.client.evicted == ["mqtt-1", "mqtt-2", "mqtt-3"]
    city.now += 3600
    await city.look()
    assert city.client.evicted == ["mqtt-1", "mqtt-2", "mqtt-3", "mqtt-5"]
    await city.probes.close()


@on_virtual_time
async def test_where_a_new_pod_of_one_module_hears_nothing_either_one_of_the_other_goes_next() -> None:
    city = City()
    for http, mqtt in (("http-1", "mqtt-1"), ("http-1", "mqtt-2"), ("http-2", "mqtt-2")):
        city.store = city.delivery._store = OwnedStore(SUMMARIES, FIGURES)
        city.run(_pod(http, "http"), _pod(mqtt, "mqtt"), _pod("bus-0", "bus"))
        city.answer = _deaf(mqtt, http)
        await city.look()
        await asyncio.sleep(2)
        await city.look()
        city.now += 20
    assert city.client.evicted == ["mqtt-1", "http-1", "mqtt-2"]
    await city.probes.close()


@on_virtual_time
async def test_the_check_after_it_is_short_as_long_as_the_bus_is_the_same() -> None:
    city = City()
    await city.checked(_deaf("mqtt-1", "http-1"))
    await city.look()
    city.answer = _WELL
    asked = len(city.asked)
    await city.look()
    await asyncio.sleep(0.5)
    assert len(city.asked) == asked, "the pod that goes is not asked again"
    for now, restarts, seconds in ((10, 0, 15), (60, 1, 75), (119, 0, 15), (120, 0, 75)):
        city.now = now
        city.store = city.delivery._store = OwnedStore(SUMMARIES, FIGURES)
        city.run(_pod("http-1", "http"), _pod("mqtt-2", "mqtt"), _pod("bus-0", "bus", restarts=restarts))
        await city.look()
        await asyncio.sleep(2)
        assert city.asked[-1].patience_seconds == seconds, (now, restarts)
    await city.probes.close()


@on_virtual_time
async def test_a_budget_that_keeps_the_pod_is_asked_again_and_a_pod_that_went_is_not() -> None:
    city = City()
    await city.checked(_deaf("mqtt-1"))
    city.client.error = ApiError(429, "TooManyRequests", "would violate the budget")
    answer = await city.look()
    assert answer is not None
    assert answer.message.endswith("can't be evicted: would violate the budget")
    city.client.error = NotFoundError(404, "NotFound", "gone")
    await city.look()
    assert city.told == []
    city.client.error = None
    await city.look()
    assert city.client.evicted == []
    await city.probes.close()


@on_virtual_time
async def test_a_paused_service_is_looked_at_and_left_alone() -> None:
    city = City()
    paused = service({"paused": True})
    await city.checked(_deaf("mqtt-1"), paused)
    assert await city.look(paused) == city.answer
    assert city.client.evicted == []
    await city.probes.close()


@on_virtual_time
async def test_switched_off_it_deletes_what_it_kept_and_then_says_nothing() -> None:
    city = City()
    off = service(_OFF)
    assert await city.look(off, told=_WELL) is not None, "no pod that could delete it"
    city.run_all()
    city.left = "pod http-1 answers DELETE Things(1) with 500"
    answer = await city.look(off, told=_WELL)
    assert answer is not None
    assert city.left in answer.message
    city.left = ""
    assert await city.look(off, told=_WELL) is None
    assert await city.look(off) is None
    assert len(city.removed) == 2
    assert not city.asked


@on_virtual_time
async def test_it_waits_for_a_realm_that_is_not_known() -> None:
    city = City()
    city.run_all()
    await city.look()
    answer = await city.look(service(WITH_KEYCLOAK))
    assert answer is not None
    assert "AuthConfigured" in answer.message
    assert not city.probes.asks(("hamburg", "air")), "without a token nothing is asked any more"
    assert await city.look(service_with_keycloak()) is not None
    await asyncio.sleep(1)
    assert city.asked == []


@on_virtual_time
async def test_the_operator_can_be_told_never_to_look() -> None:
    city = City(OperatorSettings(delivery_probe_seconds=0))
    city.run_all()
    assert await city.look() is None
    city.delivery.forget(("hamburg", "air"))
    assert city.asked == []


@pytest.mark.parametrize(
    ("answer", "status", "ready"),
    [
        (_WELL, "True", "True"),
        (_deaf("mqtt-1"), "False", "False"),
        (Answer(False, DeliveryReason.HTTP_MUTE, "x"), "False", "False"),
        (Answer(False, DeliveryReason.REFUSED, "x"), "False", "False"),
        (Answer(False, DeliveryReason.UNREACHABLE, "x"), "Unknown", "True"),
        (Answer(False, DeliveryReason.NOT_VERIFIED, "x"), "Unknown", "True"),
    ],
)
def test_only_what_is_known_to_be_wrong_takes_ready_away(answer: Answer, status: str, ready: str) -> None:
    verdicts = evaluate(observed(delivery=answer))
    assert (verdicts["DeliveryVerified"].status, verdicts["Ready"].status) == (status, ready)
    assert verdicts["DeliveryVerified"].message == answer.message


def test_where_nobody_looks_there_is_no_condition_and_a_hibernated_service_is_not_blamed() -> None:
    assert "DeliveryVerified" not in evaluate(observed())
    asleep = evaluate(observed(service=service({"hibernated": True}), delivery=_deaf("mqtt-1")))
    assert asleep["DeliveryVerified"].status == "Unknown"


@given(
    ready=st.booleans(),
    ending=st.booleans(),
    address=st.sampled_from(["", "10.0.0.1", "fd00::1"]),
    restarts=st.lists(st.integers(0, 9), max_size=3),
)
def test_only_a_ready_pod_with_an_address_is_asked(
    ready: bool, ending: bool, address: str, restarts: list[int]
) -> None:
    live = _pod("mqtt-1", "mqtt", ready=ready)
    live["status"]["podIP"] = address
    if not address:
        del live["status"]["podIP"]
    if ending:
        live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    live["status"]["containerStatuses"] = [{"restartCount": each} for each in restarts]
    found = ready_pod(live)
    if ready and address and not ending:
        assert found == Pod("mqtt-1", "uid-mqtt-1", address, sum(restarts))
    else:
        assert found is None
