"""DatabaseReplicated: every standby of the database streams from its primary, and is not far behind.

By what the servers themselves say. Clients are served as before where it does not hold, so Ready does not wait for it.
"""

from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.databasehosts import ReplicationReason
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import reads


def _known(observed: Observed) -> Verdict | None:
    if observed.database is None or observed.database.replication is None:
        return Verdict("Unknown", ReplicationReason.UNKNOWN, "the database's servers have not been asked yet")
    return None


def _hibernated(observed: Observed) -> Verdict | None:
    if observed.service.spec.hibernated and observed.service.spec.database.type == "Managed":
        return Verdict("False", "Hibernated", "hibernated: the database runs no pod", expected=True)
    return None


def _follow(observed: Observed) -> Verdict:
    answer = observed.database
    if answer is None or answer.replication is None or not answer.holds:
        return Verdict("Unknown", ReplicationReason.UNKNOWN, "see DatabaseReachable")
    found = answer.replication
    if found.reason is ReplicationReason.UNKNOWN:
        return Verdict("Unknown", found.reason, found.message)
    return Verdict("True" if found.reason is ReplicationReason.STREAMING else "False", found.reason, found.message)


def _has_standbys(observed: Observed) -> bool:
    return reads.has_standbys(observed.service.spec)


DATABASE_REPLICATED: Final = Chain(
    "DatabaseReplicated", (_hibernated, _known, _follow), applies=_has_standbys, needed=False
)
