"""Who changed a child that is about to be put right, and what of it: for people. Used by the children."""

from dataclasses import dataclass
from typing import Final

from sensorthings_operator.apply.ownership import who_took
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import resource_of
from sensorthings_operator.desired.metadata import FIELD_MANAGER, Manifest

_FIELDS_TOLD: Final = 3


@dataclass(frozen=True)
class Drift:
    """A child that is not as it was sent."""

    fields: str
    """Paths that are not ours any more."""
    takers: str
    """Field managers that have them now."""

    def told_once(self, kind: str, name: str) -> str:
        """The sentence for a first time."""
        return (
            f"{self.takers} changed {self.fields} of {kind} {name}: it was put back, the service's spec decides on it"
        )

    def told_again(self) -> str:
        """The sentence for one that never ends."""
        return f"{self.takers} changes {self.fields} back each time it is put right"


DELETED_AGAIN: Final = "somebody deletes it each time it is made"


async def look(client: KubernetesClient, stamped: Manifest) -> Drift | None:
    """What became of a child; None where it is gone."""
    described = stamped["metadata"]
    try:
        live = await client.get(resource_of(stamped), described["namespace"], described["name"], metadata_only=True)
    except NotFoundError:
        return None
    lost, took = who_took(stamped, live["metadata"], FIELD_MANAGER)
    return Drift(", ".join(lost[:_FIELDS_TOLD]) or "its owner", " and ".join(took) or "somebody")
