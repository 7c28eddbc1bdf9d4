"""The builders' small parts: hashes, addresses, replicas, determinism."""

import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorthings_operator.api import crd
from sensorthings_operator.api.database import DatabaseEndpoint
from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.clients.resources import resource_of
from sensorthings_operator.desired import children, schema
from sensorthings_operator.desired.addresses import DatabaseAddress, jdbc_url
from sensorthings_operator.desired.metadata import digest, secret_digest
from sensorthings_operator.desired.service import Service
from tests.unit.api.examples import SMALL_SERVICE
from tests.unit.api.strategies import specs
from tests.unit.operator.samples import EXTERNAL, SETTINGS, UID, service

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=3), _JSON, max_size=5), st.integers(4, 64))
def test_a_digest_does_not_depend_on_the_order_of_keys(value: dict[str, Any], length: int) -> None:
    backwards = dict(reversed(value.items()))
    assert digest(value, length=length) == digest(backwards, length=length)
    assert len(digest(value, length=length)) == length


@given(_JSON, _JSON)
def test_different_content_has_different_digests(one: Any, other: Any) -> None:
    same = repr(one) == repr(other) or (one == other and digest(one) == digest(other))
    assert same or digest(one, length=32) != digest(other, length=32)


def test_equal_passwords_of_two_services_do_not_show_in_their_hashes() -> None:
    data = {"password": "c2VjcmV0"}
    assert secret_digest(service(), data) != secret_digest(service(uid="another"), data)


_HOSTS = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?){0,3}\Z")
_ENDPOINTS = st.builds(lambda host, port: DatabaseEndpoint(host=host, port=port), _HOSTS, st.integers(1, 65535))


@given(
    st.lists(_ENDPOINTS, min_size=1, max_size=9),
    st.from_regex(r"\A[a-z_][a-z0-9_]{0,20}\Z"),
    st.sampled_from(["disable", "require", "verify-ca", "verify-full"]),
)
def test_a_jdbc_url_says_all_of_an_address(endpoints: list[DatabaseEndpoint], name: str, mode: str) -> None:
    ca = "db-ca" if mode.startswith("verify") else None
    url = jdbc_url(DatabaseAddress(tuple(endpoints), name, "credentials", mode, ca))
    parts = urlsplit(url.removeprefix("jdbc:committed:"))
    assert parts.netloc == ",".join(f"{endpoint.host}:{endpoint.port}" for endpoint in endpoints)
    assert parts.path == f"/{name}"
    parameters = parse_qs(parts.query, strict_parsing=True)
    assert parameters["sslmode"] == [mode]
    assert parameters.get("targetServerType") == (["primary"] if len(endpoints) > 1 else None)
    assert ("sslrootcert" in parameters) == (ca is not None)
    assert "socketTimeout" in parameters, "without it a dead primary holds a pod's connections for ever"


def _drawn(spec: dict[str, Any]) -> Service:
    parsed = parse_service({**SMALL_SERVICE, "spec": spec}, unknown_fields="refuse").spec
    return Service("air", "hamburg", UID, 1, parsed)


def _buildable(spec: dict[str, Any]) -> bool:
    """What CEL asks for beyond the schema."""
    database, bus = spec["database"], spec.get("bus", {})
    unions = (database["type"] == "External") == ("external" in database)
    return unions and bool((bus.get("type") == "External") == ("external" in bus))


_SERVICES = specs(crd.SERVICE).filter(_buildable).map(_drawn)


@settings(max_examples=50)
@given(_SERVICES)
def test_any_spec_is_built_the_same_twice_from_kinds_that_the_client_knows(drawn: Service) -> None:
    made = children(drawn, SETTINGS)
    assert made == children(drawn, SETTINGS)
    for manifest in made:
        resource_of(manifest)
        assert manifest["metadata"]["ownerReferences"][0]["uid"] == UID
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in made]
    assert len(names) == len(set(names))


@settings(max_examples=50)
@given(_SERVICES)
def test_a_hibernated_service_has_no_pod_and_all_else(drawn: Service) -> None:
    asleep = Service(drawn.name, drawn.namespace, drawn.uid, 1, drawn.spec.model_copy(update={"hibernated": True}))
    awake = Service(drawn.name, drawn.namespace, drawn.uid, 1, drawn.spec.model_copy(update={"hibernated": False}))
    replicas = [m["spec"]["replicas"] for m in children(asleep, SETTINGS) if "replicas" in m.get("spec", {})]
    assert set(replicas) == {0}
    gone = _names(awake) - _names(asleep)
    assert {kind for kind, _ in gone} <= {"Job", "PodDisruptionBudget", "HorizontalPodAutoscaler"}
    assert _names(asleep) <= _names(awake)


def _names(of: Service) -> set[tuple[str, str]]:
    return {(manifest["kind"], manifest["metadata"]["name"]) for manifest in children(of, SETTINGS)}


def test_the_same_bytes_in_another_interpreter() -> None:
    program = (
        "import orjson, sys; from tests.unit.operator.samples import *; "
        "from sensorthings_operator.desired import children; "
        "sys.stdout.buffer.write(orjson.dumps(children(service(EXTERNAL), SETTINGS)))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}, timeout=60
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith(b"[{")


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2.8.0"},
        {"database": {**EXTERNAL["database"], "external": {**EXTERNAL["database"]["external"], "name": "other"}}},
        {"http": {"settings": {"plugins.actuation.enable": "true"}}},
        {"rootPath": "/api"},
    ],
    ids=str,
)
def test_what_a_migration_depends_on_makes_another_job(change: dict[str, Any]) -> None:
    assert schema.name(service({**EXTERNAL, **change}), SETTINGS) != schema.name(service(EXTERNAL), SETTINGS)


@pytest.mark.parametrize("change", [{"http": {"replicas": 5}}, {"mqtt": {"replicas": 2}}, {"paused": True}], ids=str)
def test_scaling_runs_no_migration(change: dict[str, Any]) -> None:
    assert schema.name(service({**EXTERNAL, **change}), SETTINGS) == schema.name(service(EXTERNAL), SETTINGS)


def test_a_new_password_makes_another_job_and_other_pods() -> None:
    one = service(EXTERNAL, secret_digests={"air-db": "1", "db-ca": "1"})
    other = service(EXTERNAL, secret_digests={"air-db": "2", "db-ca": "1"})
    changed = {
        (a["kind"], a["metadata"]["name"].rpartition("-schema-")[0] or a["metadata"]["name"])
        for a, b in zip(children(one, SETTINGS), children(other, SETTINGS), strict=True)
        if a != b
    }
    assert changed == {("Job", "air"), ("Deployment", "air-http"), ("Deployment", "air-mqtt")}
