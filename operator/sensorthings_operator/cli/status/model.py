"""The tree that ``sensorthings status`` shows, and its form as JSON: a stable object, whose keys are an interface.

Made by ``assembly``; drawn by ``text``. Times are as the API server writes them, in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How something is, from best to worst in what it asks of a person."""

    OK = "ok"
    OFF = "off"
    """Not asked for, such as a module scaled to zero, or over."""
    WAITING = "waiting"
    """On its way: nothing to do but wait."""
    UNKNOWN = "unknown"
    """Not looked at, or not allowed to be."""
    TROUBLE = "trouble"
    """Somebody should look."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the service, as the operator wrote it.

    Attributes:
        outdated: it is about an older spec than the one that stands.
        since: when its status last changed.
    """

    type: str
    status: str
    reason: str
    message: str
    since: str | None
    outdated: bool
    state: State


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where clients connect."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod: ``ready`` of ``containers`` answer.

    Attributes:
        restarts: of all its containers together.
        last_end: why a container last ended, where one was restarted, such as OOMKilled.
        last_ended: when that was.
    """

    name: str
    ready: int
    containers: int
    restarts: int
    last_end: str | None
    last_ended: str | None
    phase: str
    node: str | None
    created: str | None
    troubles: tuple[str, ...]
    state: State


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment, StatefulSet or Job; ``ready`` of ``wanted`` pods. Of a Job, ready means completed."""

    kind: str
    name: str
    ready: int
    wanted: int
    created: str | None
    troubles: tuple[str, ...]
    pods: tuple[Pod, ...]
    state: State


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler.

    Attributes:
        target: what it scales.
        current, desired: pods.
        cpu, target_cpu: in percent of what the pods request; None where nothing was measured.
    """

    name: str
    target: str
    minimum: int
    maximum: int
    current: int
    desired: int
    cpu: int | None
    target_cpu: int | None
    troubles: tuple[str, ...]
    state: State


@dataclass(frozen=True, slots=True)
class Route:
    """An Ingress: ``urls`` without scheme, and the ``addresses`` where its controller answers."""

    kind: str
    name: str
    urls: tuple[str, ...]
    addresses: tuple[str, ...]
    troubles: tuple[str, ...]
    state: State


@dataclass(frozen=True, slots=True)
class Certificate:
    """A Certificate of cert-manager, with the time it expires and the time it is renewed."""

    name: str
    hosts: tuple[str, ...]
    expires: str | None
    renewal: str | None
    troubles: tuple[str, ...]
    state: State


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a service, such as the database.

    Attributes:
        key: for machines, such as ``database``.
        title: for people.
        about: what the spec says of it, where no condition does.
        notes: what could not be looked at, and why.
    """

    key: str
    title: str
    state: State
    about: str | None
    condition: Condition | None
    workloads: tuple[Workload, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    routes: tuple[Route, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WarningEvent:
    """An Event of type Warning: ``count`` times, the last time ``last``."""

    about: str
    reason: str
    message: str
    count: int
    last: str | None


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that asks for somebody: what it is about, why, and what to do."""

    about: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Service:
    """One SensorThingsService.

    Attributes:
        ready: Ready is True, about the spec that stands.
        state: ok where it is ready; else whether to wait, or to act.
        conditions: all of them, in the operator's order.
        what_to_do: what asks for somebody; also of a service that is ready, where a part of it is in trouble.
    """

    namespace: str
    name: str
    version: str | None
    created: str | None
    ready: bool
    state: State
    what_to_do: tuple[Remedy, ...]
    conditions: tuple[Condition, ...]
    endpoints: tuple[Endpoint, ...]
    parts: tuple[Part, ...]
    warnings: tuple[WarningEvent, ...]

    def condition(self, type_: str) -> Condition | None:
        """A condition by its type."""
        return next((condition for condition in self.conditions if condition.type == type_), None)


@dataclass(frozen=True, slots=True)
class Overview:
    """What was asked for; ``notes`` say what of it could not be looked at."""

    services: tuple[Service, ...]
    notes: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Every service is, and there is one."""
        return bool(self.services) and all(service.ready for service in self.services)

    def record(self) -> dict[str, Any]:
        """The JSON object that ``--output json`` writes; its keys are part of the interface."""
        return {"ready": self.ready, **_record(self)}


def worst(*states: State) -> State:
    """The state that asks for most; ok where there is none."""
    order = list(State)
    return max(states, key=order.index, default=State.OK)


def _record(value: Any) -> Any:
    if is_dataclass(value):
        return {_camel(field.name): _record(getattr(value, field.name)) for field in fields(value)}
    return [_record(item) for item in value] if isinstance(value, tuple) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
