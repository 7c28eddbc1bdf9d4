"""What is read of a cluster for ``sensorthings status``, as plain JSON objects. Filled by ``cluster``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that is listed: where, under which name, and whether only warnings among them are wanted."""

    name: str
    api_version: str
    plural: str
    labelled: bool = True
    field_selector: str = ""

    @property
    def prefix(self) -> str:
        """The API's path."""
        return f"/{'apis' if '/' in self.api_version else 'api'}/{self.api_version}"


CHILDREN: Final = (
    Kind("Deployment", "apps/v1", "deployments"),
    Kind("StatefulSet", "apps/v1", "statefulsets"),
    Kind("Job", "batch/v1", "jobs"),
    Kind("Pod", "v1", "pods"),
    Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
    Kind("Ingress", "networking.k8s.io/v1", "ingresses"),
    Kind("Certificate", "cert-manager.io/v1", "certificates"),
    Kind("Event", "v1", "events", labelled=False, field_selector="type=Warning"),
)
"""Kinds beside the service itself; those that are labelled carry the service's name in a label."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A kind that could not be listed: the API is not there, or the person may not, or it failed; and what was said."""

    why: Literal["absent", "forbidden", "failed"]
    message: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Objects by kind, at one time.

    Attributes:
        services: the SensorThingsServices that were asked for.
        children: of all of them, by kind.
        missing: kinds that could not be listed.
        notes: what a person should know of how it was read.
    """

    taken: datetime
    services: tuple[Object, ...]
    children: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    missing: Mapping[str, Missing] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
