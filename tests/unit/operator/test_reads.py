"""Reads from the database's standbys: pods of their own, which nothing but reads reaches."""

from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.databasehosts import HostLook, Limits
from sensorthings_operator.conditions.databasejudging import judge
from sensorthings_operator.conditions.observed import Answer, PodProblem
from sensorthings_operator.desired import children, reads
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.validation import validate
from sensorthings_operator.observe.databases import Target, reads_at_primary
from tests.unit.operator.samples import EXTERNAL, SETTINGS, body, look, observed, service, standby, workload

if TYPE_CHECKING:
    from sensorthings_operator.observe.probes import Probes

_SPEC: Final[dict[str, Any]] = {
    **EXTERNAL,
    "host": "air.hamburg.example",
    "exposure": {"type": "Gateway", "gateway": {"name": "city"}},
    "certificate": {"issuerRef": {"name": "letsencrypt"}},
    "http": {"readReplicas": 2},
}


def _made(kind: str, name: str, **spec: Any) -> Manifest:
    manifests = children(service({**_SPEC, **spec}), SETTINGS)
    (found,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def _environment(name: str) -> dict[str, str]:
    container = _made("Deployment", name)["spec"]["template"]["spec"]["containers"][0]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_they_prefer_a_standby_and_the_others_the_primary() -> None:
    assert "targetServerType=preferSecondary" in _environment("air-http-read")["persistence_db_url"]
    assert "targetServerType=primary" in _environment("air-http")["persistence_db_url"]


def test_they_never_touch_the_schema_nor_the_bus() -> None:
    environment = _environment("air-http-read")
    assert environment["persistence_autoUpdateDatabase"] == "false"
    assert environment["bus_busImplementationClass"].endswith("InternalMessageBus")
    assert not [name for name in environment if name.startswith("bus_mqtt")]
    policy = _made("NetworkPolicy", "air-http-read")
    assert 8883 not in {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


def test_links_lead_to_the_public_name() -> None:
    assert _environment("air-http-read")["serviceRootUrl"] == "https://air.hamburg.example/FROST-Server"


def test_the_gateway_sends_them_reads_and_nothing_else() -> None:
    first, second = _made("HTTPRoute", "air-http")["spec"]["rules"]
    assert {match["method"] for match in first["matches"]} == {"GET", "HEAD"}
    assert first["backendRefs"][0]["name"] == "air-http-read"
    assert [match.get("method") for match in second["matches"]] == [None]
    assert second["backendRefs"][0]["name"] == "air-http"


def test_reads_that_are_at_the_primary_change_the_route_and_nothing_else() -> None:
    here, there = (children(service(_SPEC, reads_at_primary=at), SETTINGS) for at in (False, True))
    changed = [(one, other) for one, other in zip(here, there, strict=True) if one != other]
    ((before, after),) = changed
    assert (after["kind"], after["metadata"]["name"]) == ("HTTPRoute", "air-http")
    assert [rule["backendRefs"][0]["name"] for rule in before["spec"]["rules"]] == ["air-http-read", "air-http"]
    assert [rule["backendRefs"][0]["name"] for rule in after["spec"]["rules"]] == ["air-http", "air-http"]
    assert [rule["matches"] for rule in after["spec"]["rules"]] == [rule["matches"] for rule in before["spec"]["rules"]]


def test_no_pod_is_both() -> None:
    for name in ("air-http", "air-http-read"):
        selector = _made("Service", name)["spec"]["selector"]
        for other in ("air-http", "air-http-read"):
            labels = _made("Deployment", other)["spec"]["template"]["metadata"]["labels"]
            assert (selector.items() <= labels.items()) == (name == other)


def test_they_sleep_with_the_service() -> None:
    assert _made("Deployment", "air-http-read", hibernated=True)["spec"]["replicas"] == 0


_ALONE: Final = {**EXTERNAL["database"], "external": {**EXTERNAL["database"]["external"], "replicas": []}}


@pytest.mark.parametrize("database", [{"type": "Managed"}, _ALONE], ids=["managed", "alone"])
def test_without_a_standby_they_are_refused(database: dict[str, Any]) -> None:
    (problem,) = validate(service({**_SPEC, "database": database}).spec)
    assert (problem.reason, problem.path) == ("InvalidSpec", "spec.http.readReplicas")


def _verdict(**seen: Any) -> Any:
    issued = Answer(holds=True, reason="Issued", message="")
    return evaluate(observed(service=service(_SPEC), certificate=issued, **seen))["ReadsAvailable"]


def test_what_the_status_says_of_them() -> None:
    assert _verdict().reason == "ReadsWaiting"
    assert _verdict(reads=workload(2, available=0)).reason == "ReadsStarting"
    ready = _verdict(reads=workload(2))
    assert (ready.status, ready.message) == ("True", "2 of 2 pods answer")
    problem = PodProblem(reads.COMPONENT, "air-http-read-1", "CrashLoopBackOff", "it ends")
    assert _verdict(reads=workload(2, available=0), pod_problems=(problem,)).reason == "CrashLoopBackOff"


def test_the_status_says_that_reads_are_at_the_primary() -> None:
    issued = Answer(holds=True, reason="Issued", message="")
    at_primary = service(_SPEC, reads_at_primary=True)
    for pods in (workload(2), workload(2, available=0)):
        verdict = evaluate(observed(service=at_primary, certificate=issued, reads=pods))["ReadsAvailable"]
        assert (verdict.status, verdict.reason) == ("True", "ReadsAtPrimary")
        assert "more than 30 s behind" in verdict.message


def _looks(*looks: HostLook, before: Answer | None = None) -> Answer:
    return judge(looks, "sensorthings", Limits(), before, began=0.0, now=0.0)


def _goes(spec: Manifest, answer: Answer | None, status: Manifest | None = None) -> bool:
    class Known:
        def answer(self, _: object) -> Answer | None:
            return answer

    live = {**body(spec), "status": status or {}}
    return reads_at_primary(cast("Probes[Target]", Known()), service(spec), live)


def test_where_reads_go_is_what_the_probe_says_or_the_status_until_it_has() -> None:
    late = _looks(look(), standby(position=900, replay_age_seconds=60))
    there = {
        "conditions": [
            {"type": "DatabaseReachable", "status": "True", "reason": "DatabaseAnswers", "message": ""},
            {"type": "DatabaseReplicated", "status": "False", "reason": "StandbyLagging", "message": ""},
            {"type": "ReadsAvailable", "status": "True", "reason": "ReadsAtPrimary", "message": ""},
        ]
    }
    assert _goes(_SPEC, late)
    assert not _goes(_SPEC, _looks(look(), standby()))
    assert not _goes(_SPEC, None)
    assert _goes(_SPEC, None, there), "a start of the operator moves no reads"
    assert not _goes(_SPEC, _looks(look(), standby()), there)
    assert _goes({**_SPEC, "paused": True}, _looks(look(), standby()), there), "paused, routes stay as they are"
    assert not _goes({**_SPEC, "http": {"readReplicas": 0}}, late), "nothing to lead elsewhere"


def test_who_asks_for_none_has_no_such_condition() -> None:
    assert "ReadsAvailable" not in evaluate(observed())
