"""Verifies delivery: posts Observations at every HTTP pod of a service, and waits for them at every MQTT pod.

FROST-Server answers 201 while its message bus is away, and its MQTT module can stay connected without ever telling of
anything again (https://github.com/FraunhoferIOSB/FROST-Server/issues/2405): nothing but an Observation shows it.
"""

import asyncio
import contextlib
import random
import ssl
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Self

import aiohttp
import aiomqtt
import orjson

from sensorthings_operator.clients.access import NOBODY, Access, AccessError, AccessSource, SignIn
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.sensorthings import (
    Pod,
    RefusedError,
    SensorThings,
    UnreachableError,
    path_of,
    unreachable,
)
from sensorthings_operator.conditions.delivery import DeliveryReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import addresses, delivery
from sensorthings_operator.desired.entities import EntityId, key

PATIENCE_SECONDS: Final = 75.0
"""After which a pod that told of no Observation is one that delivers nothing.

FROST-Server looks for its bus once a minute, and subscribes anew where the connection is still lost then.
"""
SHORT_PATIENCE_SECONDS: Final = 15.0
"""The same where a pod was started anew for it, and all others had their minute before."""
_POSTS_AFTER_SECONDS: Final = (0.0, 2.0, 8.0, 20.0, 40.0, 62.0)
"""When Observations are posted, while a pod has told of none: one that has just begun may miss the first."""
_CONNECT_SECONDS: Final = 5


@dataclass(frozen=True)
class DeliveryTarget:
    """Which pods of a service are asked."""

    root_path: str
    http: tuple[Pod, ...]
    mqtt: tuple[Pod, ...]
    bus: tuple[Pod, ...]
    """Not asked: delivery is verified again when they change."""
    mqtt_port: int
    tls: bool
    http_port: int = addresses.HTTP_PORT
    sign_in: SignIn = NOBODY
    patience_seconds: float = PATIENCE_SECONDS


@dataclass(frozen=True)
class _Datastream:
    """Of the check."""

    path: str
    feature_id: EntityId


@dataclass
class _Check:
    """What one check has seen so far."""

    target: DeliveryTarget
    access: Access = field(default_factory=Access)
    posted: dict[int, str] = field(default_factory=dict)
    """Name of the HTTP pod, by the result of the Observation."""
    heard: set[tuple[str, int]] = field(default_factory=set)
    """Name of the MQTT pod, and the result."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def deaf(self) -> tuple[str, ...]:
        """MQTT pods that told of nothing."""
        heard = {pod for pod, _ in self.heard}
        return tuple(pod.name for pod in self.target.mqtt if pod.name not in heard)

    def mute(self) -> tuple[str, ...]:
        """HTTP pods whose Observations no MQTT pod told of."""
        heard = {self.posted[number] for _, number in self.heard}
        return tuple(pod.name for pod in self.target.http if pod.name not in heard)

    def due(self) -> tuple[Pod, ...]:
        """HTTP pods at which another Observation is posted."""
        return tuple(pod for pod in self.target.http if self.deaf() or pod.name in self.mute())

    def take(self, pod: Pod, payload: object) -> None:
        """A message of an MQTT pod."""
        with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError):
            number = orjson.loads(payload)["result"]  # type: ignore[arg-type]  # what is no text is a TypeError
            if number in self.posted:
                self.heard.add((pod.name, number))
                self.news.set()


class DeliveryChecks:
    """Verifies the delivery of services; an async context manager."""

    def __init__(self, keycloak: KeycloakClients, kubernetes: KubernetesClient | None = None) -> None:
        self._keycloak = keycloak
        self._source = AccessSource(keycloak, kubernetes)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(json_serialize=lambda value: orjson.dumps(value).decode())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def verify(self, target: DeliveryTarget) -> Answer:
        """One check: it ends as soon as every pod told of something, and when patience does at the latest."""
        check = _Check(target)
        try:
            check.access = await self._source.of(target.sign_in)
            api = self._api(check, target.http[0])
            datastream = await _datastream(api)
            async with contextlib.AsyncExitStack() as subscribers:
                for pod in target.mqtt:
                    subscriber = _subscribed(check, pod, f"v1.1/{datastream.path}/Observations")
                    await subscribers.enter_async_context(subscriber)
                await self._post_until_heard(check, datastream)
            for observation in await api.listed(f"{datastream.path}/Observations?$top=100"):
                await api.delete(path_of(observation))
        except RefusedError as error:
            return Answer(holds=False, reason=DeliveryReason.REFUSED, message=str(error))
        except UnreachableError as error:
            return Answer(holds=False, reason=DeliveryReason.UNREACHABLE, message=str(error))
        except AccessError as error:
            return Answer(holds=False, reason=DeliveryReason.NOT_VERIFIED, message=str(error))
        return _answer(check)

    async def remove(self, target: DeliveryTarget) -> str:
        """Delete everything that checks keep in the service's data; why that can't be, or nothing."""
        try:
            api = self._api(_Check(target, await self._source.of(target.sign_in)), target.http[0])
            await _clear(api)
            sign_in = target.sign_in
            if sign_in.realm is not None and sign_in.client is not None:
                await self._keycloak.remove(sign_in.realm, sign_in.client)
        except (RefusedError, UnreachableError, AccessError, KeycloakError) as error:
            return str(error)
        return ""

    def _api(self, check: _Check, pod: Pod) -> SensorThings:
        target = check.target
        return SensorThings(self._http, pod, target.root_path, target.http_port, check.access.authorization)

    async def _post_until_heard(self, check: _Check, datastream: _Datastream) -> None:
        begun = asyncio.get_running_loop().time()
        patience = check.target.patience_seconds
        for _, until in pairwise((*(after for after in _POSTS_AFTER_SECONDS if after < patience), patience)):
            for pod in check.due():
                number = random.randrange(1, 2**31)  # noqa: S311 - tells it from others, no secret
                check.posted[number] = pod.name
                observation = delivery.observation(number, datastream.feature_id)
                await self._api(check, pod).create(f"{datastream.path}/Observations", observation)
            if await _all_heard(check, begun + until):
                return


async def _datastream(api: SensorThings) -> _Datastream:
    """Of the check, made where there is none, and made anew where somebody took a part of it away."""
    found = await _whole(api)
    if found is None:
        await _clear(api)
        feature = await api.create("FeaturesOfInterest", delivery.feature())
        await api.create("Things", delivery.thing((await api.get(feature))["@iot.id"]))
        found = await _whole(api)
    if found is None:
        raise RefusedError("the Datastream of the check was made, and can't be found: look at the HTTP module's log")
    return found


async def _whole(api: SensorThings) -> _Datastream | None:
    for datastream in await api.marked("Datastreams", delivery.MARKED):
        feature_id = datastream["properties"].get(delivery.FEATURE_PROPERTY)
        if isinstance(feature_id, EntityId) and await api.exists(key("FeaturesOfInterest", feature_id)):
            return _Datastream(path_of(datastream), feature_id)
    return None


async def _clear(api: SensorThings) -> None:
    """Delete what carries the mark; what belongs to a Thing or a Sensor goes with it."""
    for collection in ("Things", "Sensors", "ObservedProperties", "FeaturesOfInterest"):
        for entity in await api.marked(collection, delivery.MARKED):
            await api.delete(path_of(entity))


@contextlib.asynccontextmanager
async def _subscribed(check: _Check, pod: Pod, topic: str) -> AsyncIterator[None]:
    """A subscriber at one pod while the block runs.

    Raises:
        UnreachableError: It can't connect, or lost its connection.
    """
    client = aiomqtt.Client(
        pod.address,
        check.target.mqtt_port,
        # FROST-Server 2.0.0 refuses an empty one, and mixes up clients that share one.
        identifier=f"sensorthings-operator-{uuid.uuid4()}",
        tls_context=_any_certificate() if check.target.tls else None,
        username=check.access.username or None,
        password=check.access.password or None,
        timeout=_CONNECT_SECONDS,
    )
    try:
        async with client:
            await client.subscribe(topic, qos=1)
            listening = asyncio.create_task(_listen(check, pod, client), name=f"subscriber at {pod.name}")
            try:
                yield
                if listening.done():
                    listening.result()
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    except (aiomqtt.MqttError, OSError) as error:
        raise unreachable(pod, error) from None


async def _listen(check: _Check, pod: Pod, client: aiomqtt.Client) -> None:
    async for message in client.messages:
        check.take(pod, message.payload)


async def _all_heard(check: _Check, until: float) -> bool:
    """Wait for it; whether every pod was heard of in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            while check.due():
                check.news.clear()
                await check.news.wait()
    return not check.due()


def _any_certificate() -> ssl.SSLContext:
    """The certificate is for the public host, of whatever issuer; the pod's address is the API server's word."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _answer(check: _Check) -> Answer:
    deaf, mute = check.deaf(), check.mute()
    within = f"within {check.target.patience_seconds:g} s"
    if deaf:
        told = f"{within} {_listed(deaf)} told subscribers of none of the Observations that were stored"
        # Where no pod told of anything, it may as well be that no HTTP pod tells the bus.
        suspects = (*deaf, *mute) if len(deaf) == len(check.target.mqtt) else deaf
        return Answer(holds=False, reason=DeliveryReason.MQTT_DEAF, message=told, pods=suspects)
    if mute:
        told = f"{within} no subscriber was told of the Observations that {_listed(mute)} stored"
        return Answer(holds=False, reason=DeliveryReason.HTTP_MUTE, message=told, pods=mute)
    told = "an Observation posted at each HTTP pod is told of, and by every MQTT pod"
    return Answer(holds=True, reason=DeliveryReason.DELIVERED, message=told)


def _listed(pods: Sequence[str]) -> str:
    return f"pod {pods[0]}" if len(pods) == 1 else f"pods {', '.join(pods)}"
