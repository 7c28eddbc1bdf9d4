"""What is seen of a connector: its service, its pods, and what the token service said. Used by its reconcile."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sensorthings_operator.api.connector import KIND
from sensorthings_operator.api.parse import InvalidSpec, parse_service
from sensorthings_operator.apply.outcome import Applied, Outcome
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions import connector as conditions
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.connector import ObservedConnector
from sensorthings_operator.conditions.observed import ApplyProblem, PodState, Workload
from sensorthings_operator.desired.connector import grant
from sensorthings_operator.desired.connector.feed import Connector
from sensorthings_operator.desired.metadata import CONNECTOR_LABEL
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe import summaries
from sensorthings_operator.observe.bodies import Body

SUMMARIES: Final = {"Deployment": summaries.deployment, "CronJob": lambda _: True, "Pod": summaries.pod}
"""What is kept of the status of a connector's children, by kind."""


def connector_store() -> OwnedStore:
    """For the children of connectors."""
    return OwnedStore(SUMMARIES, owner_kind=KIND, owner_label=CONNECTOR_LABEL)


def service_of(connector: Connector, body: Body | None) -> tuple[Service | None, Verdict]:
    """The service that a connector names, where it may feed it, and what is to be said about that."""
    namespace, name = connector.service_key
    where = f"SensorThingsService {namespace}/{name}"
    if body is None or body["metadata"].get("deletionTimestamp"):
        return None, conditions.missing(where)
    metadata = body["metadata"]
    try:
        spec = parse_service(body, unknown_fields="ignore").spec
    except InvalidSpec:
        return None, conditions.invalid(where)
    service = Service(name, namespace, metadata["uid"], metadata["generation"], spec)
    refusal = grant.refusal(connector, service)
    return (None, conditions.not_allowed(refusal)) if refusal else (service, conditions.found(where))


def gather(
    store: OwnedStore, connector: Connector, body: Body, service: Verdict, applied: Sequence[Applied]
) -> ObservedConnector:
    """All that is known of a connector."""
    children = list(store.of_service(connector.key))
    pods = [child.summary for child in children if isinstance(child.summary, PodState)]
    workloads = [child.summary for child in children if isinstance(child.summary, Workload)]
    return ObservedConnector(
        connector,
        service,
        _token(body.get("status", {})),
        workload=next(iter(workloads), None),
        scheduled=any(child.kind == "CronJob" for child in children),
        pod_problems=tuple(problem for pod in pods for problem in pod.problems),
        apply_problems=tuple(
            ApplyProblem(each.kind, each.name, each.reason, each.message)
            for each in applied
            if each.outcome is Outcome.REFUSED
        ),
        restarts=sum(pod.restarts for pod in pods),
    )


def _token(status: Mapping[str, Any]) -> Verdict | None:
    """What the token service wrote."""
    for condition in status.get("conditions", ()):
        if condition["type"] == conditions.TOKEN_ISSUED:
            expected = condition["reason"] == conditions.ConnectorReason.SUSPENDED
            return Verdict(condition["status"], condition["reason"], condition["message"], expected=expected)
    return None
