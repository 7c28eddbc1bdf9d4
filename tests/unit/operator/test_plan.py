"""What is remembered of a plan between passes: that a stage stood, and never longer than it does."""

from dataclasses import replace
from typing import Any

import pytest

from sensorthings_operator.apply.outcome import Applied, Outcome
from sensorthings_operator.apply.plan import Plan, Plans
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.desired import FOUNDATION, STAGES, stage_children
from sensorthings_operator.desired.metadata import FIELD_MANAGER
from sensorthings_operator.desired.service import Service
from tests.unit.operator.fake_api import FakeApi, names_of
from tests.unit.operator.samples import SETTINGS, service


class Known:
    """A stage whose children are there, in the store."""

    def __init__(self) -> None:
        self.api, self.store, self.plans = FakeApi(), OwnedStore({}), Plans(SETTINGS)
        self.manifests = stage_children(FOUNDATION, service(), SETTINGS)
        for manifest in self.manifests:
            self.store.put(manifest["kind"], self.api.put(manifest, FIELD_MANAGER))

    def plan(self, of: Service | None = None) -> Plan:
        return self.plans.begin(of or service())

    def keep(self, outcome: Outcome = Outcome.UNCHANGED) -> None:
        """A pass that finds every child so."""
        plan, applied = self.plan(), [Applied(m["kind"], m["metadata"]["name"], outcome) for m in self.manifests]
        found = plan.found(FOUNDATION, self.store)
        plan.keep(FOUNDATION, applied, before=found, after=found)

    def change(self, **metadata: Any) -> None:
        """The watch tells of a child that is another now."""
        manifest = self.manifests[0]
        self.store.put(manifest["kind"], self.api.put(manifest, FIELD_MANAGER, **metadata))


@pytest.fixture
def known() -> Known:
    return Known()


def test_what_stood_stands(known: Known) -> None:
    assert not known.plan().stands(FOUNDATION, known.store), "nothing is taken for granted at a start"
    known.keep()
    assert known.plan().stands(FOUNDATION, known.store)
    known.change()
    assert known.plan().stands(FOUNDATION, known.store), "its status is no matter of the plan"


@pytest.mark.parametrize("outcome", set(Outcome) - {Outcome.UNCHANGED})
def test_what_needed_something_is_looked_at_again(known: Known, outcome: Outcome) -> None:
    known.keep()
    known.keep(outcome)
    assert not known.plan().stands(FOUNDATION, known.store)


@pytest.mark.parametrize(
    "metadata",
    [{"managedFields": []}, {"annotations": {"sensorthings.city/applied-hash": "other"}}, {"ownerReferences": []}],
)
def test_a_child_that_changed_does_not_stand(known: Known, metadata: dict[str, Any]) -> None:
    known.keep()
    known.change(**metadata)
    assert not known.plan().stands(FOUNDATION, known.store)


def test_a_child_that_went_does_not_stand(known: Known) -> None:
    known.keep()
    first = known.manifests[0]
    (made, *_) = known.store.of_kind(first["kind"])
    known.store.remove(made.kind, made.namespace, made.name, made.uid)
    assert not known.plan().stands(FOUNDATION, known.store)


def test_what_changed_while_it_was_looked_at_is_not_remembered(known: Known) -> None:
    plan, applied = (
        known.plan(),
        [Applied(m["kind"], m["metadata"]["name"], Outcome.UNCHANGED) for m in known.manifests],
    )
    before = plan.found(FOUNDATION, known.store)
    known.change(managedFields=[])
    plan.keep(FOUNDATION, applied, before=before, after=plan.found(FOUNDATION, known.store))
    assert not known.plan().stands(FOUNDATION, known.store)


@pytest.mark.parametrize(
    "changed", [{"generation": 2}, {"uid": "other"}, {"secret_digests": {"air": "1"}}, {"realm_ca": None}]
)
def test_other_inputs_are_another_plan(known: Known, changed: dict[str, Any]) -> None:
    known.keep()
    assert not known.plan(replace(service(), **changed)).stands(FOUNDATION, known.store)


def test_the_names_are_the_same_whether_built_or_remembered(known: Known) -> None:
    everything = set().union(*(names_of(stage_children(stage, service(), SETTINGS)) for stage in STAGES))
    assert known.plan().names() == everything
    known.keep()
    assert known.plan().names() == everything
