"""How far a service's stages may go, as things are."""

from dataclasses import replace
from typing import Any, Final

import pytest

from sensorthings_operator import desired
from sensorthings_operator.conditions.observed import Answer, ApplyProblem, Observed, SchemaJob, Workload
from sensorthings_operator.gates import Gate, gate, rounds
from tests.unit.operator.samples import BASIC, service

_ROLLED: Final = Workload(wanted=2, replicas=2, ready=2, updated=2, available=2, settled=True)
_ROLLING: Final = replace(_ROLLED, replicas=3, updated=1, settled=False)
_SETTLED: Final = Observed(
    service=service(),
    database=Answer(holds=True, reason="DatabaseReachable", message="it answers"),
    schema=SchemaJob("Complete"),
    http=_ROLLED,
    mqtt=_ROLLED,
)


def _seen(**differences: Any) -> Observed:
    return replace(_SETTLED, **differences)


_AWAY: Final = Answer(holds=False, reason="DatabaseUnreachable", message="it does not answer")
_REFUSED: Final = (ApplyProblem("Deployment", "air-http", "ApplyRefused", "a webhook says no"),)


@pytest.mark.parametrize(
    ("observed", "open_to"),
    [
        pytest.param(_SETTLED, "foundation schema http mqtt edge", id="settled"),
        pytest.param(_seen(database=_AWAY), "foundation schema http mqtt edge", id="database away"),
        pytest.param(_seen(database=_AWAY, schema=None), "foundation", id="database never seen"),
        pytest.param(_seen(missing_secrets={"air-db": "gone"}), "foundation http mqtt edge", id="no Secret"),
        pytest.param(_seen(schema=None), "foundation schema", id="no schema yet"),
        pytest.param(_seen(schema=SchemaJob("Running")), "foundation schema", id="schema is made"),
        pytest.param(_seen(schema=SchemaJob("Failed")), "foundation schema", id="schema failed"),
        pytest.param(_seen(http=None, mqtt=None), "foundation schema http mqtt edge", id="no module yet"),
        pytest.param(_seen(http=None), "foundation schema http edge", id="HTTP was deleted"),
        pytest.param(_seen(mqtt=None, http=_ROLLING), "foundation schema http mqtt edge", id="MQTT was deleted"),
        pytest.param(_seen(http=_ROLLING), "foundation schema http edge", id="HTTP rolls out"),
        pytest.param(_seen(apply_problems=_REFUSED), "foundation schema http edge", id="HTTP was refused"),
        pytest.param(
            _seen(service=service({"hibernated": True}), http=_ROLLING, schema=None),
            "foundation schema http mqtt edge",
            id="hibernated",
        ),
        pytest.param(_seen(service=replace(service(), realm_ca=None)), "foundation schema edge", id="realm not known"),
    ],
)
def test_stages_open_when_what_they_need_is_there(observed: Observed, open_to: str) -> None:
    stages = [stage for together in rounds(observed) for stage in together]
    opened = [stage.name for stage in stages if gate(stage, observed) is Gate.OPEN]
    assert "catalogue" in opened, "it needs nothing but what was read of the data"
    assert [name for name in opened if name != "catalogue"] == open_to.split()


_IN_PLACE: Final = Answer(holds=True, reason="UsersReady", message="all are there")
_ELSEWHERE: Final = Answer(holds=False, reason="UserDatabaseUnreachable", message="it does not answer")


def _basic(**differences: Any) -> Observed:
    return _seen(service=service({**BASIC, **differences.pop("spec", {})}), **differences)


@pytest.mark.parametrize("users", [None, _ELSEWHERE])
@pytest.mark.parametrize("stage", [desired.HTTP, desired.MQTT])
def test_no_module_begins_before_the_users_that_frost_server_makes_by_itself_are_gone(
    users: Answer | None, stage: desired.Stage
) -> None:
    assert gate(stage, _basic(users=users, http=None, mqtt=None)) is Gate.SHUT
    assert gate(stage, _basic(users=users)) is Gate.REPAIRS_ONLY, "what runs is not taken down for it"
    assert gate(stage, _basic(users=_IN_PLACE, http=None, mqtt=None)) is Gate.OPEN
    assert gate(stage, _basic(users=_IN_PLACE)) is Gate.OPEN
    assert gate(stage, _basic(users=users, spec={"hibernated": True})) is Gate.OPEN


def test_who_is_in_the_database_is_no_matter_where_nobody_is_asked() -> None:
    assert gate(desired.HTTP, _seen(users=None, http=None)) is Gate.OPEN


def test_a_change_waits_for_http_while_what_is_there_is_kept() -> None:
    assert gate(desired.MQTT, _seen(http=_ROLLING)) is Gate.REPAIRS_ONLY


def test_modules_start_side_by_side_and_change_one_after_the_other() -> None:
    first = rounds(_seen(http=None, mqtt=None))
    later = rounds(_SETTLED)
    assert (desired.HTTP, desired.MQTT, desired.EDGE) in first
    assert [stage.name for together in later for stage in together] == [
        stage.name for together in first for stage in together
    ]
    assert (desired.HTTP,) in later
