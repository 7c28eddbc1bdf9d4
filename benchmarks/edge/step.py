"""A step of load over the edge: for a while twice as many Observations, and twice as many subscribers.

Both modules have an autoscaler whose target lies between what two pods would use before the step, and one in it: so
HTTP is scaled out, and in again. Each MQTT pod handles every Observation, so that two of them use more than one did: a
second one goes when the load does.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.edge.client import poster, subscribed, warm
from benchmarks.edge.pods import PARTS, SAMPLE_SECONDS, Pods, used
from benchmarks.edge.service import EXPOSED
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from benchmarks.edge.client import Poster, Told
    from benchmarks.edge.service import Edge

_MILLICORES: Final = 200
"""Requested by each pod: what percentages are of."""
_RATE: Final = 30.0
"""Observations a second before the step and after it."""
_SUBSCRIBERS: Final = 15
_METRICS_SECONDS: Final = 10.0
"""How often metrics-server looks."""
_TOLERANCE_PERCENT: Final = 0
"""How much more than its target an autoscaler lets pass."""
_NEAR: Final = 1 / 3
"""Where the target lies between the least and the most that it may be, as their ratio's power."""
_WARM_SECONDS: Final = 90.0
"""Under the load of the step, before what pods use is looked at: a JVM goes on compiling after it got fast."""
_CALIBRATION_SECONDS: Final = 75.0
"""Of one look at what pods use."""
_SETTLED_SECONDS: Final = 30.0
"""Of a look, before it counts: metrics-server tells of what was."""
_BEFORE_SECONDS: Final = 60.0
_MOST_SECONDS: Final = 180.0
"""Of the step."""
_HELD_SECONDS: Final = 30.0
"""Of the step, once the pods are ready that it made."""
_AFTER_SECONDS: Final = 420.0
"""Of the load that is as before, at most: MQTT is scaled in after five minutes."""
_SILENT_SAMPLES: Final = 480
"""Without any, at most."""
_STRAGGLERS_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Step:
    """What happened.

    Args:
        up, down, ended: when the load doubled, halved, and ended; seconds since the beginning.
        pods: by the second.
        client: what was sent, and taken.
        told: the subscribers that were there all the time.
        targets: of the autoscalers, in percent of ``_MILLICORES``.
        missing: acknowledged, and not in the database once.
    """

    up: float
    down: float
    ended: float
    pods: Pods
    client: Poster
    told: list[Told]
    targets: dict[str, int]
    missing: int

    def untold(self) -> list[int]:
        """Of each subscriber, how many that were acknowledged it was never told of, from the first on that it was."""
        return [len(told.missed(self.client)) for told in self.told]

    def held(self, part: str) -> float:
        """Cores that the part's autoscaler holds its pods at."""
        return self.targets[part] / 100 * _MILLICORES / 1000

    def __str__(self) -> str:
        return (
            f"{len(self.client.begun)} POSTs, {len(self.client.failed)} failed {self.client.failed[:3]}, "
            f"{len(self.client.acknowledged)} acknowledged, {self.missing} of them missing in the database, "
            f"not told to {len(self.told)} subscribers: {sum(self.untold())}, told again: "
            f"{sum(told.again for told in self.told)}, connections lost: {sum(told.lost for told in self.told)}; "
            f"the autoscalers' targets were {self.targets} % of {_MILLICORES}m"
        )


def pod_start(edge: Edge, part: str, runs: int) -> float:
    """Seconds until a pod like those of the part, made by hand, is ready: the floor of a scale-out; the median."""
    return median(_one_start(edge, part) for _ in range(runs))


def metrics_window(edge: Edge) -> float:
    """Seconds between two looks of metrics-server at what pods use."""
    path = "/apis/apps/v1/namespaces/kube-system/deployments/metrics-server"
    (container,) = edge.service.kubernetes.get(path)["spec"]["template"]["spec"]["containers"]
    (resolution,) = (word for word in container["args"] if word.startswith("--metric-resolution="))
    return float(resolution.rpartition("=")[2].removesuffix("s"))


def _one_start(edge: Edge, part: str) -> float:
    service = edge.service
    deployment = service.kubernetes.get(
        f"/apis/apps/v1/namespaces/{service.namespace}/deployments/{service.name}-{part}"
    )
    name = f"floor-{part}"
    path = f"/api/v1/namespaces/{service.namespace}/pods/{name}"
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        # No label of a part: no Service leads there.
        "metadata": {"name": name, "namespace": service.namespace},
        "spec": deployment["spec"]["template"]["spec"],
    }
    begun = time.monotonic()
    service.kubernetes.apply(body)

    def ready() -> bool:
        conditions = service.kubernetes.get(path)["status"].get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    eventually(f"pod {name} ready", ready)
    taken = time.monotonic() - begun
    service.kubectl("delete", f"pod/{name}", "--timeout=90s")
    return taken


async def run(edge: Edge) -> Step:
    """The whole step; takes a quarter of an hour at most."""
    resources = {"requests": {"cpu": f"{_MILLICORES}m"}}
    await _applied(edge, {part: {"resources": resources} for part in PARTS})
    targets = await _calibrated(edge)
    at_once = {"maxReplicas": 2, "scaleUpTolerancePercentage": _TOLERANCE_PERCENT}
    scaling = {part: {**at_once, "targetCPUUtilizationPercentage": targets[part]} for part in PARTS}
    scaled = {part: {"resources": resources, "autoscaling": scaling[part]} for part in PARTS}
    async with poster(edge.url, edge.access) as client, _subscribers(edge, client, _SUBSCRIBERS) as told:
        begun = time.perf_counter()
        with Pods(edge.service, begun) as pods:
            await _watched_over(edge, client, scaled)
            up, down = await _doubled(edge, client, pods)
            ended = time.perf_counter()
            await _silence(pods)
        await asyncio.sleep(_STRAGGLERS_SECONDS)
        stored = await client.stored()
    missing = sum(stored.get(number, 0) != 1 for number in client.acknowledged)
    return Step(up - begun, down - begun, ended - begun, pods, client, told, targets, missing)


async def _applied(edge: Edge, spec: dict[str, Any]) -> None:
    await asyncio.to_thread(edge.service.apply, **{**EXPOSED, **spec})
    await asyncio.to_thread(edge.service.await_ready)


@asynccontextmanager
async def _subscribers(edge: Edge, client: Poster, count: int) -> AsyncIterator[list[Told]]:
    """So many, who come at once."""
    async with AsyncExitStack() as stack:
        coming = (stack.enter_async_context(subscribed(edge.broker, client.topic, edge.access)) for _ in range(count))
        yield await asyncio.gather(*coming)


async def _calibrated(edge: Edge) -> dict[str, int]:
    """The autoscalers' targets, in percent of what a pod requests."""
    async with poster(edge.url, edge.access) as client, _subscribers(edge, client, _SUBSCRIBERS) as told:
        await warm(client, told[0])
        async with _subscribers(edge, client, _SUBSCRIBERS):
            await client.paced(2 * _RATE, _for(_WARM_SECONDS))
            high = await _looked(edge, client, 2 * _RATE)
        # Last, so that this is what the autoscalers see first.
        low = await _looked(edge, client, _RATE)
    return {part: target(low[part], high[part]) for part in PARTS}


def _for(seconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() < end


async def _looked(edge: Edge, client: Poster, rate: float) -> dict[str, float]:
    """Cores that a pod uses under a load: the median of what metrics-server says."""
    posting = asyncio.create_task(client.paced(rate, _for(_CALIBRATION_SECONDS)))
    await asyncio.sleep(_SETTLED_SECONDS)
    looks = []
    while not posting.done():
        looks.append(await asyncio.to_thread(used, edge.service))
        await asyncio.wait([posting], timeout=_METRICS_SECONDS)
    return {part: median(look[part] for look in looks) for part in PARTS}


def target(low: float, high: float) -> int:
    """What an autoscaler is to hold, in percent of what a pod requests; given are cores of one pod.

    Above what two pods use at the low load, each with what it uses for itself: else the second one would stay. And so
    far below what one uses at the high load that it is scaled out; nearer to the low load, as the first look at the
    step sees an average of both.
    """
    two = 3 * low - high
    least, most = max(two, low), high / (1 + _TOLERANCE_PERCENT / 100)
    held = least * math.pow(most / least, _NEAR)
    return min(100, max(1, round(100 * 1000 * held / _MILLICORES)))


async def _watched_over(edge: Edge, client: Poster, scaled: dict[str, Any]) -> None:
    """The load as it is before the step, and autoscalers once it settled: its first seconds cost more than others."""
    applied = asyncio.Event()
    settling = asyncio.create_task(client.paced(_RATE, lambda: not applied.is_set()))
    await asyncio.sleep(_SETTLED_SECONDS)
    await _applied(edge, scaled)
    applied.set()
    await settling


async def _doubled(edge: Edge, client: Poster, pods: Pods) -> tuple[float, float]:
    """The load by itself: when it doubled and when it halved again, by ``time.perf_counter``."""
    await client.paced(_RATE, _for(_BEFORE_SECONDS))
    up = time.perf_counter()
    # They come while twice as many Observations do: that is the step.
    arrived = asyncio.Event()
    arriving = asyncio.create_task(client.paced(2 * _RATE, lambda: not arrived.is_set()))
    async with _subscribers(edge, client, _SUBSCRIBERS):
        arrived.set()
        await arriving
        most, held = up + _MOST_SECONDS, math.inf

        def going() -> bool:
            nonlocal held
            now = time.perf_counter()
            if held == math.inf and all(pods.now(part) > 1 for part in PARTS):
                held = now + _HELD_SECONDS
            return now < min(most, held)

        await client.paced(2 * _RATE, going)
    down = time.perf_counter()
    lasts = _for(_AFTER_SECONDS)
    await client.paced(_RATE, lambda: lasts() and _is_scaled_out(pods))
    return up, down


async def _silence(pods: Pods) -> None:
    for _ in range(_SILENT_SAMPLES):
        if not _is_scaled_out(pods):
            return
        await asyncio.sleep(SAMPLE_SECONDS)


def _is_scaled_out(pods: Pods) -> bool:
    return any(pods.now(part) > 1 for part in PARTS)
