"""Has the delivery of a service verified beside the passes, and starts a pod anew that delivers nothing.

Used by the reconcile in each pass.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sensorthings_operator.clients.delivery import SHORT_PATIENCE_SECONDS, DeliveryChecks, DeliveryTarget
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.delivery import FINE_UNKNOWN, DeliveryReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import delivery, keycloak
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.delivery import last_check, target
from sensorthings_operator.observe.probes import Probes

_LOG: Final = logging.getLogger(__name__)
EVICTED: Final = "DeafPodEvicted"
"""Reason of the Event about a pod that is started anew; no condition has it."""
_MOST_EVICTIONS: Final = 3
_EVICTIONS_SECONDS: Final = 3600.0
"""In which so many pods of a service are started anew at most: more would hide what else is wrong."""
_SOON_SECONDS: Final = 120.0
"""After a pod was started anew, in which the next check is about whether that was the right one."""

Body = Mapping[str, Any]
Warn = Callable[[Service, str, str], None]
"""Tells of something in an Event: the service, a reason, and a note for people."""


@dataclass(frozen=True)
class _Eviction:
    """Of one pod, by the operator's own clock in seconds."""

    at: float
    of_mqtt: bool
    bus: tuple[Pod, ...]
    """Of that time: after another start of it all modules may have to look for it again."""


def _unknown(message: str) -> Answer:
    return Answer(holds=False, reason=DeliveryReason.NOT_VERIFIED, message=message)


class Delivery:
    """Knows the last check of each service, and which pods were started anew because of one."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        client: KubernetesClient,
        store: OwnedStore,
        settings: OperatorSettings,
        checks: DeliveryChecks,
        probes: Probes[DeliveryTarget] | None,
        *,
        warn: Warn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._store = store
        self._settings = settings
        self._checks = checks
        self._probes = probes
        """None where the operator's settings want no checks."""
        self._warn = warn
        self._clock = clock
        self._evicted: dict[ServiceKey, dict[str, _Eviction]] = {}
        """Of each pod, by its uid; the last one last."""

    def forget(self, key: ServiceKey) -> None:
        """Look no longer."""
        self._evicted.pop(key, None)
        if self._probes is not None:
            self._probes.forget(key)

    async def look(self, body: Body, service: Service) -> Answer | None:
        """What the last check found, and what was done about it; None where nobody looks."""
        if self._probes is None:
            return None
        asked = target(self._store, service, self._settings)
        if not delivery.is_wanted(service):
            self._probes.forget(service.key)
            return await self._removed(body, asked)
        before = last_check(body)
        if keycloak.is_used(service) and keycloak.realm_of(service, self._settings) is None:
            self._probes.forget(service.key)
            return _unknown("checks need a token, and the realm is not known: AuthConfigured says more")
        if asked is None:
            self._probes.forget(service.key)
            # A pod that was found wanting is on its way out: that stands until it is known better.
            wanting = before is not None and not before.holds and before.reason not in FINE_UNKNOWN
            return before if wanting else _unknown("there are no pods to ask: both modules need one that is ready")
        asked = replace(asked, patience_seconds=self._patience_seconds(service.key, asked))
        answer = self._probes.watch(service.key, asked, known=before)
        if answer is None:
            return before or _unknown("the first check runs")
        return answer if service.spec.paused else await self._restored(service, asked, answer)

    async def _removed(self, body: Body, asked: DeliveryTarget | None) -> Answer | None:
        """Delete what checks kept in the data; None once it is gone."""
        if last_check(body) is None:
            return None
        left = "a module has no pod that is ready" if asked is None else await self._checks.remove(asked)
        return _unknown(f"what the check kept in the data is not deleted yet: {left}") if left else None

    async def _restored(self, service: Service, asked: DeliveryTarget, answer: Answer) -> Answer:
        """Start one of the pods anew that the answer is about; the answer, with what was done."""
        recent = self._recent(service.key)
        pods = [pod for pod in _in_turn(asked, recent) if pod.name in answer.pods]
        if not pods:
            return answer
        done = next((pod for pod in pods if pod.uid in recent), None)
        if done is None and len(recent) >= _MOST_EVICTIONS:
            told = f"{_MOST_EVICTIONS} pods were started anew within an hour, and that did not help"
            return replace(answer, message=f"{answer.message}. {told}: look at the logs of the bus and of the modules")
        if done is None:
            done = pods[0]
            problem = await self._evict(service, done, answer)
            if problem:
                return replace(answer, message=f"{answer.message}; pod {done.name} can't be evicted: {problem}")
            recent[done.uid] = _Eviction(self._clock(), done in asked.mqtt, asked.bus)
        self._evicted[service.key] = recent
        return replace(answer, message=f"{answer.message}: pod {done.name} is started anew")

    def _recent(self, key: ServiceKey) -> dict[str, _Eviction]:
        since = self._clock() - _EVICTIONS_SECONDS
        return {uid: each for uid, each in self._evicted.get(key, {}).items() if each.at > since}

    def _patience_seconds(self, key: ServiceKey, asked: DeliveryTarget) -> float:
        uid, last = _last(self._recent(key))
        went = all(pod.uid != uid for pod in (*asked.http, *asked.mqtt))
        soon = last is not None and last.bus == asked.bus and self._clock() - last.at < _SOON_SECONDS
        return SHORT_PATIENCE_SECONDS if soon and went else asked.patience_seconds

    async def _evict(self, service: Service, pod: Pod, answer: Answer) -> str:
        """Why that is not possible now, such as for a PodDisruptionBudget; empty where the pod goes, or went."""
        try:
            await self._client.evict(service.namespace, pod.name, uid=pod.uid)
        except NotFoundError:
            return ""
        except ApiError as error:
            return error.message
        _LOG.warning("evicted pod %s: %s", pod.name, answer.message, extra={"service": "/".join(service.key)})
        self._warn(service, EVICTED, f"evicted pod {pod.name}: {answer.message}")
        return ""


def _last(recent: Mapping[str, _Eviction]) -> tuple[str, _Eviction | None]:
    """With the uid of the pod."""
    return next(reversed([*recent.items()]), ("", None))


def _in_turn(asked: DeliveryTarget, recent: Mapping[str, _Eviction]) -> tuple[Pod, ...]:
    """All pods, those first that are started anew first: of the other module, where the last one did not help."""
    _, last = _last(recent)
    if last is not None and last.of_mqtt:
        return (*asked.http, *asked.mqtt)
    return (*asked.mqtt, *asked.http)
