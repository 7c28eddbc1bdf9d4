"""DatabaseReachable: a FROST-Server could work on the database that the spec names."""

from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.databasehosts import DatabaseAnswer
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import addresses

_BEFORE_IT_IS_THERE: Final = (DatabaseAnswer.UNREACHABLE, DatabaseAnswer.NO_PRIMARY)


def _hibernated(observed: Observed) -> Verdict | None:
    if observed.service.spec.hibernated and observed.service.spec.database.type == "Managed":
        return Verdict(
            "False",
            "Hibernated",
            "hibernated: the database runs no pod, its volume is kept",
            expected=True,
        )
    return None


def _secrets_usable(observed: Observed) -> Verdict | None:
    if not observed.missing_secrets:
        return None
    return Verdict("False", "SecretUnusable", "; ".join(observed.missing_secrets.values()))


def _managed_pod_runs(observed: Observed) -> Verdict | None:
    workload = observed.managed_database
    if workload is None or workload.ready > 0:
        return None
    problem = pod_problem(observed, addresses.database_component(observed.service))
    if problem is not None:
        return troubled(problem)
    return Verdict("False", "DatabaseStarting", "the managed PostgreSQL is starting", expected=True)


def _managed_first_answer(observed: Observed) -> Verdict | None:
    """The name of a managed database resolves a moment after its pod is ready: no cause for a warning."""
    managed = observed.service.spec.database.type == "Managed"
    asked_in_vain = observed.database is None or observed.database.reason in _BEFORE_IT_IS_THERE
    if managed and observed.schema is None and asked_in_vain:
        return Verdict("False", "DatabaseStarting", "the managed PostgreSQL is starting", expected=True)
    return None


def _answers(observed: Observed) -> Verdict:
    if observed.database is None:
        return Verdict("Unknown", "DatabaseNotAsked", "the database has not been asked yet")
    return Verdict("True" if observed.database.holds else "False", observed.database.reason, observed.database.message)


DATABASE_REACHABLE: Final = Chain(
    "DatabaseReachable", (_hibernated, _secrets_usable, _managed_pod_runs, _managed_first_answer, _answers)
)
