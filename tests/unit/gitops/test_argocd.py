"""The health script for Argo CD, in a Lua interpreter of the version that Argo CD has (5.1), over every phase."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from lupa import lua51  # type: ignore[import-untyped]

from sensorthings_operator.api.base import GROUP
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.conditions.observed import Observed
from tests.unit.api.examples import Manifest
from tests.unit.gitops import kstatus
from tests.unit.gitops.phases import PHASES, Phase, written
from tests.unit.operator.samples import body
from tests.unit.operator.strategies import OBSERVED

FOLDER: Final = Path(__file__).parents[3] / "examples" / "gitops" / "argocd"
SCRIPT: Final[str] = yaml.safe_load((FOLDER / "argocd-cm.yaml").read_text())["data"][
    f"resource.customizations.health.{GROUP}_{KIND}"
]


def _health(live: Manifest) -> tuple[str, str]:
    """Status and message; the script sees nothing but the object, as in Argo CD."""
    lua = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    lua.globals().obj = _table(lua, live)
    found = lua.execute(SCRIPT)
    return str(found.status), str(found.message)


def _table(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: _table(lua, member) for key, member in value.items()})
    if isinstance(value, list):
        return lua.table_from([_table(lua, item) for item in value])
    return value


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_each_phase_is_shown_as_it_is(phase: Phase) -> None:
    status, message = _health(phase.live)
    assert status == phase.argo_cd
    assert message


@given(OBSERVED)
def test_it_says_the_same_as_kstatus_but_for_what_is_switched_off(seen: Observed) -> None:
    spec = {name: True for name in ("paused", "hibernated") if getattr(seen.service.spec, name)}
    live = written(seen, spec)
    same = {"Current": "Healthy", "Failed": "Degraded", "InProgress": "Progressing"}[kstatus.compute(live)]
    status, _ = _health(live)
    assert status == ("Suspended" if spec and same != "Degraded" else same)


@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": 1}, {"observedGeneration": 1, "conditions": []}])
def test_a_status_that_says_little_is_progress(status: Manifest | None) -> None:
    live = body() if status is None else {**body(), "status": status}
    assert _health(live)[0] == "Progressing"


def test_a_message_is_the_operator_s() -> None:
    (phase,) = (phase for phase in PHASES if phase.name == "without a Secret")
    assert "it is not there" in _health(phase.live)[1]
