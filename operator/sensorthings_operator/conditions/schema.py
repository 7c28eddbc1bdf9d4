"""SchemaUpToDate: the database's schema is that of the service's version."""

from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.observed import Observed


def _hibernated(observed: Observed) -> Verdict | None:
    if observed.service.spec.hibernated:
        return Verdict(
            "Unknown", "Hibernated", "spec.hibernated is true: the schema is looked at when the service wakes"
        )
    return None


def _job_made(observed: Observed) -> Verdict | None:
    if observed.schema is None:
        return Verdict("False", "SchemaWaiting", "the schema Job waits for the database", expected=True)
    return None


def _job_done(observed: Observed) -> Verdict | None:
    if observed.schema is None or observed.schema.outcome == "Running":
        return None
    version = observed.service.spec.version
    if observed.schema.outcome == "Complete":
        return Verdict("True", "SchemaComplete", f"the schema is that of FROST-Server {version}")
    return Verdict(
        "False",
        "SchemaFailed",
        f"the schema could not be brought to FROST-Server {version}: {observed.schema.message}; running pods are left "
        "as they are. Read the logs of the schema Job's pods, mend the cause, then delete the Job to try again",
    )


def _job_runs(observed: Observed) -> Verdict:
    problem = pod_problem(observed, "schema")
    if problem is not None:
        return troubled(problem)
    return Verdict("False", "SchemaUpdating", _wanted(observed), expected=True)


def _wanted(observed: Observed) -> str:
    return f"bringing the schema to FROST-Server {observed.service.spec.version}"


SCHEMA_UP_TO_DATE: Final = Chain("SchemaUpToDate", (_hibernated, _job_made, _job_done, _job_runs))
