"""What a service asks for, stage by stage, built where it is needed and at most once in a pass. Used by the reconcile.

Between passes hashes are kept, not manifests: the same inputs make the same manifests, so a stage whose children carry
the hashes of then, and of which the same fields are ours as then, stands as it did. A thousand settled services cost
next to nothing.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, fields

from sensorthings_operator import desired
from sensorthings_operator.apply.outcome import Applied, Outcome
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.desired import Stage, schema
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings


@dataclass(frozen=True, slots=True)
class _Standing:
    """A child that was found as it should be."""

    kind: str
    name: str
    applied_hash: str
    fields: bytes | None


@dataclass(slots=True)
class _Kept:
    """What is kept of a service's plan."""

    inputs: dict[str, object]
    schema_job: str = ""
    stages: dict[str, tuple[_Standing, ...]] = field(default_factory=dict)


class Plan:
    """What one service asks for in one pass."""

    def __init__(self, service: Service, settings: OperatorSettings, kept: _Kept) -> None:
        self._service = service
        self._settings = settings
        self._kept = kept
        self._built: dict[str, list[Manifest]] = {}

    @property
    def schema_job(self) -> str:
        """Name of the Job that brings the schema to where the spec wants it."""
        if not self._kept.schema_job:
            # It is a hash of all that the Job is, which is not built twice; while hibernated there is none.
            names = [job["metadata"]["name"] for job in self.manifests(desired.SCHEMA)]
            self._kept.schema_job = names[0] if names else schema.name(self._service, self._settings)
        return self._kept.schema_job

    def manifests(self, stage: Stage) -> list[Manifest]:
        """The stage's children."""
        if stage.name not in self._built:
            self._built[stage.name] = desired.stage_children(stage, self._service, self._settings)
        return self._built[stage.name]

    def names(self) -> Container[tuple[str, str]]:
        """Kind and name of all children of all stages."""
        names: set[tuple[str, str]] = set()
        for stage in desired.STAGES:
            if stage.name in self._kept.stages:
                names |= {(child.kind, child.name) for child in self._kept.stages[stage.name]}
            else:
                names |= {(each["kind"], each["metadata"]["name"]) for each in self.manifests(stage)}
        return names

    def stands(self, stage: Stage, store: OwnedStore) -> bool:
        """Whether nothing of a stage, nor of what it is made from, changed since it was found as it should be."""
        kept = self._kept.stages.get(stage.name)
        return kept is not None and all(self._found(store, child.kind, child.name) == child for child in kept)

    def found(self, stage: Stage, store: OwnedStore) -> tuple[_Standing | None, ...]:
        """A stage's children as they are now."""
        return tuple(self._found(store, each["kind"], each["metadata"]["name"]) for each in self.manifests(stage))

    def keep(
        self,
        stage: Stage,
        applied: Sequence[Applied],
        *,
        before: tuple[_Standing | None, ...],
        after: tuple[_Standing | None, ...],
    ) -> None:
        """Remember how a stage was found that needed nothing, unless it was changed while that was found out."""
        self._kept.stages.pop(stage.name, None)
        if before == after and all(child.outcome is Outcome.UNCHANGED for child in applied):
            self._kept.stages[stage.name] = tuple(child for child in after if child is not None)

    def _found(self, store: OwnedStore, kind: str, name: str) -> _Standing | None:
        known = store.get(kind, self._service.namespace, name)
        if known is None or known.owner_uid != self._service.uid:
            return None
        return _Standing(kind, name, known.applied_hash, known.fields)


class Plans:
    """Keeps what is known of all services' plans."""

    def __init__(self, settings: OperatorSettings) -> None:
        self._settings = settings
        self._kept: dict[ServiceKey, _Kept] = {}

    def begin(self, service: Service) -> Plan:
        """The plan of a pass."""
        inputs = _inputs(service)
        kept = self._kept.get(service.key)
        if kept is None or kept.inputs != inputs:
            kept = self._kept[service.key] = _Kept(inputs)
        return Plan(service, self._settings, kept)

    def forget(self, key: ServiceKey) -> None:
        """The service is gone."""
        self._kept.pop(key, None)


def _inputs(service: Service) -> dict[str, object]:
    """All that a service's children are made from, beside the settings: its generation stands for its spec."""
    return {each.name: getattr(service, each.name) for each in fields(service) if each.name != "spec"}
