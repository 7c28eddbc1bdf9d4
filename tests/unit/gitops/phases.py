"""A service in each phase of its life: the status that the operator writes, and what each tool shall make of it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

from sensorthings_operator.apply.status import build, build_invalid
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.observed import Answer, ApplyProblem, Observed, SchemaJob
from sensorthings_operator.conditions.unobserved import invalid_verdicts
from tests.unit.api.examples import Manifest
from tests.unit.gitops.kstatus import Status
from tests.unit.operator.samples import body, observed, service, workload

ArgoHealth = Literal["Progressing", "Degraded", "Suspended", "Healthy"]
_NOW: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)
UNSEEN: Final[Manifest] = {"observedGeneration": -1}
"""The status that the API server gives an object that the operator has not looked at: the CRD's default."""


def written(seen: Observed, spec: Manifest | None = None) -> Manifest:
    """A service as the API server has it after a pass that saw this."""
    live = body(spec, generation=seen.service.generation)
    status = build(live, seen, evaluate(seen), (), _NOW)
    return {**live, "status": orjson.loads(orjson.dumps(status))}


@dataclass(frozen=True)
class Phase:
    """A moment in the life of a service."""

    name: str
    live: Manifest
    kstatus: Status
    argo_cd: ArgoHealth
    flux: Status
    """With the expressions of the example."""


def _phase(name: str, common: Status, argo_cd: ArgoHealth, spec: Manifest | None = None, **seen: Any) -> Phase:
    live = written(observed(service=service(spec), **seen), spec)
    return Phase(name, live, common, argo_cd, flux=common)


def _refused(kind: str) -> tuple[ApplyProblem, ...]:
    return (ApplyProblem(kind, "air", "NameTaken", "it is another's"),)


def _unreachable(reason: str) -> Answer:
    return Answer(False, reason, "told")


def _invalid() -> Manifest:
    live = body()
    return {**live, "status": build_invalid(live, invalid_verdicts("UnknownVersion", ["no such version"]), _NOW)}


_NEW: Final = {"bus": None, "http": None, "mqtt": None, "managed_database": None, "schema": None, "database": None}
_HIBERNATED: Final[Manifest] = {"hibernated": True}
_PAUSED: Final[Manifest] = {"paused": True}
_ASLEEP: Final = {name: workload(0) for name in ("bus", "http", "mqtt", "managed_database")}
_EDITED: Final = written(replace(observed(), service=service()))

PHASES: Final = (
    Phase("unseen", {**body(), "status": UNSEEN}, "InProgress", "Progressing", "InProgress"),
    Phase(
        "edited and not seen again",
        {**_EDITED, "metadata": {**_EDITED["metadata"], "generation": 2}},
        "InProgress",
        "Progressing",
        "InProgress",
    ),
    _phase("just made", "InProgress", "Progressing", **_NEW),
    _phase("migrating", "InProgress", "Progressing", schema=SchemaJob("Running"), http=None, mqtt=None),
    _phase("starting", "InProgress", "Progressing", http=workload(available=0), mqtt=workload(available=0)),
    _phase("serving", "Current", "Healthy"),
    _phase("rolling out", "InProgress", "Progressing", http=workload(3, available=2, settled=False)),
    _phase("without its database", "InProgress", "Progressing", database=_unreachable("DatabaseUnreachable")),
    _phase("without a Secret", "Failed", "Degraded", missing_secrets={"air-db": "it is not there"}),
    _phase("with a wrong password", "Failed", "Degraded", database=_unreachable("CredentialsRefused")),
    _phase("with a failed migration", "Failed", "Degraded", schema=SchemaJob("Failed", "why")),
    _phase("with a rollout that is stuck", "Failed", "Degraded", http=workload(2, settled=False, stuck="too long")),
    _phase("with a child that was refused", "Failed", "Degraded", apply_problems=_refused("Deployment")),
    Phase("with a spec that can't be acted on", _invalid(), "Failed", "Degraded", "Failed"),
    # kstatus knows nothing that is switched off: it waits for a Ready that nobody asked for.
    replace(_phase("hibernated", "InProgress", "Suspended", _HIBERNATED, **_ASLEEP), flux="Current"),
    _phase("paused while it serves", "Current", "Suspended", _PAUSED),
    _phase("paused before it served", "InProgress", "Suspended", _PAUSED, http=None, mqtt=None),
)
