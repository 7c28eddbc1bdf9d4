"""``sensorthings doctor`` as a person calls it: a Kubernetes API, a Keycloak, a service and a gate, all on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pytest
import typer
from aiohttp import web
from typer.testing import CliRunner, Result

from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.doctor import asking, mqtt
from sensorthings_operator.cli.doctor.command import doctor
from sensorthings_operator.cli.doctor.observed import NOT_AN_ENTITY
from tests.unit.cli import objects
from tests.unit.cli.fake_gate import Gate
from tests.unit.cli.fake_kubernetes import Kubernetes
from tests.unit.cli.objects import NAME, NAMESPACE
from tests.unit.cli.secure import HOST, Authority, Web
from tests.unit.cli.test_doctor_judging import TOKEN, WELL
from tests.unit.cli.test_doctor_token import token_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

app = typer.Typer()
app.command()(doctor)

CLIENT: Final = f"sensorthings-{NAMESPACE}-{NAME}"
FAR: Final = 4_000_000_000
"""Seconds since 1970; a token that ends then is good."""


@dataclass
class Service(Web):
    """HTTP as a service answers: reads for all, writes for those with the token. ``bodies``: of its POSTs."""

    token: str = ""
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return web.json_response({"value": []})
        self.bodies.append(await request.read())
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return web.Response(status=400 if self.token and given == self.token else 401, text="<html>no</html>")


@dataclass
class Identity(Web):
    """Keycloak's discovery document."""

    issuer: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/realms/city/.well-known/openid-configuration":
            return web.json_response({"error": "Realm does not exist"}, status=404)
        return web.json_response({"issuer": self.issuer})


@dataclass
class City:
    """All of it, and how the command is called on it."""

    folder: Path
    kubernetes: Kubernetes
    service: Service
    identity: Identity
    gate: Gate
    token: str

    async def run(self, *arguments: str) -> Result:
        """Call the command in a thread: it has an event loop of its own."""
        options = ["--kubeconfig", str(self.folder / "kubeconfig"), "--connect-to", "127.0.0.1"]
        result = await asyncio.to_thread(CliRunner().invoke, app, [NAME, *options, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert self.token not in result.output
        return result

    async def states(self, *arguments: str) -> dict[str, str]:
        """How each check ended."""
        result = await self.run("-o", "json", *arguments)
        written = json.loads(result.stdout)
        assert result.exit_code == (0 if written["ok"] else 1)
        return {each["check"]: each["state"] for each in written["checks"]}

    async def wrong(self, *arguments: str) -> set[str]:
        """The checks that found a problem."""
        return {check for check, state in (await self.states(*arguments)).items() if state == "problem"}

    @property
    def live(self) -> dict[str, Any]:
        """The service, as the API server has it."""
        return self.kubernetes.objects[0]


def _secret(name: str, **data: str) -> dict[str, Any]:
    encoded = {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "data": encoded}


def _objects(service: int, gate: int, identity: int, authority: Authority, token: str) -> list[dict[str, Any]]:
    live = objects.service()
    live["status"]["endpoints"] = [
        {"name": "sensorthings", "url": f"https://{HOST}:{service}/FROST-Server/v1.1"},
        {"name": "mqtt", "url": f"mqtts://{HOST}:{gate}"},
    ]
    adapter = {"auth-server-url": f"https://id.city.example:{identity}/", "realm": "city", "resource": CLIENT}
    pem = authority.file.read_text()
    spec = {"serviceRef": {"name": NAME}, "roles": ["read", "create"], "external": True}
    return [
        live,
        {
            "kind": "ConfigMap",
            "metadata": {"name": f"{NAME}-keycloak", "namespace": NAMESPACE},
            "data": {"keycloak.json": json.dumps(adapter), "ca-1.crt": pem},
        },
        {"kind": "Connector", "metadata": {"name": "counter", "namespace": NAMESPACE}, "spec": spec},
        _secret("counter-token", token=token),
        {
            "kind": "ConfigMap",
            "metadata": {"name": "counter-connector", "namespace": NAMESPACE},
            "data": {"ca.crt": pem},
        },
    ]


def _claims(issuer: str) -> dict[str, Any]:
    access = {CLIENT: {"roles": ["read", "create"]}}
    party = {"azp": "counter", "client_id": "counter"}
    return {"typ": "Bearer", "iss": issuer, "aud": CLIENT, "resource_access": access, "exp": FAR, **party}


@asynccontextmanager
async def city(folder: Path) -> AsyncIterator[City]:
    """A chain that is well."""
    authority = Authority(folder)

    def certified(host: str) -> ssl.SSLContext:
        return authority.server(host, days=15)

    async with AsyncExitStack() as stack:
        identity = await stack.enter_async_context(Identity(certified("id.city.example")))
        identity.issuer = f"https://id.city.example:{identity.port}/realms/city"
        token = token_of(_claims(identity.issuer))
        service = await stack.enter_async_context(Service(certified(HOST), token=token))
        gate = await stack.enter_async_context(Gate(tls=certified(HOST), passwords={token}))
        there = _objects(service.port, gate.port, identity.port, authority, token)
        kubernetes = stack.enter_context(Kubernetes(there))
        kubernetes.kubeconfig(folder, NAMESPACE)
        yield City(folder, kubernetes, service, identity, gate, token)


async def test_a_chain_that_is_well_ends_with_0(tmp_path: Path) -> None:
    async with city(tmp_path) as well:
        result = await well.run("--connector", "counter")
        assert result.exit_code == 0, result.output
        lines = {line.split()[1]: line for line in result.stdout.splitlines()}
        assert all(line.startswith("ok ") for line in lines.values()), result.output
        assert {"issuer", "keycloak-clock", "anonymous-write", "anonymous-publish", "token-http"} <= lines.keys()
        assert "until" in lines["mqtt-certificate"]
        assert "Secret counter-token" in lines["token"]
        assert set(well.service.bodies) == {NOT_AN_ENTITY}
        assert well.gate.published == [("v1.1/Observations", NOT_AN_ENTITY)]
        assert all(request.startswith("GET ") for request in well.kubernetes.requests)


async def test_json_and_a_token_from_a_file(tmp_path: Path) -> None:
    async with city(tmp_path) as well:
        file = tmp_path / "token"
        file.write_text(f"{well.token}\n")
        options = ("--cacert", str(tmp_path / "city.crt"))
        states = await well.states("--token-file", str(file), *options)
        assert set(states.values()) == {"ok"}
        assert not {check for check in await well.states(*options) if check.startswith("token")}


async def test_what_is_wrong_is_found_in_its_place(tmp_path: Path) -> None:
    async with city(tmp_path) as ill:
        trusting = ("--cacert", str(tmp_path / "city.crt"))
        assert await ill.wrong(*trusting) == set()
        ill.gate.puback = 0x99
        assert await ill.wrong(*trusting) == {"anonymous-publish"}
        ill.gate.ends = 0x87
        assert await ill.wrong(*trusting) == set()
        ill.gate.suback = 0x87
        assert await ill.wrong(*trusting) == {"anonymous-subscribe"}
        ill.identity.issuer = "http://id.city.example/realms/city"
        assert await ill.wrong(*trusting) == {"anonymous-subscribe", "issuer"}
        ill.gate.suback, ill.gate.connack = 1, 0x87
        ill.service.token = "another"
        assert await ill.wrong("--connector", "counter") == {"anonymous-subscribe", "issuer", "token-http"}
        ill.gate.passwords.clear()
        assert "token-mqtt" in await ill.wrong("--connector", "counter")


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    async with city(tmp_path) as ill:
        other = Authority(tmp_path, "other")
        assert await ill.wrong("--cacert", str(other.file)) == {
            "https-certificate",
            "http",
            "mqtt-certificate",
            "mqtt",
        }
        ill.kubernetes.objects[1]["data"]["ca-1.crt"] = other.file.read_text()
        result = await ill.run("--cacert", str(tmp_path / "city.crt"))
        assert result.exit_code == 1
        assert "is not of a CA in ConfigMap traffic-lights-keycloak" in result.stdout
        assert "come from ca.crt in the Secret of the realm" in result.stdout


async def test_what_is_not_there_is_said_and_no_exception(tmp_path: Path) -> None:
    async with city(tmp_path) as ill:
        # A port that nobody listens on.
        ill.live["status"]["endpoints"] = [
            {"name": "sensorthings", "url": f"https://{HOST}:9/FROST-Server/v1.1"},
            {"name": "mqtt", "url": f"mqtts://{HOST}:9"},
            {"name": "mqtt-websocket", "url": f"wss://{HOST}:9/mqtt"},
        ]
        assert await ill.wrong() == {"https-certificate", "http", "mqtt-certificate", "mqtt", "websocket"}
        ill.live["status"] = {}
        del ill.kubernetes.objects[1:]
        states = await ill.states("--connector", "counter")
        assert states == {
            "service": "problem",
            "client": "problem",
            "configuration": "problem",
            "http": "skipped",
            "mqtt": "skipped",
            "token": "problem",
        }


async def test_a_route_that_takes_no_websocket(tmp_path: Path) -> None:
    async with city(tmp_path) as ill:
        url = f"wss://{HOST}:{ill.service.port}/mqtt"
        ill.live["status"]["endpoints"].append({"name": "mqtt-websocket", "url": url})
        result = await ill.run("--cacert", str(tmp_path / "city.crt"))
        assert result.exit_code == 1
        assert f"{url}: The WebSocket is refused" in result.stdout


async def test_a_token_is_not_sent_unencrypted_to_another_machine() -> None:
    far: dict[str, Any] = {"url": "http://192.0.2.1/FROST-Server/v1.1", "broker": "mqtt://192.0.2.1"}
    observed = replace(WELL, subject=replace(WELL.subject, **far), token=replace(TOKEN, posted=None, said=None))
    assert await asking._with_token(observed, Access(), "a.b.c") == {"token": observed.token}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "Other"}, "There is no Connector counter"),
        ({"spec": {"serviceRef": {"name": "air"}}}, "feeds hamburg/air, not this service"),
    ],
)
async def test_a_connector_that_is_none_of_this_service(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    async with city(tmp_path) as ill:
        ill.kubernetes.objects[2] |= change
        result = await ill.run("--connector", f"{NAMESPACE}/counter")
        assert result.exit_code == 1
        assert said in result.stdout
        assert all(body == NOT_AN_ENTITY for body in ill.service.bodies)


async def test_a_secret_that_may_not_be_read(tmp_path: Path) -> None:
    async with city(tmp_path) as ill:
        ill.kubernetes.answers["Secret"] = 403
        result = await ill.run("--connector", "counter")
        assert "Secret counter-token can't be read: 403" in result.stdout
        assert "--token-file" in result.stdout


async def test_services_that_are_not_there_or_several(tmp_path: Path) -> None:
    async with city(tmp_path) as ill:
        result = await ill.run("-n", "bremen")
        assert (result.exit_code, "There is no SensorThingsService" in result.stdout) == (1, True)
        ill.kubernetes.objects += objects.renamed([objects.service()], NAME, "bremen")
        result = await ill.run()
        assert (result.exit_code, "bremen, hamburg" in result.stdout) == (1, True)
        ill.kubernetes.answers["SensorThingsService"] = 401
        assert await ill.wrong() == {"cluster"}


@pytest.mark.parametrize(
    "arguments",
    [["--connector", "a/b/c"], ["--connector", "a", "--token-file", "b"], ["--token-file", "/nowhere"]],
)
def test_called_wrongly_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, [NAME, *arguments]).exit_code == 2


async def test_a_broker_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "_SECONDS", 0.2)
    async with city(tmp_path) as ill:
        ill.gate.connack = None
        ill.gate.passwords.clear()
        assert await ill.wrong("--connector", "counter") == {"mqtt", "token-mqtt"}
