"""Where the service of a connector is asked for what arrived, and how often. Used by the connectors' reconcile."""

from collections.abc import Awaitable, Callable

from sensorthings_operator.clients.arrivals import NOT_ASKED, ArrivalTarget
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired.connector.feed import Feed
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe import serving
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
    pod = serving.http_pod(services, feed.service)
    if pod is None:
        return None
    sign_in = serving.to_read(feed.service, settings)
    return ArrivalTarget(pod, feed.service.spec.root_path, feed.connector.observations, sign_in)
