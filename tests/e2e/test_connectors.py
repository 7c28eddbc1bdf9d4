"""Connectors as their people meet them: the example feeds a city's service with tokens it never asks for.

It goes on while tokens are renewed, secrets made anew, Keycloak and the token service restarted; revoked, it ends.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from base64 import b64decode
from contextlib import closing
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from localcluster import images, imagestore, parts, plan
from localcluster.images import catalogue
from localcluster.installation import REPOSITORY
from tests.e2e.conftest import NAME, sensorthings
from tests.e2e.netns import inside
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.kubernetes import Kubernetes

_NAMESPACE: Final = "hamburg"
_SYSTEM: Final = "sensorthings-system"
_TOKENS: Final = "sensorthings-operator-tokens"
_CONNECTORS: Final = f"/apis/sensorthings.city/v1alpha1/namespaces/{_NAMESPACE}/connectors"
_EXAMPLES: Final = REPOSITORY / "examples" / "connectors"
_RENEWED_SECONDS: Final = 200
"""A token is renewed after 150 seconds at the latest, and kubelet takes up to 90 to bring it into a pod."""


class _Connector:
    """One Connector, and its Observations."""

    def __init__(self, city: Kubernetes, platform: dict[str, str], name: str) -> None:
        self.city = city
        self.platform = platform
        self.name = name

    @property
    def body(self) -> dict[str, Any]:
        return self.city.get(f"{_CONNECTORS}/{self.name}") or {}

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.body.get("status", {}))

    def condition(self, type_: str) -> dict[str, Any]:
        return next((each for each in self.status.get("conditions", ()) if each["type"] == type_), {})

    def await_condition(self, type_: str, status: str, reason: str) -> str:
        def there() -> dict[str, Any] | None:
            seen = self.condition(type_)
            return seen if (seen.get("status"), seen.get("reason")) == (status, reason) else None

        return str(eventually(f"{self.name} {type_}={status} {reason}", there)["message"])

    def values(self, secret: str) -> dict[str, str]:
        found = self.city.get(f"/api/v1/namespaces/{_NAMESPACE}/secrets/{secret}") or {}
        return {key: b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def results(self) -> list[int]:
        """Of all its Observations, in the order in which they were stored."""
        asked = f"$filter=Datastream/properties/connector%20eq%20'{self.name}'&$orderby=id&$top=1000&$select=result"
        url, found = f"{self.platform['sensorthings']}/Observations?{asked}", list[int]()
        while True:
            page = _curl(self.platform, f"{url}&$skip={len(found)}")["value"]
            found += [int(each["result"]) for each in page]
            if not page:
                return found

    def log(self) -> str:
        return self.city.run("logs", "-n", _NAMESPACE, f"deployment/{self.name}-connector", "--tail=-1")


def _curl(platform: dict[str, str], url: str) -> Any:
    host = url.split("/")[2]
    where = ["--cacert", platform["ca"], "--resolve", f"{host}:443:{platform['address']}"]
    done = subprocess.run(["curl", "--silent", "--fail", *where, url], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def counter(city: Kubernetes, platform: dict[str, str]) -> Iterator[_Connector]:
    """The example, five times a second, in the image of Python that is there."""
    manifest = yaml.safe_load((_EXAMPLES / "python.yaml").read_text())
    (deployment,) = [
        each
        for each in city.items(f"/apis/apps/v1/namespaces/{_SYSTEM}/deployments")
        if each["metadata"]["name"] == _TOKENS
    ]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    manifest["metadata"]["namespace"] = _NAMESPACE
    manifest["spec"]["container"] |= {
        "image": container["image"],
        "env": [{"name": "SECONDS_BETWEEN", "value": "0.2"}],
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}},
    }
    city.apply(manifest)
    yield _Connector(city, platform, "counter")
    city.run("delete", "connector", "counter", "-n", _NAMESPACE, "--ignore-not-found")


def test_it_feeds_its_service(counter: _Connector, measured: Callable[[str], None]) -> None:
    begun = time.monotonic()
    counter.await_condition("Ready", "True", "ConnectorReady")
    eventually("it feeds", lambda: counter.results() or None)
    measured(f"from kubectl apply to the first Observation of a connector: {time.monotonic() - begun:.0f} s")
    assert set(counter.values("counter-token")) == {"token"}
    eventually(
        "the status shows what arrives", lambda: counter.status.get("arrivals", {}).get("lastObservationTime"), 150
    )
    table = counter.city.run("get", "stc", "-n", _NAMESPACE, "-o", "wide")
    assert "ConnectorReady" in table


def test_nothing_is_refused_while_tokens_and_secrets_change_and_what_gives_them_restarts(
    counter: _Connector, measured: Callable[[str], None]
) -> None:
    counter.await_condition("Ready", "True", "ConnectorReady")
    before, token = counter.status["token"]["issuedAt"], counter.values("counter-token")["token"]
    counter.city.run("rollout", "restart", "-n", "keycloak", "deployment/keycloak")
    counter.city.run("rollout", "restart", "-n", _SYSTEM, f"deployment/{_TOKENS}")
    annotation = "sensorthings.city/rotate-secret=once"
    counter.city.run("annotate", "connector", "counter", "-n", _NAMESPACE, annotation, "--overwrite")
    time.sleep(_RENEWED_SECONDS)
    counter.await_condition("TokenIssued", "True", "TokenIssued")
    assert counter.status["token"]["issuedAt"] > before
    assert counter.values("counter-token")["token"] != token
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert "again later" not in counter.log()
        time.sleep(10)
    results = counter.results()
    assert results == list(range(len(results)))
    measured(
        f"{len(results)} Observations of a connector over renewal, rotation and restarts: none refused, none missing"
    )
    pods = counter.city.items(f"/api/v1/namespaces/{_NAMESPACE}/pods", {"sensorthings.city/connector": "counter"})
    assert [each["status"]["containerStatuses"][0]["restartCount"] for each in pods] == [0]


def _token(counter: _Connector, *arguments: str) -> subprocess.CompletedProcess[str]:
    return sensorthings("token", *arguments, "-n", _NAMESPACE, "--kubeconfig", str(counter.city.kubeconfig))


def test_a_person_sees_a_token_and_ends_them(counter: _Connector) -> None:
    counter.await_condition("Ready", "True", "ConnectorReady")
    assert _token(counter, "counter").stdout.strip() == counter.values("counter-token")["token"]
    assert _token(counter, "revoke", "counter").returncode == 0
    message = counter.await_condition("TokenIssued", "False", "Revoked")
    assert "good until" in message
    assert counter.values("counter-token") == {}
    assert _token(counter, "counter").returncode == 1
    events = counter.city.run("get", "events", "-n", _NAMESPACE, "--field-selector=involvedObject.kind=Connector")
    assert "Revoked" in events
    assert _token(counter, "restore", "counter").returncode == 0
    counter.await_condition("TokenIssued", "True", "TokenIssued")


def test_a_flow_of_node_red_feeds_it(city: Kubernetes, platform: dict[str, str]) -> None:
    recipe = catalogue.find("node-red")
    node, archive = plan.find(NAME), images.build("node-red")
    imagestore.load(node, parts.ensure(parts.CONTAINERD), {recipe.reference: archive}, lambda _: None)
    manifest = yaml.safe_load((_EXAMPLES / "node-red.yaml").read_text())
    manifest["metadata"]["namespace"] = _NAMESPACE
    container = manifest["spec"]["container"]
    container["image"] = recipe.reference
    container["env"] = [
        {**each, "value": "1"} if each["name"] == "SECONDS_BETWEEN" else each for each in container["env"]
    ]
    city.apply(manifest)
    flow = _Connector(city, platform, "flow")
    try:
        flow.await_condition("Ready", "True", "ConnectorReady")
        eventually("the flow counts", lambda: len(flow.results()) > 3)
        assert "again later" not in flow.log()
    finally:
        city.run("delete", "connector", "flow", "-n", _NAMESPACE)


def test_one_that_runs_elsewhere_fetches_its_token(city: Kubernetes, platform: dict[str, str], tmp_path: Path) -> None:
    manifest = yaml.safe_load((_EXAMPLES / "external.yaml").read_text())
    manifest["metadata"]["namespace"] = _NAMESPACE
    city.apply(manifest)
    fme = _Connector(city, platform, "fme")
    try:
        fme.await_condition("Ready", "True", "ConnectorReady")
        assert set(fme.values("fme-token")) == {"token", "device.station-1", "device.station-2"}
        held = fme.values("fme-door")
        for name, value in held.items():
            (tmp_path / name).write_text(value)
        assert _ask(city, tmp_path, "tls") == (200, fme.values("fme-token")["token"])
        assert _ask(city, tmp_path, "tls", "station-2") == (200, fme.values("fme-token")["device.station-2"])
        assert _ask(city, tmp_path, "device.station-1") == (200, fme.values("fme-token")["device.station-1"])
        assert _ask(city, tmp_path, "device.station-1", "station-2")[0] == 403
        # With TLS 1.3 a server tells only afterwards what it thinks of a client that shows no certificate.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _ask(city, tmp_path, "")
        assert _token(fme, "revoke", "fme", "--device", "station-1").returncode == 0
        eventually("its token is gone", lambda: "device.station-1" not in fme.values("fme-token"))
        assert _ask(city, tmp_path, "device.station-1")[0] == 503
        assert _ask(city, tmp_path, "tls")[0] == 200
        rotated = "sensorthings.city/rotate-secret=again"
        city.run("annotate", "connector", "fme", "-n", _NAMESPACE, rotated)
        eventually("the door is shut to older certificates", lambda: _ask(city, tmp_path, "tls")[0] == 403)
    finally:
        city.run("delete", "connector", "fme", "-n", _NAMESPACE)
    assert fme.body == {}


def _ask(city: Kubernetes, folder: Path, certificate: str, device: str = "") -> tuple[int, str]:
    """What the door answers to a certificate: status, and the token."""
    service = city.get(f"/api/v1/namespaces/{_SYSTEM}/services/{_TOKENS}")
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    if certificate:
        context.load_cert_chain(folder / f"{certificate}.crt", folder / f"{certificate}.key")
    name = f"{_TOKENS}.{_SYSTEM}.svc.cluster.local"
    connection = _At(name, service["spec"]["clusterIP"], context)
    with closing(connection):
        with inside(city.netns):
            connection.connect()
        body = f"device={device}" if device else ""
        connection.request("POST", "/token", body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return answer.status, str(json.loads(answer.read()).get("access_token", ""))


class _At(HTTPSConnection):
    """A connection to a name at an address that no DNS of the host knows."""

    def __init__(self, name: str, address: str, context: ssl.SSLContext) -> None:
        super().__init__(name, 443, timeout=10)
        self._context = context
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), timeout=self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)
