"""Where a service is asked what its data is, and how often. Used by ``cataloguing``."""

from collections.abc import Awaitable, Callable
from typing import Final

from sensorthings_operator.clients.access import PasswordOwner
from sensorthings_operator.clients.datasets import DataTarget, Group
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import basic, http, keycloak
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
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
    spec = service.spec.catalogue
    pods = [
        child.figures
        for child in store.of_service(service.key)
        if child.kind == "Pod" and child.component == http.COMPONENT and isinstance(child.figures, Pod)
    ]
    if spec is None or not pods:
        return None
    groups = [
        Group(group.service_name, tuple(layer.layer_name for layer in group.layers), group.unlisted == "Publish")
        for group in spec.datasets
    ]
    signs_in = not service.spec.auth.anonymous_read
    by_token, by_password = signs_in and keycloak.is_used(service), signs_in and basic.is_used(service)
    return DataTarget(
        min(pods, key=lambda pod: pod.name),
        service.spec.root_path,
        tuple(groups),
        places=spec.spatial is None,
        realm=keycloak.realm_of(service, settings) if by_token else None,
        client=keycloak.delivery_client_of(service) if by_token else None,
        user=PasswordOwner(service.namespace, basic.delivery_secret_name(service)) if by_password else None,
    )
