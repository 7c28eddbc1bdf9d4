"""The policy chains: always a verdict, and Ready, Reconciling and Stalled as kstatus reads them."""

import re
from typing import Any

import pytest
from hypothesis import given

from sensorthings_operator.conditions import PARTS, evaluate
from sensorthings_operator.conditions.chain import Chain
from sensorthings_operator.conditions.databasehosts import WORKING, DatabaseAnswer
from sensorthings_operator.conditions.observed import (
    Answer,
    ApplyProblem,
    Observed,
    PodProblem,
    SchemaJob,
)
from tests.unit.operator.samples import EXTERNAL, observed, service, workload
from tests.unit.operator.strategies import OBSERVED

_ONE_WORD = re.compile(r"[A-Z][A-Za-z0-9]*")


def _parts(seen: Observed, *, needed: bool = False) -> list[Chain]:
    """The chains about what the service has, and of these only what Ready waits for."""
    return [chain for chain in PARTS if chain.applies(seen) and (chain.needed or not needed)]


@given(OBSERVED)
def test_every_condition_is_decided_in_one_word_and_a_sentence(seen: Observed) -> None:
    verdicts = evaluate(seen)
    assert list(verdicts) == ["Ready", "Reconciling", "Stalled", *(chain.type for chain in _parts(seen))]
    for verdict in verdicts.values():
        assert verdict.status in ("True", "False", "Unknown")
        assert _ONE_WORD.fullmatch(verdict.reason)
        assert verdict.message


@given(OBSERVED)
def test_kstatus(seen: Observed) -> None:
    """Ready excludes the other two, and nothing is both on its way and stuck."""
    verdicts = evaluate(seen)
    ready, reconciling, stalled = (verdicts[type_] for type_ in ("Ready", "Reconciling", "Stalled"))
    assert not (ready.holds and reconciling.holds)
    assert not (reconciling.holds and stalled.holds)
    if ready.holds:
        needed = [verdicts[chain.type] for chain in _parts(seen, needed=True)]
        assert all(verdict.holds or verdict.reason == "BusExternal" for verdict in needed)
    quiet = seen.service.spec.paused or seen.service.spec.hibernated
    if not (ready.holds or stalled.holds or quiet):
        assert reconciling.holds, "something has to be said to be on its way"


def test_why_pods_of_a_new_version_do_not_start_is_told_while_old_ones_answer() -> None:
    rolling = workload(2, updated=1, settled=False)
    verdicts = evaluate(observed(http=rolling))
    assert verdicts["Ready"].reason == "RollingOut"
    problem = PodProblem("http", "air-http-1", "ImagePullBackOff", "no such image")
    verdicts = evaluate(observed(http=rolling, pod_problems=(problem,)))
    assert verdicts["HTTPAvailable"].holds
    assert verdicts["Ready"].reason == verdicts["Reconciling"].reason == "ImagePullBackOff"
    assert "older ones answer meanwhile: pod air-http-1: no such image" in verdicts["Ready"].message
    assert not verdicts["Ready"].expected, "it is worth an Event"
    assert evaluate(observed(pod_problems=(problem,)))["Ready"].holds, "one that is of no rollout"


@pytest.mark.parametrize("part", ["http", "mqtt", "bus", "managed_database"])
def test_ready_waits_for_the_pods_of_every_part_to_be_of_the_newest_spec(part: str) -> None:
    verdicts = evaluate(observed(**{part: workload(1, updated=0, settled=False)}))
    assert (verdicts["Ready"].status, verdicts["Ready"].reason) == ("False", "RollingOut")


def test_ready_waits_for_what_waits_for_other_pods() -> None:
    """HTTP may be done when it is judged, and was not when it was looked at for MQTT."""
    verdict = evaluate(observed(waiting_children=("air-mqtt",)))["Ready"]
    assert (verdict.status, verdict.reason) == ("False", "RollingOut")
    assert verdict.message.endswith("; air-mqtt follows after them")


def test_all_is_well() -> None:
    verdicts = evaluate(observed())
    parts = {chain.type for chain in _parts(observed())}
    assert {type_ for type_, verdict in verdicts.items() if verdict.holds} == {"Ready", *parts}


_STALLS = [answer for answer in DatabaseAnswer if answer not in {*WORKING, DatabaseAnswer.UNREACHABLE}]


@pytest.mark.parametrize("answer", _STALLS)
def test_what_does_not_mend_itself_stalls(answer: DatabaseAnswer) -> None:
    seen = observed(database=Answer(False, answer.value, "told"))
    expected = answer is not DatabaseAnswer.NO_PRIMARY
    assert evaluate(seen)["Stalled"].holds == expected, "a failover promotes one by itself"


_CASES: list[Any] = [
    ({"database": None, "service": service(EXTERNAL)}, "DatabaseReachable", "Unknown", "DatabaseNotAsked"),
    ({"missing_secrets": {"a": "gone"}}, "DatabaseReachable", "False", "SecretUnusable"),
    ({"managed_database": workload(ready=0)}, "DatabaseReachable", "False", "DatabaseStarting"),
    ({"schema": None}, "SchemaUpToDate", "False", "SchemaWaiting"),
    ({"schema": SchemaJob("Running")}, "SchemaUpToDate", "False", "SchemaUpdating"),
    ({"schema": SchemaJob("Failed", "why")}, "Stalled", "True", "SchemaFailed"),
    ({"bus": None}, "BusConnected", "False", "BusStarting"),
    ({"bus": workload(ready=0)}, "Ready", "False", "BusStarting"),
    ({"http": None}, "HTTPAvailable", "False", "HTTPWaiting"),
    ({"http": workload(available=0)}, "HTTPAvailable", "False", "HTTPStarting"),
    ({"mqtt": workload(0)}, "MQTTAvailable", "False", "MQTTScaledToZero"),
    ({"http": workload(3, available=1)}, "HTTPAvailable", "True", "HTTPReady"),
    ({"http": workload(3, available=1)}, "Ready", "False", "RollingOut"),
    ({"http": workload(3, settled=False)}, "Ready", "False", "RollingOut"),
    ({"http": workload(3, stuck="deadline exceeded")}, "Stalled", "True", "RolloutStuck"),
    ({"apply_problems": (ApplyProblem("Secret", "s", "NameTaken", "m"),)}, "Ready", "False", "NameTaken"),
    ({"service": service({"paused": True}), "http": None}, "Reconciling", "False", "Paused"),
    ({"service": service({"hibernated": True})}, "Ready", "False", "Hibernated"),
]


@pytest.mark.parametrize(("fields", "type_", "status", "reason"), _CASES)
def test_each_cause_shows(fields: dict[str, Any], type_: str, status: str, reason: str) -> None:
    verdict = evaluate(observed(**fields))[type_]
    assert (verdict.status, verdict.reason) == (status, reason)


@pytest.mark.parametrize(
    ("component", "type_", "fields"),
    [
        ("http", "HTTPAvailable", {"http": workload(available=0)}),
        ("mqtt", "MQTTAvailable", {"mqtt": workload(available=0)}),
        ("bus", "BusConnected", {"bus": workload(ready=0)}),
        ("database", "DatabaseReachable", {"managed_database": workload(ready=0)}),
        ("schema", "SchemaUpToDate", {"schema": SchemaJob("Running")}),
    ],
)
def test_a_pod_that_does_not_run_shows_at_its_part_only(component: str, type_: str, fields: dict[str, Any]) -> None:
    problem = PodProblem(component, "pod-1", "ImagePullBackOff", "no such image")
    seen = observed(pod_problems=(problem,), **fields)
    verdicts = evaluate(seen)
    assert (verdicts[type_].reason, verdicts[type_].message) == ("ImagePullBackOff", "pod pod-1: no such image")
    assert [chain.type for chain in _parts(seen) if verdicts[chain.type].reason == "ImagePullBackOff"] == [type_]


def test_a_pod_in_trouble_does_not_hide_that_others_answer() -> None:
    problem = PodProblem("http", "pod-2", "CrashLoopBackOff", "again")
    verdicts = evaluate(observed(pod_problems=(problem,), http=workload(2, available=1)))
    assert verdicts["HTTPAvailable"].holds
