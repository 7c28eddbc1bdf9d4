"""EntriesPublished: the catalogues that the spec names have an entry for each dataset. Needed by no client."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed


class PublishingReason(StrEnum):
    """Why entries are or are not as they should be."""

    CURRENT = "EntriesCurrent"
    AWAITED = "EntriesAwaited"
    SECRET = "TargetSecretUnusable"  # noqa: S105 - a reason
    UNREACHABLE = "TargetUnreachable"
    TOKEN = "TargetTokenRefused"  # noqa: S105 - a reason
    SEARCH_DOWN = "SearchIndexDown"
    NAME_TAKEN = "NameTaken"
    REFUSED = "EntryRefused"


def _asked_for(observed: Observed) -> bool:
    spec = observed.service.spec.catalogue
    return bool(observed.publications) or (spec is not None and bool(spec.targets))


def _paused(observed: Observed) -> Verdict | None:
    if observed.service.spec.paused:
        return Verdict("Unknown", "Paused", "spec.paused is true: entries stay as they are", expected=True)
    return None


def _answers(observed: Observed) -> Verdict:
    answer = observed.published
    if answer is None or answer.reason == PublishingReason.AWAITED:
        told = "entries are being looked at" if answer is None else answer.message
        return Verdict("Unknown", PublishingReason.AWAITED, told, expected=True)
    return Verdict("True" if answer.holds else "False", answer.reason, answer.message)


ENTRIES_PUBLISHED: Final = Chain("EntriesPublished", (_paused, _answers), applies=_asked_for, needed=False)
