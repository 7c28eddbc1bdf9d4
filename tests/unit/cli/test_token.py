"""``sensorthings token``: what a person sees, what is annotated, and what is said where there is nothing."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from sensorthings_operator.cli import app
from sensorthings_operator.cli.status.cluster import AnswerError, Cluster
from sensorthings_operator.desired.connector.feed import REVOKED_ANNOTATION

if TYPE_CHECKING:
    from pathlib import Path

_CONNECTOR = "/apis/sensorthings.city/v1alpha1/namespaces/bikes/connectors/counter"
_SECRET = "/api/v1/namespaces/bikes/secrets/counter-token"


class FakeCluster:
    """A cluster with one connector, as far as it is asked."""

    namespace = "bikes"

    def __init__(self) -> None:
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 200))
        self.objects: dict[str, dict[str, Any]] = {
            _CONNECTOR: {
                "metadata": {"name": "counter", "annotations": {}},
                "spec": {"devices": [{"name": "a"}, {"name": "b"}]},
                "status": {
                    "token": {"expiresAt": later},
                    "conditions": [{"type": "TokenIssued", "message": "Keycloak is down"}],
                },
            },
            _SECRET: {"data": {"token": b64encode(b"eyJ.own").decode(), "device.a": b64encode(b"eyJ.a").decode()}},
        }
        self.refuses: AnswerError | None = None

    def get(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise AnswerError(404, "404")
        return self.objects[path]

    def annotate(self, path: str, annotations: dict[str, str | None]) -> dict[str, Any]:
        if self.refuses is not None:
            raise self.refuses
        there = self.objects[path]["metadata"]["annotations"]
        for name, value in annotations.items():
            there.pop(name, None)
            if value is not None:
                there[name] = value
        return self.objects[path]

    @property
    def revoked(self) -> str | None:
        return self.objects[_CONNECTOR]["metadata"]["annotations"].get(REVOKED_ANNOTATION)  # type: ignore[no-any-return]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    fake = FakeCluster()

    def connect(_: Path | None, __: str | None) -> FakeCluster:
        return fake

    monkeypatch.setattr(Cluster, "connect", connect)
    return fake


def _run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["token", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(("options", "token"), [((), "eyJ.own"), (("--device", "a"), "eyJ.a")])
@pytest.mark.parametrize("command", [(), ("show",)])
def test_the_token_alone_goes_to_standard_output(
    command: tuple[str, ...], options: tuple[str, ...], token: str
) -> None:
    code, told, beside = _run(*command, "counter", *options)
    assert (code, told) == (0, f"{token}\n")
    assert "good until" in beside


def test_why_there_is_none(cluster: FakeCluster) -> None:
    code, told, beside = _run("counter", "--device", "b")
    assert (code, told) == (1, "")
    assert "Keycloak is down" in beside
    assert "It has: a, b" in _run("counter", "--device", "c")[2]
    cluster.objects[_CONNECTOR]["status"]["token"]["expiresAt"] = "2026-01-01T00:00:00Z"
    assert _run("counter")[:2] == (1, ""), "what is over is shown to nobody"
    assert "There is no Connector bikes/nobody" in _run("nobody")[2]
    assert "There is no Connector else/counter" in _run("-n", "else", "counter")[2]


def test_what_is_revoked_is_revoked_until_it_is_taken_back(cluster: FakeCluster) -> None:
    code, told, beside = _run("revoke", "counter", "--device", "a")
    assert (code, told, cluster.revoked) == (0, "", "a")
    assert "good until" in beside
    assert _run("revoke", "counter")[0] == 0
    assert cluster.revoked == "*,a"
    assert _run("restore", "counter")[0] == 0
    assert cluster.revoked == "a"
    assert "is not revoked" in _run("restore", "counter")[2]
    assert _run("restore", "counter", "--device", "a")[0] == 0
    assert cluster.revoked is None
    assert "has no device x" in _run("revoke", "counter", "--device", "x")[2]


def test_who_may_not_is_told_what_it_takes(cluster: FakeCluster) -> None:
    cluster.refuses = AnswerError(403, "403, not allowed")
    code, _, beside = _run("revoke", "counter")
    assert code == 1
    assert "It takes the right to patch it" in beside
