"""Whether what a pass saw of a database or of Secrets may be another thing in a moment. Used by the reconcile."""

from typing import Final

from sensorthings_operator.conditions.databasehosts import DatabaseAnswer
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.observe.secrets import SecretsRead

_SECRET_REASONS: Final = (DatabaseAnswer.CREDENTIALS_REFUSED, DatabaseAnswer.CA_INVALID)
"""What a database answers until somebody changes a Secret."""


def of_database(observed: Observed) -> bool:
    """Whether its last answer may be outdated: the schema waits for it, or pods that read it are not ready."""
    tiers = (observed.http, observed.reads, observed.mqtt)
    return observed.schema is None or any(tier is not None and tier.ready < tier.wanted for tier in tiers)


def of_secret(observed: Observed, secrets: SecretsRead) -> bool:
    """Whether somebody is to change a Secret."""
    refused = observed.database is not None and observed.database.reason in _SECRET_REASONS
    return bool(secrets.missing or secrets.missing_passwords or secrets.missing_for_backups or refused)
