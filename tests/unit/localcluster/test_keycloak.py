"""A writer is let in by Keycloak's admin API, over and over with the same result."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from localcluster import edge
from localcluster.addons import keycloak
from localcluster.edge import Answer
from localcluster.errors import LocalClusterError
from localcluster.install import ServiceName
from localcluster.kubectl import Kubectl
from localcluster.plan import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SERVICE = ServiceName("hamburg", "lights")
_REALM = "https://id.city.example/admin/realms/city/"


@dataclass
class FakeKeycloak:
    """As much of the admin API as is asked, with one client: that of a service."""

    roles: list[str]
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    granted: list[str] = field(default_factory=list)
    posted: int = 0

    def __post_init__(self) -> None:
        client = keycloak.client_of(_SERVICE)
        self.clients[client] = {"id": "1", "clientId": client}

    def call(
        self, _: Cluster, method: str, url: str, *, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        if url.endswith("/openid-connect/token"):
            form = parse_qs(body or "")
            known = form.get("password") == ["secret of the admin"]
            answer = {"access_token": "t"} if known else {"error_description": "Invalid user credentials"}
            return Answer(200 if known else 401, "", json.dumps(answer).encode())
        assert (headers or {})["Authorization"] == "Bearer t"
        result = self._admin(method, url.removeprefix(_REALM), json.loads(body) if body else None)
        return Answer(201 if method == "POST" else 200, "", b"" if result is None else json.dumps(result).encode())

    def _admin(self, method: str, path: str, body: Any) -> Any:
        if path.startswith("clients?clientId="):
            found = self.clients.get(path.partition("=")[2])
            return [found] if found else []
        if (method, path) == ("POST", "clients"):
            self.posted += 1
            self.clients[body["clientId"]] = {"id": "2", **body}
        elif path == "users/7/role-mappings/clients/1":
            self.granted += [role["name"] for role in body]
        answers = {
            "clients/2/client-secret": {"value": "s&cret"},
            "clients/1/roles": [{"name": role} for role in self.roles],
            "clients/2/service-account-user": {"id": "7"},
        }
        return answers.get(path)


class _Secrets(Kubectl):
    def find(self, *args: str) -> Any:
        # base64 of: admin, secret of the admin
        return {"data": {"username": "YWRtaW4=", "password": "c2VjcmV0IG9mIHRoZSBhZG1pbg=="}}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with TemporaryDirectory(prefix="sta-") as folder:
        yield Cluster("a", 1, Path(folder))


def _grant(cluster: Cluster) -> str:
    return keycloak.grant_writer(cluster, _Secrets(Path("kubectl"), None), _SERVICE)


def test_a_writer_gets_its_roles_and_its_credentials_are_its_owners_only(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeKeycloak(["admin", "create", "delete", "read", "update"])
    monkeypatch.setattr(edge, "call", fake.call)
    assert [_grant(cluster), _grant(cluster)] == ["lights-writer", "lights-writer"]
    assert fake.posted == 1
    assert set(fake.granted) == {"create", "delete", "read", "update"}
    made = fake.clients["lights-writer"]
    assert made["serviceAccountsEnabled"]
    assert [made[name] for name in ("publicClient", "standardFlowEnabled", "directAccessGrantsEnabled")] == [False] * 3

    credentials = json.loads(cluster.writer.read_text())
    assert credentials == {
        "token_url": "https://id.city.example/realms/city/protocol/openid-connect/token",
        "client_id": "lights-writer",
        "client_secret": "s&cret",
    }
    form = cluster.writer.with_suffix(".form")
    assert parse_qs(form.read_text())["client_secret"] == ["s&cret"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (cluster.writer, form)] == [0o600, 0o600]


def test_a_service_whose_client_lacks_a_role_is_named(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "call", FakeKeycloak(["create", "read"]).call)
    with pytest.raises(LocalClusterError, match="sensorthings-hamburg-lights lacks the roles delete, update"):
        _grant(cluster)
    assert not cluster.writer.exists()


def test_a_service_without_a_client_is_named(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeKeycloak([])
    fake.clients.clear()
    monkeypatch.setattr(edge, "call", fake.call)
    with pytest.raises(LocalClusterError, match="no client sensorthings-hamburg-lights"):
        _grant(cluster)


def test_a_refused_login_says_why_and_shows_no_password(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "call", FakeKeycloak([]).call)
    monkeypatch.setattr(_Secrets, "find", lambda *_: {"data": {"username": "YQ==", "password": "aHVudGVyMg=="}})
    with pytest.raises(LocalClusterError, match="401 Invalid user credentials") as caught:
        _grant(cluster)
    assert "hunter2" not in str(caught.value)
