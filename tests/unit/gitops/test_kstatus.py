"""The status that the operator writes, as tools read it that know kstatus alone: Flux, and `kubectl wait`."""

from typing import Final

import pytest
from hypothesis import given

from sensorthings_operator.api import crd
from sensorthings_operator.cli.validate import apply_defaults
from sensorthings_operator.conditions.observed import Observed
from tests.unit.gitops import kstatus
from tests.unit.gitops.phases import PHASES, UNSEEN, Phase, written
from tests.unit.operator.samples import body
from tests.unit.operator.strategies import OBSERVED

_SUMMARY: Final = ("Ready", "Reconciling", "Stalled")


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_each_phase_is_read_as_it_is(phase: Phase) -> None:
    assert kstatus.compute(phase.live) == phase.kstatus


@given(OBSERVED)
def test_current_is_ready_and_failed_is_stalled(seen: Observed) -> None:
    live = written(seen)
    conditions = {condition["type"]: condition["status"] for condition in live["status"]["conditions"]}
    computed = kstatus.compute(live)
    assert (computed == "Failed") == (conditions["Stalled"] == "True")
    assert computed != "Current" or conditions["Ready"] == "True"
    assert (computed == "InProgress") == (conditions["Ready"] != "True" and conditions["Stalled"] != "True")


@given(OBSERVED)
def test_the_summary_is_always_there_and_of_the_generation_that_was_seen(seen: Observed) -> None:
    status = written(seen)["status"]
    assert status["observedGeneration"] == seen.service.generation
    found = {c["type"]: c["observedGeneration"] for c in status["conditions"]}
    assert {type_: found[type_] for type_ in _SUMMARY} == dict.fromkeys(_SUMMARY, seen.service.generation)


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda resource: resource.kind)
def test_an_object_that_nobody_has_seen_is_not_taken_for_a_finished_one(resource: crd.Resource) -> None:
    live = apply_defaults(crd.schema(resource), {"metadata": {"generation": 1}, "spec": {}})
    assert live["status"] == UNSEEN
    assert kstatus.compute(live) == "InProgress"
    assert kstatus.compute({**live, "status": {}}) == "Current", "which is why the default is there"


def test_one_that_is_deleted_is_terminating() -> None:
    assert kstatus.compute(body(deletionTimestamp="2026-11-21T12:00:00Z")) == "Terminating"
