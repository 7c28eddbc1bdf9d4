"""Whether what a spec refers to is there: an issuer, an IngressClass, a Gateway. Used by the reconcile.

Nobody tells of what does not exist: cert-manager and ingress controllers wait for it in silence. So it is looked for
where something that needs it is not well, and only then. An operator that may not look says nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import (
    CLUSTER_ISSUERS,
    GATEWAYS,
    INGRESS_CLASSES,
    ISSUERS,
    Resource,
)
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.conditions.references import ReferenceState
from sensorthings_operator.desired import addresses

_LONGEST_MESSAGE: Final = 500
_FORBIDDEN: Final = 403


@dataclass(frozen=True)
class _Reference:
    """An object that is named by a spec; ``namespace`` is None for one of the whole cluster."""

    resource: Resource
    namespace: str | None
    name: str


async def look(client: KubernetesClient, observed: Observed) -> Mapping[str, Answer]:
    """What is wrong with what the spec refers to, by kind; nothing where all is well or nobody may know.

    Raises:
        ApiError: The API server could not be asked.
    """
    found = {}
    for reference in _worth_a_look(observed):
        answer = await _look(client, reference)
        if answer is not None:
            found[reference.resource.kind] = answer
    return found


def _worth_a_look(observed: Observed) -> Iterator[_Reference]:
    service = observed.service
    certificate, answer = service.spec.certificate, observed.certificate
    if certificate is not None and answer is not None and not answer.holds:
        issuer = certificate.issuer_ref
        resource, namespace = (ISSUERS, service.namespace) if issuer.kind == "Issuer" else (CLUSTER_ISSUERS, None)
        yield _Reference(resource, namespace, issuer.name)
    ingress, gateway = addresses.exposed(service), addresses.gateway(service)
    if ingress is not None and not all(observed.ingresses.values()):
        yield _Reference(INGRESS_CLASSES, None, ingress.class_name)
    if gateway is not None and gateway.name is not None and not all(a.holds for a in observed.gateway_routes.values()):
        yield _Reference(GATEWAYS, gateway.namespace or service.namespace, gateway.name)


async def _look(client: KubernetesClient, reference: _Reference) -> Answer | None:
    kind = reference.resource.kind
    where = f"{kind} {reference.name}" + (f" in the namespace {reference.namespace}" if reference.namespace else "")
    try:
        live = await client.get(reference.resource, reference.namespace, reference.name)
    except NotFoundError:
        return Answer(holds=False, reason=ReferenceState.MISSING, message=f"there is no {where}")
    except ApiError as error:
        if error.status == _FORBIDDEN:
            return None
        raise
    trouble = _not_ready(live) if kind.endswith("Issuer") else None
    if trouble is None:
        return None
    return Answer(holds=False, reason=ReferenceState.NOT_READY, message=f"{where} is not ready: {trouble}")


def _not_ready(live: Mapping[str, Any]) -> str | None:
    """What cert-manager says of an issuer that can't issue (cert-manager.io/v1, IssuerCondition)."""
    for condition in live.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready" and condition["status"] == "False":
            told = f"{condition.get('reason', '')}: {condition.get('message', '')}"
            return told[:_LONGEST_MESSAGE].rstrip(" .\n")
    return None
