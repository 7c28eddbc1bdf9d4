"""InstancesAvailable: a managed database of several instances has a primary, and as many standbys as it should have.

By what Patroni and the kubelet say of the pods: a standby is ready while it streams.
"""

from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.database.names import PRIMARY


def _hibernated(observed: Observed) -> Verdict | None:
    if not observed.service.spec.hibernated:
        return None
    return Verdict("False", "Hibernated", "hibernated: the database runs no pod, its volumes are kept", expected=True)


def _adopted(observed: Observed) -> Verdict | None:
    if observed.service.database_adopted:
        return None
    told = "the single database starts anew as the first of several; clients wait for it meanwhile"
    return Verdict("False", "PairForming", told, expected=True)


def _starting(observed: Observed) -> Verdict | None:
    """Before FROST-Server nobody could have written anything; a pod that has trouble is told all the same."""
    complete = _has_primary(observed) and _missing(observed) == 0
    if (
        complete
        or observed.http is not None
        or pod_problem(observed, addresses.database_component(observed.service)) is not None
    ):
        return None
    return Verdict("False", "DatabaseStarting", "the instances of the managed PostgreSQL are starting", expected=True)


def _primary(observed: Observed) -> Verdict | None:
    if _has_primary(observed):
        return None
    told = "no instance is the primary: nothing is written until a standby takes over, or the last primary is back"
    return Verdict("False", "PrimaryMissing", _with_trouble(observed, told))


def _standbys(observed: Observed) -> Verdict | None:
    missing = _missing(observed)
    if missing <= 0:
        return None
    wanted = addresses.instances(observed.service) - 1
    told = f"{wanted - missing} of {wanted} standbys stream from the primary"
    if missing == wanted:
        told += ": what is written now is in one place alone, and nothing takes over from there"
    return Verdict("False", "InstanceMissing", _with_trouble(observed, told))


def _has_primary(observed: Observed) -> bool:
    return any(each.role == PRIMARY and each.ready for each in observed.instances)


def _missing(observed: Observed) -> int:
    """Standbys that should stream and do not."""
    streaming = sum(each.role != PRIMARY and each.ready for each in observed.instances)
    return max(0, addresses.instances(observed.service) - 1 - streaming)


def _with_trouble(observed: Observed, told: str) -> str:
    """What is missing, and why where a pod says it."""
    problem = pod_problem(observed, addresses.database_component(observed.service))
    return told if problem is None else f"{told}; pod {problem.pod}: {problem.message}"


def _complete(observed: Observed) -> Verdict:
    standbys = addresses.instances(observed.service) - 1
    told = "a standby has" if standbys == 1 else f"one of {standbys} standbys has"
    return Verdict("True", "InstancesReady", f"{told} whatever is acknowledged, and takes over where it must")


def _is_pair(observed: Observed) -> bool:
    return addresses.is_pair(observed.service)


INSTANCES_AVAILABLE: Final = Chain(
    "InstancesAvailable", (_hibernated, _adopted, _starting, _primary, _standbys, _complete), applies=_is_pair
)
