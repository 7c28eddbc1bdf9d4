"""The expressions by which Flux judges a service, as it evaluates them: in progress, failed, current, in this order."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cel_expr_python import cel  # type: ignore[import-untyped]
from hypothesis import given

from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.conditions.observed import Observed
from tests.unit.api.examples import Manifest
from tests.unit.gitops import kstatus
from tests.unit.gitops.phases import PHASES, Phase, written
from tests.unit.operator.strategies import OBSERVED

FOLDER: Final = Path(__file__).parents[3] / "examples" / "gitops" / "flux"
CITY: Final[Manifest] = yaml.safe_load((FOLDER / "hamburg.yaml").read_text())
_MEANINGS: Final[dict[str, kstatus.Status]] = {"inProgress": "InProgress", "failed": "Failed", "current": "Current"}
_MEMBERS: Final = ("metadata", "spec", "status")
_ENVIRONMENT: Final = cel.NewEnv(variables=dict.fromkeys(_MEMBERS, cel.Type.DYN))


def _expressions() -> dict[str, Any]:
    (found,) = CITY["spec"]["healthCheckExprs"]
    assert (found["apiVersion"], found["kind"]) == (API_VERSION, KIND)
    return {name: _ENVIRONMENT.compile(found[name]) for name in _MEANINGS}


EXPRESSIONS: Final = _expressions()


def _judged(live: Manifest) -> kstatus.Status:
    for name, meaning in _MEANINGS.items():
        result = EXPRESSIONS[name].eval(data={member: live[member] for member in _MEMBERS})
        assert result.type() != cel.Type.ERROR, result.value()
        if result.plain_value():
            return meaning
    return "InProgress"


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_each_phase_is_judged_as_it_is(phase: Phase) -> None:
    assert _judged(phase.live) == phase.flux


@given(OBSERVED)
def test_it_is_judged_as_by_kstatus_but_for_hibernation(seen: Observed) -> None:
    live = written(seen)
    computed = kstatus.compute(live)
    asleep = seen.service.spec.hibernated and not seen.apply_problems
    assert _judged(live) == ("Current" if asleep and computed == "InProgress" else computed)


def test_flux_waits_for_the_service() -> None:
    assert CITY["spec"]["wait"] is True
    sources = list(yaml.safe_load_all((FOLDER / "source.yaml").read_text()))
    named = CITY["spec"]["sourceRef"]
    assert (named["kind"], named["name"]) in {(s["kind"], s["metadata"]["name"]) for s in sources}
