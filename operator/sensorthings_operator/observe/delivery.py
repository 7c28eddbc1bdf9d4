"""Which pods the check of delivery asks, how often, and what a status says of the last check. Used by ``delivery``."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sensorthings_operator.clients.delivery import DeliveryTarget
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.delivery import DELIVERY_VERIFIED, DeliveryReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import bus, delivery, http, mqtt, sidecar
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe import serving
from sensorthings_operator.observe.answers import last_answer
from sensorthings_operator.observe.probes import Probes, afresh

_SECONDS_BETWEEN: Final = 10.0
"""Between two checks of services that deliver: each costs some ten requests."""
_LONGEST_DELAY_SECONDS: Final = 60.0
"""Until a service that does not deliver, or can't be reached, is looked at again."""
_AT_ONCE: Final = 16
"""Few connections each, but one that waits for a deaf pod does so for more than a minute, and others must not."""


def ready_pod(live: Mapping[str, Any]) -> Pod | None:
    """Where a pod is reached; None while it is not ready, or ends."""
    status, metadata = live.get("status", {}), live["metadata"]
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ()))
    if not ready or metadata.get("deletionTimestamp") or "podIP" not in status:
        return None
    restarts = sum(each.get("restartCount", 0) for each in status.get("containerStatuses", ()))
    return Pod(metadata["name"], metadata["uid"], status["podIP"], restarts)


def delivery_probes(
    verify: Callable[[DeliveryTarget], Awaitable[Answer]],
    *,
    changed: Callable[[ServiceKey], None],
    interval_seconds: float,
) -> Probes[DeliveryTarget]:
    """Checks of services; one that delivers is looked at again every ``interval_seconds``."""
    return Probes(
        afresh(verify),
        surprised=DeliveryReason.NOT_VERIFIED.value,
        changed=changed,
        interval_seconds=interval_seconds,
        concurrency=_AT_ONCE,
        seconds_between=_SECONDS_BETWEEN,
        longest_delay_seconds=_LONGEST_DELAY_SECONDS,
    )


def target(store: OwnedStore, service: Service, settings: OperatorSettings) -> DeliveryTarget | None:
    """The pods of a service that are ready; None where a module has none."""
    found: dict[str, list[Pod]] = {http.COMPONENT: [], mqtt.COMPONENT: [], bus.COMPONENT: []}
    for child in store.of_service(service.key):
        if child.kind == "Pod" and isinstance(child.figures, Pod) and child.component in found:
            found[child.component].append(child.figures)
    if not found[http.COMPONENT] or not found[mqtt.COMPONENT]:
        return None
    return DeliveryTarget(
        root_path=service.spec.root_path,
        http=tuple(found[http.COMPONENT]),
        mqtt=tuple(found[mqtt.COMPONENT]),
        bus=tuple(found[bus.COMPONENT]),
        mqtt_port=delivery.mqtt_port(service),
        tls=sidecar.is_wanted(service),
        sign_in=serving.to_write(service, settings),
    )


def last_check(body: Mapping[str, Any]) -> Answer | None:
    """What the status of a service says of the last check."""
    return last_answer(body, DELIVERY_VERIFIED.type, set(DeliveryReason))
