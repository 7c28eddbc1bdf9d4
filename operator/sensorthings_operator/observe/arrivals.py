"""Where the service of a connector is asked for what arrived, and how often. Used by the connectors' reconcile."""

from collections.abc import Awaitable, Callable

from sensorthings_operator.clients.access import PasswordOwner
from sensorthings_operator.clients.arrivals import NOT_ASKED, ArrivalTarget
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import basic, http, keycloak
from sensorthings_operator.desired.connector.feed import Feed
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.probes import Probes, afresh


def arrival_probes(
    ask: Callable[[ArrivalTarget], Awaitable[Answer]],
    *,
    changed: Callable[[ServiceKey], None],
    interval_seconds: float,
) -> Probes[ArrivalTarget]:
    """One probe for each connector."""
    return Probes(
        afresh(ask), surprised=NOT_ASKED, changed=changed, interval_seconds=interval_seconds, longest_delay_seconds=60
    )


def target(services: OwnedStore, feed: Feed, settings: OperatorSettings) -> ArrivalTarget | None:
    """The first HTTP pod of the service that is ready; None where there is none.

    Args:
        services: The children of services.
        feed: The connector and its service.
        settings: With the realms.
    """
    service = feed.service
    pods = [
        child.figures
        for child in services.of_service(service.key)
        if child.kind == "Pod" and child.component == http.COMPONENT and isinstance(child.figures, Pod)
    ]
    if not pods:
        return None
    signs_in = not service.spec.auth.anonymous_read
    by_token, by_password = signs_in and keycloak.is_used(service), signs_in and basic.is_used(service)
    return ArrivalTarget(
        min(pods, key=lambda pod: pod.name),
        service.spec.root_path,
        feed.connector.observations,
        realm=keycloak.realm_of(service, settings) if by_token else None,
        client=keycloak.delivery_client_of(service) if by_token else None,
        user=PasswordOwner(service.namespace, basic.delivery_secret_name(service)) if by_password else None,
    )
