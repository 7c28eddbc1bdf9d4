"""The NetworkPolicy of a connector's pods: nobody reaches them; they reach DNS, the service, and ports asked for."""

from typing import Final
from urllib.parse import urlsplit

from sensorthings_operator.desired.connector.feed import Feed, metadata, selector
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.networkpolicy import DNS_PORTS, HTTP_PORTS, HTTPS_PORTS, rule
from sensorthings_operator.desired.settings import OperatorSettings


def build(feed: Feed, settings: OperatorSettings) -> list[Manifest]:
    """The policy; none where the operator's settings say so."""
    container = feed.connector.spec.container
    if not settings.network_policies or container is None:
        return []
    ports = sorted({*_service_ports(feed.url(settings)), *container.egress_ports})
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(feed.connector, feed.connector.workload_name),
            "spec": {
                "podSelector": {"matchLabels": selector(feed.connector)},
                "policyTypes": ["Ingress", "Egress"],
                "egress": [rule(DNS_PORTS, protocols=("UDP", "TCP")), rule(ports)],
            },
        }
    ]


_SCHEMES: Final = {"https": HTTPS_PORTS, "http": HTTP_PORTS}


def _service_ports(url: str) -> tuple[int, ...]:
    """Anywhere: a policy knows no names, and the address may be the load balancer's or the ingress controller's."""
    parts = urlsplit(url)
    return (*_SCHEMES[parts.scheme], *(() if parts.port is None else (parts.port,)))
