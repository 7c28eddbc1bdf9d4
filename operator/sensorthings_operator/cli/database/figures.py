"""What the operator knows of a database's servers: its own metrics, read through the API server's proxy of its pod.

The servers may be out of reach of who asks, and nobody has to read a Secret.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.parser import text_string_to_metric_families

from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.status.cluster import AnswerError
from sensorthings_operator.cli.status.snapshot import Kind
from sensorthings_operator.desired.metadata import FIELD_MANAGER
from sensorthings_operator.health import PORT
from sensorthings_operator.observe.databasefigures import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.samples import Sample

    from sensorthings_operator.cli.status.cluster import Cluster
    from sensorthings_operator.cli.status.snapshot import Object

_PODS: Final = Kind("Pod", "v1", "pods")
_LABELS: Final = f"app.kubernetes.io/name={FIELD_MANAGER}"


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a database, as the operator last saw it; None stands for what it does not know."""

    host: str
    answers: bool | None = None
    role: str = ""
    version: str = ""
    lag_seconds: float | None = None
    lag_bytes: float | None = None
    sync: str = ""
    connections: float | None = None
    connection_limit: float | None = None
    size_bytes: float | None = None

    def record(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def told(cluster: Cluster, namespace: str, live: Object) -> tuple[Server, ...]:
    """The servers of a service's database, in the operator's words.

    Args:
        cluster: Where the operator runs.
        namespace: Of the operator.
        live: The service.

    Raises:
        ClusterError: The API server does not answer.
        SensorThingsError: The operator is not there, does not answer or has not looked, or this user may not ask it.
    """
    where = f"namespace {namespace}"
    try:
        pods = cluster.labelled(_PODS, namespace, _LABELS)
    except AnswerError as error:
        raise _refused(error, "its pods can't be listed", where) from error
    if not pods:
        raise SensorThingsError(
            "There is no operator", where=where, remedy="Name its namespace with --operator-namespace."
        )
    failed: AnswerError | None = None
    for pod in pods:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}:{PORT}/proxy/metrics"
        try:
            found = servers(cluster.text(path), live["metadata"])
        except AnswerError as error:
            failed = error
            continue
        if found:
            return found
    if failed is not None:
        raise _refused(failed, "it can't be asked", where) from failed
    raise SensorThingsError(
        "The operator has not looked at the database yet", where=where, remedy="See the condition DatabaseReachable."
    )


def _refused(error: AnswerError, what: str, where: str) -> SensorThingsError:
    remedy = "Look whether the operator's pod is ready."
    if error.status == 403:
        remedy = "Ask for the right to list pods and to get pods/proxy in the operator's namespace."
    return SensorThingsError(f"What the operator knows is not shown: {what}: {error}", where=where, remedy=remedy)


def servers(exposition: str, service: dict[str, Any]) -> tuple[Server, ...]:
    """The servers of one service in the text that Prometheus scrapes, by their hosts."""
    mine = {"namespace": service["namespace"], "service": service["name"]}
    known: dict[str, dict[str, Any]] = {}
    for sample in _samples(exposition):
        if mine.items() <= sample.labels.items():
            known.setdefault(sample.labels["host"], {}).update(_fields(sample))
    return tuple(Server(host, **known[host]) for host in sorted(known))


def _samples(exposition: str) -> Iterable[Sample]:
    # What begins with a comment is help and types; nothing else of the operator's is parsed.
    lines = (line for line in exposition.splitlines() if line.startswith(f"{PREFIX}_"))
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    return (sample for family in families for sample in family.samples)


def _fields(sample: Sample) -> dict[str, Any]:
    """What a sample says of its server."""
    name, labels = sample.name.removeprefix(f"{PREFIX}_"), sample.labels
    match name:
        case "up":
            return {"answers": sample.value == 1}
        case "info":
            return {each: labels[each] for each in ("role", "version", "sync")}
        case "connections":
            return {"connections" if labels["state"] == "used" else "connection_limit": sample.value}
        case "lag_seconds" | "lag_bytes" | "size_bytes":
            return {name: sample.value}
        case _:
            # Of a newer operator.
            return {}
