"""Ready, Reconciling and Stalled: the whole service in the terms of kstatus, which GitOps tools read.

Ready says whether clients are served as the spec wants; Reconciling that something is on its way; Stalled that nothing
will move until somebody does something (https://github.com/kubernetes-sigs/cli-utils, pkg/kstatus).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sensorthings_operator.conditions import auth, delivery, references, routes
from sensorthings_operator.conditions.chain import Verdict, pod_problem
from sensorthings_operator.conditions.observed import Observed, Workload
from sensorthings_operator.desired import addresses, bus, databases, http, mqtt, reads

_FINE_UNKNOWN: Final = {"BusExternal", *delivery.FINE_UNKNOWN}
_NEEDS_SOMEBODY: Final = frozenset(
    {
        "SchemaFailed",
        "SecretUnusable",
        "CredentialsRefused",
        "DatabaseMissing",
        "PostGISMissing",
        "DatabaseCAInvalid",
        "TwoPrimaries",
        "CertManagerMissing",
        *auth.NEEDS_SOMEBODY,
        *references.NEEDS_SOMEBODY,
        *routes.NEEDS_SOMEBODY,
    }
)
"""Reasons that do not go away by waiting."""


def evaluate(observed: Observed, parts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The three summary conditions from what was observed and from the verdicts about the parts that are needed."""
    stalled = _stalled(observed, parts)
    ready = _ready(observed, parts, stalled)
    return {"Ready": ready, "Reconciling": _reconciling(ready, stalled, observed), "Stalled": stalled}


def _stalled(observed: Observed, parts: Mapping[str, Verdict]) -> Verdict:
    if observed.apply_problems:
        told = "; ".join(f"{problem.kind} {problem.name}: {problem.message}" for problem in observed.apply_problems)
        return Verdict("True", observed.apply_problems[0].reason, told)
    if observed.contested:
        told = "; ".join(f"{kind} {name}: {what}" for kind, name, what in observed.contested)
        return Verdict("True", "Contested", f"{told}. It is brought back later and later: end what changes it")
    for type_, verdict in parts.items():
        if verdict.reason in _NEEDS_SOMEBODY:
            return Verdict("True", verdict.reason, f"{type_}: {verdict.message}")
    for workload in (observed.http, observed.reads, observed.mqtt):
        if workload is not None and workload.stuck:
            return Verdict("True", "RolloutStuck", workload.stuck)
    return Verdict("False", "NothingInTheWay", "nothing waits for somebody to act")


def _ready(observed: Observed, parts: Mapping[str, Verdict], stalled: Verdict) -> Verdict:
    if observed.apply_problems:
        return Verdict("False", stalled.reason, stalled.message)
    if observed.service.spec.hibernated:
        return Verdict("False", "Hibernated", "hibernated: no pod runs, volumes and data are kept", expected=True)
    for type_, verdict in parts.items():
        if not verdict.holds and verdict.reason not in _FINE_UNKNOWN:
            return Verdict("False", verdict.reason, f"{type_}: {verdict.message}", expected=verdict.expected)
    waiting = _switch(observed)
    if waiting is not None:
        return waiting
    parts_with_pods = {
        http.COMPONENT: observed.http,
        reads.COMPONENT: observed.reads,
        mqtt.COMPONENT: observed.mqtt,
        bus.COMPONENT: observed.bus,
        addresses.database_component(observed.service): observed.managed_database,
    }
    rolling = [part for part, workload in parts_with_pods.items() if workload is not None and not _complete(workload)]
    if rolling or observed.waiting_children:
        return _rolling_out(observed, rolling)
    return Verdict("True", "ServiceReady", "HTTP and MQTT answer as the spec wants")


def _switch(observed: Observed) -> Verdict | None:
    """Another managed database serves than the spec says."""
    former = observed.service.serving
    if former is None:
        return None
    serves = f"{addresses.named_database(observed.service, former)} serves"
    managed, wanted = observed.service.spec.database.managed, databases.restore(observed.service)
    if managed is not None and wanted is not None and wanted.name == managed.serving:
        return Verdict("False", "SwitchAwaited", f"{serves} until the other one is restored and ready", expected=True)
    told = "the database that spec.database.managed.serving names was never restored"
    return Verdict("False", "SwitchImpossible", f"{serves}: {told}. Set restore again, and serving back")


def _rolling_out(observed: Observed, components: Sequence[str]) -> Verdict:
    problem = next((found for each in components if (found := pod_problem(observed, each)) is not None), None)
    if problem is not None:
        told = f"new pods do not start, older ones answer meanwhile: pod {problem.pod}: {problem.message}"
        return Verdict("False", problem.reason, told)
    told = "pods of the newest spec are starting; older ones answer meanwhile"
    following = ", ".join(observed.waiting_children)
    return Verdict(
        "False", "RollingOut", f"{told}; {following} follows after them" if following else told, expected=True
    )


def _complete(workload: Workload) -> bool:
    return workload.settled and workload.available >= workload.wanted


def _reconciling(ready: Verdict, stalled: Verdict, observed: Observed) -> Verdict:
    if observed.service.spec.paused:
        return Verdict("False", "Paused", "spec.paused is true: everything is left as it is")
    if ready.holds or stalled.holds or observed.service.spec.hibernated:
        return Verdict("False", "Settled", "nothing is on its way")
    return Verdict("True", ready.reason, ready.message)
