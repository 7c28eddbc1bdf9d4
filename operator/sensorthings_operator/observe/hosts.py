"""Looks up in DNS where a service's host leads, and holds it against where its routes are. Used by ``outside``.

The operator sees the DNS of its cluster, and an address may be translated on the way: ``Ready`` does not depend on it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.conditions.host import HOST_RESOLVED, HostReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe.answers import last_answer
from sensorthings_operator.observe.probes import Probes, afresh

_INTERVAL_SECONDS: Final = 300.0
_LONGEST_DELAY_SECONDS: Final = 60.0
_AT_ONCE: Final = 4
"""The resolver blocks a thread for each."""

Resolve = Callable[[str], Awaitable[frozenset[str]]]
"""The addresses of a name; empty where DNS has none."""


@dataclass(frozen=True)
class HostTarget:
    """A host, and where it should lead."""

    host: str
    routes: tuple[str, ...]
    """Addresses or names of what the routes are of; empty where that is not known."""


async def resolve(name: str) -> frozenset[str]:
    """Ask the resolver of the operator's pod."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return frozenset()
    return frozenset(str(address[0]) for _, _, _, _, address in found)


def host_probes(resolved: Resolve, *, changed: Callable[[ServiceKey], None]) -> Probes[HostTarget]:
    """Look hosts up; one that leads to its routes is looked up again every five minutes."""

    async def asked(target: HostTarget) -> Answer:
        # Messages name no address of the host: some answers of DNS differ from one time to the next.
        found = await resolved(target.host)
        if not found:
            told = f"DNS has no address for {target.host}: make a record for it{_where(target)}"
            return Answer(holds=False, reason=HostReason.UNKNOWN, message=told)
        wanted = frozenset[str]().union(*[await resolved(each) for each in target.routes])
        if wanted and not found & wanted:
            told = f"DNS leads {target.host} elsewhere: unless that leads on, make its record one{_where(target)}"
            return Answer(holds=False, reason=HostReason.ELSEWHERE, message=told)
        return Answer(holds=True, reason=HostReason.HERE, message=f"DNS leads {target.host} to its routes")

    return Probes(
        afresh(asked),
        surprised=HostReason.UNKNOWN.value,
        changed=changed,
        interval_seconds=_INTERVAL_SECONDS,
        concurrency=_AT_ONCE,
        longest_delay_seconds=_LONGEST_DELAY_SECONDS,
    )


def _where(target: HostTarget) -> str:
    return f" that leads to {', '.join(target.routes)}" if target.routes else ""


def look(probes: Probes[HostTarget], store: OwnedStore, service: Service, body: Mapping[str, Any]) -> Answer | None:
    """What is known of the service's host; None where it has none, or none that clients could come to yet."""
    host, routes = service.spec.host, _routes(store, service)
    if host is None or routes is None:
        probes.forget(service.key)
        return None
    before = last_answer(body, HOST_RESOLVED.type, set(HostReason) - {HostReason.NOT_ASKED})
    return probes.watch(service.key, HostTarget(host, routes), known=before) or before


def _routes(store: OwnedStore, service: Service) -> tuple[str, ...] | None:
    """Where the routes of a service are; None while they are nowhere."""
    if service.spec.exposure.type == "None":
        return None
    kind = "Ingress" if addresses.exposed(service) is not None else "Gateway"
    found = [child.figures for child in store.of_service(service.key) if child.kind == kind and child.figures]
    if not found and addresses.exposed(service) is not None:
        return None
    return tuple(sorted({address for each in found for address in each}))


def ingress_addresses(live: Mapping[str, Any]) -> tuple[str, ...]:
    """Where an ingress controller says that clients reach it (networking.k8s.io/v1, IngressLoadBalancerIngress)."""
    told = live.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return tuple(sorted(each.get("ip") or each.get("hostname", "") for each in told))


def gateway_addresses(live: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a Gateway is reached (gateway.networking.k8s.io/v1, GatewayStatusAddress)."""
    return tuple(sorted(each["value"] for each in live.get("status", {}).get("addresses") or ()))
