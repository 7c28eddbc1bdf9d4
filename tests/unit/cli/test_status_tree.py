"""What ``sensorthings status`` makes of objects, without a cluster: states, what to do, the text, and the JSON."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sensorthings_operator.cli.status.assembly import overview
from sensorthings_operator.cli.status.model import Overview, Service, State
from sensorthings_operator.cli.status.snapshot import Missing, Snapshot
from sensorthings_operator.cli.status.text import Drawing
from tests.unit.cli import objects
from tests.unit.cli.objects import NAME, NOW, OLD, RECENT, condition

GOLDEN: Final = Path(__file__).parent / "golden"


def snapshot(live: list[objects.Object], **missing: Missing) -> Snapshot:
    kinds: dict[str, tuple[objects.Object, ...]] = {}
    for each in live:
        kinds[each["kind"]] = (*kinds.get(each["kind"], ()), each)
    services = kinds.pop("SensorThingsService", ())
    return Snapshot(NOW, services, kinds, missing)


def tree(live: list[objects.Object]) -> Service:
    (service,) = overview(snapshot(live)).services
    return service


def drawn(seen: Overview, *, width: int = 80, unicode: bool = True) -> str:
    console = Console(width=width, markup=False, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(Drawing(NOW, unicode=unicode).overview(seen))
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def remedies(live: list[objects.Object]) -> list[tuple[str, str]]:
    return [(remedy.about, remedy.reason) for remedy in tree(live).what_to_do]


@pytest.mark.parametrize("name", ["healthy", "troubled"])
def test_the_tree_at_80_columns(name: str) -> None:
    text = drawn(overview(snapshot(getattr(objects, name)())))
    assert text == (GOLDEN / f"status-{name}.txt").read_text(encoding="utf-8")


def test_what_to_do_stands_first_and_names_each_cause_once() -> None:
    lines = drawn(overview(snapshot(objects.troubled()))).splitlines()
    assert lines[0].startswith("✖ hamburg/traffic-lights  not Ready")
    assert lines[1] == "├── What to do"
    assert remedies(objects.troubled()) == [
        ("HTTPAvailable", "ImagePullBackOff"),
        ("CertificateReady", "IssuerMissing"),
    ]


def test_a_terminal_that_knows_only_ascii() -> None:
    text = drawn(overview(snapshot(objects.troubled())), unicode=False)
    symbols = {line.lstrip("│├└─ ")[:1] for line in text.splitlines()}
    assert {"+", "~", "!"} <= symbols
    assert not symbols & {"✔", "✖", "↻"}


def test_json_keys_are_stable() -> None:
    record = overview(snapshot(objects.troubled())).record()
    json.dumps(record)
    assert list(record) == ["ready", "services", "notes"]
    (service,) = record["services"]
    assert list(service) == [
        "namespace", "name", "version", "created", "ready", "state", "whatToDo", "conditions", "endpoints", "parts",
        "warnings",
    ]  # fmt: skip
    assert list(service["whatToDo"][0]) == ["about", "reason", "message"]
    assert list(service["conditions"][0]) == [
        "type", "status", "reason", "message", "since", "outdated", "state",
    ]  # fmt: skip
    assert service["endpoints"][0] == {
        "name": "sensorthings", "url": "https://iot.city.example/FROST-Server/v1.1"
    }  # fmt: skip
    assert list(service["warnings"][0]) == ["about", "reason", "message", "count", "last"]
    parts = {part["key"]: part for part in service["parts"]}
    assert list(parts) == [
        "database", "schema", "bus", "http", "mqtt", "autoscaling", "routes", "certificate", "auth"
    ]  # fmt: skip
    assert list(parts["http"]) == [
        "key", "title", "state", "about", "condition", "workloads", "autoscalers", "routes", "certificates", "notes",
    ]  # fmt: skip
    (deployment,) = parts["http"]["workloads"]
    assert list(deployment) == ["kind", "name", "ready", "wanted", "created", "troubles", "pods", "state"]
    assert list(deployment["pods"][0]) == [
        "name", "ready", "containers", "restarts", "lastEnd", "lastEnded", "phase", "node", "created", "troubles",
        "state",
    ]  # fmt: skip
    assert list(parts["autoscaling"]["autoscalers"][0]) == [
        "name", "target", "minimum", "maximum", "current", "desired", "cpu", "targetCpu", "troubles", "state",
    ]  # fmt: skip
    assert list(parts["routes"]["routes"][0]) == ["kind", "name", "urls", "addresses", "troubles", "state"]
    assert list(parts["certificate"]["certificates"][0]) == [
        "name", "hosts", "expires", "renewal", "troubles", "state",
    ]  # fmt: skip
    assert {state.value for state in State} == {"ok", "off", "waiting", "unknown", "trouble"}


def test_what_works_but_not_for_long_asks_for_somebody() -> None:
    live = objects.healthy()
    live[0] = objects.service(CertificateReady=("True", "CertificateRenewalFailing", "the issuer refuses"))
    assert tree(live).ready
    assert remedies(live) == [("CertificateReady", "CertificateRenewalFailing")]


def test_ready_is_about_the_spec_that_stands() -> None:
    live = objects.healthy()
    assert tree(live).ready
    live[0]["metadata"]["generation"] += 1
    assert not tree(live).ready
    assert tree(live).state is State.WAITING
    assert "of an older spec" in drawn(overview(snapshot(live)))


def test_what_starts_waits_and_asks_for_nobody() -> None:
    live = objects.healthy()
    live[0] = objects.service(
        Ready=("False", "HTTPStarting", "HTTPAvailable: no pod answers"),
        Reconciling=("True", "HTTPStarting", "HTTPAvailable: no pod answers"),
        HTTPAvailable=("False", "HTTPStarting", "no pod answers"),
    )
    assert (tree(live).ready, tree(live).state, tree(live).what_to_do) == (False, State.WAITING, ())
    assert "What to do" not in drawn(overview(snapshot(live)))


def test_a_hibernated_service_rests() -> None:
    told = ("False", "Hibernated", "hibernated: no pod runs")
    live = [objects.service(Ready=told, HTTPAvailable=told, MQTTAvailable=told, DatabaseReachable=told)]
    assert (tree(live).ready, tree(live).state, tree(live).what_to_do) == (False, State.OFF, ())


def test_a_stalled_service_says_why_though_its_parts_are_well() -> None:
    live = objects.healthy()
    live[0] = objects.service(
        Ready=("False", "NameTaken", "Service traffic-lights-http: is there already"),
        Stalled=("True", "NameTaken", "Service traffic-lights-http: is there already"),
    )
    assert remedies(live) == [("Stalled", "NameTaken")]


def test_a_new_service_is_waited_for_and_an_old_one_misses_its_operator() -> None:
    service = objects.service()
    del service["status"]
    assert remedies([service]) == [("Operator", "NotSeen")]
    service["metadata"]["creationTimestamp"] = RECENT
    assert (tree([service]).state, tree([service]).what_to_do) == (State.WAITING, ())


def test_a_deletion_that_waits_names_the_finalizers() -> None:
    live = objects.healthy()
    live[0]["metadata"] |= {"deletionTimestamp": RECENT, "finalizers": ["sensorthings.city/release"]}
    assert (tree(live).ready, tree(live).what_to_do) == (False, ())
    live[0]["metadata"]["deletionTimestamp"] = OLD
    (remedy,) = tree(live).what_to_do
    assert "sensorthings.city/release" in remedy.message


def test_a_troubled_pod_of_a_ready_service_is_told() -> None:
    live = objects.healthy()
    crashing = objects.pod("http", "http-6d5f7c8b9f-aaaaa")
    crashing["status"]["containerStatuses"][0] |= {
        "ready": False,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
    }
    live.append(crashing)
    assert tree(live).ready
    assert remedies(live) == [(f"Pod {NAME}-http-6d5f7c8b9f-aaaaa", "CrashLoopBackOff")]
    assert drawn(overview(snapshot(live))).splitlines()[1] == "├── What to do"


def test_what_this_release_does_not_know_is_shown_too() -> None:
    live = objects.healthy()
    live[0]["status"]["conditions"].append(condition("DeliveryVerified", "False", "NothingArrives", "look at the bus"))
    live.append(objects.workload("Deployment", "gate", "gate"))
    parts = {part.key: part for part in tree(live).parts}
    assert parts["deliveryVerified"].title == "DeliveryVerified"
    assert parts["gate"].workloads[0].name == f"{NAME}-gate"
    assert ("DeliveryVerified", "NothingArrives") in remedies(live)


@pytest.mark.parametrize(
    ("spec", "key", "about"),
    [
        ({"auth": {"type": "None", "none": {"allowAnonymousWrite": True}}}, "auth", "anybody may read and write"),
        (
            {"auth": {"type": "Basic", "anonymousRead": False, "basic": {"users": [{"name": "a"}, {"name": "b"}]}}},
            "auth",
            "users a, b; reading needs a login",
        ),
        ({"exposure": {"type": "None"}}, "routes", "inside the cluster only"),
        ({"bus": {"type": "External", "external": {"host": "bus.city.internal"}}}, "bus", "at bus.city.internal:1883"),
        (
            {"database": {"external": {"primary": {"host": "db-0"}, "replicas": [{"host": "db-1", "port": 6432}]}}},
            "database",
            "at db-0:5432, db-1:6432",
        ),
    ],
)
def test_what_the_spec_says_of_a_part(spec: dict[str, Any], key: str, about: str) -> None:
    service = objects.service()
    service["spec"] |= spec
    assert next(part.about for part in tree([service]).parts if part.key == key) == about


def test_many_pods_are_summed_up_with_the_troubled_first() -> None:
    live = objects.healthy()
    live += [objects.pod("http", f"http-6d5f7c8b9f-{number:05}") for number in range(40)]
    live[-1]["status"] |= {"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"}
    text = drawn(overview(snapshot(live)))
    assert text.index("6d5f7c8b9f-00039  Failed") < text.index("6d5f7c8b9f-00000  1/1")
    assert "and 36 more pods, 36 of them ready" in text
    http = next(part for part in tree(live).parts if part.key == "http")
    assert len(http.workloads[0].pods) == 42


def test_an_autoscaler_at_its_maximum_says_so() -> None:
    live = [*objects.healthy(), objects.autoscaler(4, 99)]
    assert "4 pods (1 to 4), CPU 99 %, target 70 %, at its maximum" in drawn(overview(snapshot(live)), width=200)


@st.composite
def damaged(draw: st.DrawFn) -> list[objects.Object]:
    """Objects of a service at any stage: some are not there yet, some have less of a status, or none."""
    live = copy.deepcopy(draw(st.sampled_from([objects.healthy(), objects.troubled()])))
    kept = [live[0], *(each for each in live[1:] if draw(st.booleans()))]
    for each in kept:
        for key in list(each.get("status", {})):
            if draw(st.integers(0, 3)) == 0:
                del each["status"][key]
        if draw(st.integers(0, 9)) == 0:
            each.pop("status", None)
    return kept


@settings(max_examples=60)
@given(damaged(), st.integers(30, 200), st.booleans())
def test_every_stage_can_be_shown(live: list[objects.Object], width: int, unicode: bool) -> None:
    seen = overview(snapshot(live))
    json.dumps(seen.record())
    assert all(len(line) <= width for line in drawn(seen, width=width, unicode=unicode).splitlines())
    (service,) = seen.services
    assert service.ready == (service.state is State.OK)


@settings(max_examples=30)
@given(st.text())
def test_nothing_in_a_message_controls_the_terminal(message: str) -> None:
    live = objects.troubled()
    live[0] = objects.service(HTTPAvailable=("False", "Broken", message))
    live.append(objects.event("Pod", f"{NAME}-db-0", "Failed", message))
    live[0]["status"]["endpoints"][0]["url"] = message
    text = drawn(overview(snapshot(live)))
    assert all(character.isprintable() or character == "\n" for character in text)


def test_ages_are_written_as_kubectl_does() -> None:
    for seconds, said in ((0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (3 * 86400, "3d")):
        live = [objects.service()]
        created = NOW - timedelta(seconds=seconds)
        live[0]["metadata"]["creationTimestamp"] = created.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert drawn(overview(snapshot(live))).splitlines()[0].endswith(f", {said}")
