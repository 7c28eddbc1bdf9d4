"""Where a service is asked what its data is, and how often. Used by ``cataloguing``."""

from collections.abc import Awaitable, Callable
from typing import Final

from sensorthings_operator.clients.datasets import DataTarget, Group
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe import serving
from sensorthings_operator.observe.probes import Probes, afresh

_SECONDS_BETWEEN: Final = 10.0
"""Between two services: each takes some five requests for each of its layers."""
_LONGEST_DELAY_SECONDS: Final = 300.0
_AT_ONCE: Final = 2


def catalogue_probes(
    ask: Callable[[DataTarget], Awaitable[Answer]],
    *,
    changed: Callable[[ServiceKey], None],
    interval_seconds: float,
) -> Probes[DataTarget]:
    """One probe for each service that has a catalogue."""
    return Probes(
        afresh(ask),
        surprised=CatalogueReason.NOT_READ.value,
        changed=changed,
        interval_seconds=interval_seconds,
        concurrency=_AT_ONCE,
        seconds_between=_SECONDS_BETWEEN,
        longest_delay_seconds=_LONGEST_DELAY_SECONDS,
    )


def target(store: OwnedStore, service: Service, settings: OperatorSettings) -> DataTarget | None:
    """What is asked, and of which pod: the first of the HTTP module that is ready; None where there is none."""
    spec, pod = service.spec.catalogue, serving.http_pod(store, service)
    if spec is None or pod is None:
        return None
    groups = [
        Group(group.service_name, tuple(layer.layer_name for layer in group.layers), group.unlisted == "Publish")
        for group in spec.datasets
    ]
    return DataTarget(
        pod,
        service.spec.root_path,
        tuple(groups),
        places=spec.spatial is None,
        sign_in=serving.to_read(service, settings),
    )
