"""ReadsAvailable: the pods that answer reads from the database's standbys answer."""

from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import reads


def _hibernated(observed: Observed) -> Verdict | None:
    if not observed.service.spec.hibernated:
        return None
    return Verdict("False", "Hibernated", "hibernated: no pod answers reads", expected=True)


def _made(observed: Observed) -> Verdict | None:
    if observed.reads is not None:
        return None
    return Verdict("False", "ReadsWaiting", "the pods for reads wait for the schema", expected=True)


def _answer(observed: Observed) -> Verdict:
    workload = observed.reads
    if workload is not None and workload.available > 0:
        return Verdict("True", "ReadsReady", f"{workload.available} of {workload.wanted} pods answer")
    problem = pod_problem(observed, reads.COMPONENT)
    if problem is not None:
        return troubled(problem)
    return Verdict("False", "ReadsStarting", "no pod for reads answers yet", expected=True)


def _wanted(observed: Observed) -> bool:
    return reads.is_wanted(observed.service)


READS_AVAILABLE: Final = Chain("ReadsAvailable", (_hibernated, _made, _answer), applies=_wanted)
