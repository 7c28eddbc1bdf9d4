"""What is written into the status, when, and which Events are told."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.apply.status import (
    StatusWriter,
    build,
    build_failed,
    build_invalid,
    is_warning,
    worth_an_event,
)
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.databasehosts import HostLook, Limits
from sensorthings_operator.conditions.databasejudging import judge
from sensorthings_operator.conditions.observed import Observed, SchemaJob
from sensorthings_operator.conditions.unobserved import UnobservedReason, failed_verdicts, invalid_verdicts
from sensorthings_operator.desired.addresses import endpoints
from tests.unit.operator.samples import EXTERNAL, SETTINGS, body, look, observed, service, standby, workload
from tests.unit.operator.strategies import OBSERVED
from tests.unit.operator.virtual_time import run

if TYPE_CHECKING:
    from sensorthings_operator.apply.events import Events
    from sensorthings_operator.clients.kubernetes import KubernetesClient

THEN = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)
Body = dict[str, Any]


def _status(of: Body, seen: Observed, now: datetime) -> dict[str, Any]:
    return build(of, seen, evaluate(seen), endpoints(seen.service, SETTINGS), now)


def _with(status: dict[str, Any]) -> Body:
    return {**body(), "status": status}


@given(OBSERVED, OBSERVED)
def test_a_transition_time_moves_with_the_status_and_only_then(one: Observed, other: Observed) -> None:
    first = _status(body(), one, THEN)
    second = _status(_with(first), other, LATER)
    statuses = {condition["type"]: condition["status"] for condition in first["conditions"]}
    for after in second["conditions"]:
        moved = after["lastTransitionTime"] == "2026-01-01T13:00:00Z"
        # One that was not there is new, whatever it says.
        assert moved == (statuses.get(after["type"]) != after["status"])


@given(OBSERVED)
def test_the_same_again_is_the_same_status(seen: Observed) -> None:
    first = _status(body(), seen, THEN)
    assert _status(_with(first), seen, LATER) == first
    assert worth_an_event(_with(first), evaluate(seen)) == []


@given(OBSERVED)
def test_a_status_is_what_the_crd_takes(seen: Observed) -> None:
    parse_service(_with(_status(body(), seen, THEN)), unknown_fields="refuse")


def test_every_condition_has_the_generation_it_was_seen_for() -> None:
    status = _status(body(), observed(service=service(generation=7)), THEN)
    assert {condition["observedGeneration"] for condition in status["conditions"]} == {7}
    assert status["observedGeneration"] == 7


def _pair(*looks: HostLook) -> Observed:
    answer = judge(looks, "sensorthings", Limits(), None, began=0.0, now=0.0)
    return observed(service=service(EXTERNAL), managed_database=None, database=answer)


def test_servers_of_a_database_that_has_several_are_named_with_their_roles() -> None:
    assert "database" not in _status(body(), observed(), THEN)
    assert _status(body(), _pair(look(), standby()), THEN)["database"] == {
        "primary": "db-0:5432",
        "hosts": [{"host": "db-0:5432", "role": "primary"}, {"host": "db-1:5432", "role": "standby"}],
    }
    assert "primary" not in _status(body(), _pair(look(), look("db-1:5432")), THEN)["database"]


def test_a_standby_that_stops_to_follow_is_an_event_and_so_is_its_coming_back() -> None:
    well, ill = _pair(look(), standby()), _pair(look(), standby(streaming=False))
    told: list[tuple[str, str, bool]] = []
    live = body()
    for seen in (well, ill, ill, well, well):
        verdicts = evaluate(seen)
        told += [
            (type_, verdict.reason, is_warning(type_, verdict))
            for type_, verdict in worth_an_event(live, verdicts)
            if type_ == "DatabaseReplicated"
        ]
        live = _with(_status(live, seen, THEN))
    assert told == [
        ("DatabaseReplicated", "StandbyNotStreaming", True),
        ("DatabaseReplicated", "StandbysStreaming", False),
    ]


def test_reads_that_move_are_an_event_each_way() -> None:
    spec = {
        **EXTERNAL,
        "host": "air.hamburg.example",
        "exposure": {"type": "Gateway", "gateway": {"name": "city"}},
        "certificate": {"issuerRef": {"name": "letsencrypt"}},
        "http": {"readReplicas": 1},
    }
    told: list[str] = []
    live = body()
    for at_primary in (False, True, True, False, False):
        seen = observed(service=service(spec, reads_at_primary=at_primary), managed_database=None, reads=workload())
        verdicts = evaluate(seen)
        told += [verdict.reason for type_, verdict in worth_an_event(live, verdicts) if type_ == "ReadsAvailable"]
        live = _with(_status(live, seen, THEN))
    assert told == ["ReadsAtPrimary", "ReadsReady"]


def test_the_version_is_that_of_the_schema() -> None:
    old = _status(body(), observed(), THEN)
    assert old["version"] == "2.0.0"
    wanted = service({"version": "2.8.0"})
    migrating = _status(_with(old), observed(service=wanted, schema=SchemaJob("Running")), LATER)
    assert migrating["version"] == "2.0.0"
    assert _status(_with(migrating), observed(service=wanted), LATER)["version"] == "2.8.0"
    assert "version" not in _status(body(), observed(schema=None), THEN)


def test_an_invalid_spec_says_nothing_new_of_the_parts() -> None:
    before = _status(body(), observed(), THEN)
    of = {**body(generation=2), "status": before}
    after = build_invalid(of, invalid_verdicts("InvalidSpec", ["spec.a: wrong", "spec.b: wrong"]), LATER)
    conditions = {condition["type"]: condition for condition in after["conditions"]}
    assert (conditions["Ready"]["status"], conditions["Stalled"]["status"]) == ("False", "True")
    assert conditions["Stalled"]["message"] == "spec.a: wrong; spec.b: wrong"
    assert conditions["Stalled"]["observedGeneration"] == 2
    assert conditions["HTTPAvailable"] in before["conditions"]
    assert {key: after[key] for key in ("endpoints", "http", "version")} == {
        key: before[key] for key in ("endpoints", "http", "version")
    }


def test_a_failing_pass_says_nothing_new_of_the_service() -> None:
    before = _status(body(), observed(), THEN)
    of = {**body(generation=2), "status": before}
    after = build_failed(of, failed_verdicts("PATCH /x: no answer", before), LATER)
    conditions = {condition["type"]: condition for condition in after["conditions"]}
    assert conditions["Ready"] in before["conditions"]
    assert after["observedGeneration"] == 1
    assert (conditions["Reconciling"]["status"], conditions["Reconciling"]["reason"]) == (
        "True",
        UnobservedReason.FAILED,
    )
    assert "PATCH /x: no answer" in conditions["Reconciling"]["message"]
    assert [type_ for type_, _ in worth_an_event(of, failed_verdicts("PATCH /x: no answer", before))] == ["Reconciling"]
    assert worth_an_event({**of, "status": after}, failed_verdicts("PATCH /x: no answer", after)) == []


def test_a_new_service_over_which_passes_fail_is_not_judged() -> None:
    told = failed_verdicts("no answer", {})
    assert {type_: verdict.status for type_, verdict in told.items()} == {"Ready": "Unknown", "Reconciling": "True"}


_TYPES = st.sampled_from(["Ready", "Stalled", "Reconciling", "HTTPAvailable", "SchemaUpToDate"])
_VERDICTS = st.builds(
    Verdict,
    st.sampled_from(["True", "False", "Unknown"]),
    st.sampled_from(["One", "Two"]),
    st.just("told"),
    st.booleans(),
)


@given(_TYPES, _VERDICTS)
def test_events_for_what_newly_holds_and_for_new_causes_of_warnings(type_: str, verdict: Verdict) -> None:
    told = bool(worth_an_event(body(), {type_: verdict}))
    holds = verdict.holds and type_ in ("Ready", "SchemaUpToDate")
    assert told == (holds or is_warning(type_, verdict))
    if verdict.expected and not verdict.holds:
        assert not told or type_ == "Stalled", "what starts as it should is not told"


def test_a_warning_is_told_again_for_another_cause_only() -> None:
    def standing(reason: str) -> Body:
        return _with({"conditions": [{"type": "HTTPAvailable", "status": "False", "reason": reason}]})

    bad = {"HTTPAvailable": Verdict("False", "ImagePullBackOff", "told")}
    assert worth_an_event(standing("CrashLoopBackOff"), bad)
    assert not worth_an_event(standing("ImagePullBackOff"), bad)


class FakeClient:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []

    async def apply(self, manifest: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.statuses.append(manifest)
        return manifest


class FakeEvents:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, service: Body, **event: Any) -> None:
        self.told.append({"service": service["uid"], **event})


def _write(client: FakeClient, of: Body, seen: Observed, events: FakeEvents | None = None) -> Any:
    verdicts = evaluate(seen)
    status = _status(of, seen, LATER)
    writer = StatusWriter(cast("KubernetesClient", client), cast("Events", events or FakeEvents()))
    return run(writer.write(of, status, verdicts, LATER))


def test_an_unchanged_status_is_not_written() -> None:
    client, events = FakeClient(), FakeEvents()
    assert _write(client, _with(_status(body(), observed(), THEN)), observed(), events) is None
    assert (client.statuses, events.told) == ([], [])


def test_a_condition_of_somebody_else_is_no_change() -> None:
    client = FakeClient()
    status = _status(body(), observed(), THEN)
    foreign = {"type": "BackedUp", "status": "True"}
    assert _write(client, _with({**status, "conditions": [foreign, *status["conditions"]]}), observed()) is None


@pytest.mark.parametrize(
    "change", [{"version": "9"}, {"endpoints": []}, {"conditions": []}, {"observedGeneration": 0}], ids=str
)
def test_whatever_else_differs_is_written(change: dict[str, Any]) -> None:
    client = FakeClient()
    assert _write(client, _with({**_status(body(), observed(), THEN), **change}), observed()) is not None
    assert len(client.statuses) == 1


def test_a_condition_that_turned_is_told_with_its_status_and_message() -> None:
    events = FakeEvents()
    _write(FakeClient(), body(), observed(missing_secrets={"a": "no password"}, http=workload(2)), events)
    told = {event["note"]: event for event in events.told}
    warning = told["DatabaseReachable=False: no password"]
    assert (warning["service"], warning["warning"], warning["now"]) == (body()["metadata"]["uid"], True, LATER)
