"""What the API server can't know: refused with its path, never passed over."""

from typing import Any

import pytest

from sensorthings_operator.desired.validation import validate
from tests.unit.operator.samples import EXTERNAL, service

_KEYCLOAK = {"type": "Keycloak", "none": None, "anonymousRead": False, "keycloak": {"realm": "city"}}
_USER = {"name": "gateway", "passwordSecretRef": {"name": "gateway"}}
_BASIC = {"type": "Basic", "none": None, "anonymousRead": False, "basic": {"users": [_USER]}}
_WRONG: list[Any] = [
    ({"version": "1.0.0"}, "UnknownVersion", "spec.version"),
    ({"auth": {"anonymousRead": False}}, "InvalidSpec", "spec.auth.anonymousRead"),
    (
        {"exposure": {"type": "Gateway", "gateway": {"name": "g"}}, "http": {"readReplicas": 1}},
        "InvalidSpec",
        "spec.http.readReplicas",
    ),
]


@pytest.mark.parametrize(("spec", "reason", "path"), _WRONG)
def test_what_is_wrong_is_told_with_its_path(spec: dict[str, Any], reason: str, path: str) -> None:
    (problem,) = validate(service(spec).spec)
    assert (problem.reason, problem.path) == (reason, path)
    assert problem.message


@pytest.mark.parametrize(
    "spec",
    [
        {},
        EXTERNAL,
        {"version": "2.8.0"},
        {"http": {"replicas": 3}},
        {"mqtt": {"autoscaling": {"maxReplicas": 3}}},
        {"host": "iot.hamburg.example"},
        {"paused": True},
        {"auth": _KEYCLOAK},
        {"auth": _BASIC},
    ],
    ids=str,
)
def test_what_is_right_passes(spec: dict[str, Any]) -> None:
    assert validate(service(spec).spec) == ()


def test_everything_is_told_at_once() -> None:
    spec = {"version": "1.0.0", "auth": {"anonymousRead": False}}
    assert [problem.path for problem in validate(service(spec).spec)] == ["spec.version", "spec.auth.anonymousRead"]
