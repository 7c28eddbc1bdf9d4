"""What comes of one child's step. Made by the children, read by observe and the reconcile."""

from dataclasses import dataclass
from enum import StrEnum

from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.desired.metadata import Manifest


class Outcome(StrEnum):
    """What came of a child."""

    CREATED = "Created"
    UPDATED = "Updated"
    REPAIRED = "Repaired"
    UNCHANGED = "Unchanged"
    PRUNED = "Pruned"
    LEFT = "Left"
    """Somebody changes it back each time; it is brought back later."""
    WAITING = "Waiting"
    """It is as it was made; what the spec wants of it now waits for something else."""
    REFUSED = "Refused"
    UNSERVED = "Unserved"
    """The API server does not serve the kind: what brings it is not installed."""


@dataclass(frozen=True)
class Applied:
    """The result of one child's step."""

    kind: str
    name: str
    outcome: Outcome
    reason: str = ""
    message: str = ""


class NameTakenError(ApiError):
    """An object of that name is there, and was not made for this service."""

    def __init__(self) -> None:
        super().__init__(409, "NameTaken", "exists and was not made for this service: rename or delete it")

    @property
    def is_lasting(self) -> bool:
        """Trying again does not make the object ours."""
        return True


def refused(manifest: Manifest, error: ApiError) -> Applied:
    """The result of a child that the API server does not take."""
    reason = error.reason if isinstance(error, NameTakenError) else "ApplyRefused"
    return Applied(manifest["kind"], manifest["metadata"]["name"], Outcome.REFUSED, reason, error.message)
