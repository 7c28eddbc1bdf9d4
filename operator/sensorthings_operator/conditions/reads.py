"""ReadsAvailable: reads are answered, by the pods that ask the standbys or, meanwhile, by those of the HTTP module."""

from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import reads

READS_AT_PRIMARY: Final = "ReadsAtPrimary"


def _hibernated(observed: Observed) -> Verdict | None:
    if not observed.service.spec.hibernated:
        return None
    return Verdict("False", "Hibernated", "hibernated: no pod answers reads", expected=True)


def _made(observed: Observed) -> Verdict | None:
    if observed.reads is not None:
        return None
    return Verdict("False", "ReadsWaiting", "the pods for reads wait for the schema", expected=True)


def _at_primary(observed: Observed) -> Verdict | None:
    if not observed.service.reads_at_primary:
        return None
    seconds = observed.service.spec.database.max_standby_lag_seconds
    told = (
        "reads go to the pods of the HTTP module, and so to the primary: no standby answers, or one that does is more "
        f"than {seconds} s behind. They go to the standbys again once these are well within that"
    )
    return Verdict("True", READS_AT_PRIMARY, told)


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


READS_AVAILABLE: Final = Chain("ReadsAvailable", (_hibernated, _made, _at_primary, _answer), applies=_wanted)
