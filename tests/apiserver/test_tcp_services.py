"""Services share a ConfigMap and a Service of the ingress controller, and never take a port from each other.

What a conflict, an equal value or a name that is there twice comes to is the API server's to say: it is asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from sensorthings_operator.apply.tcpservices import TcpServices
from sensorthings_operator.clients.connection import from_kubeconfig
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import resource_of
from sensorthings_operator.conditions.routes import RoutesReason
from sensorthings_operator.desired.settings import IngressNginxController, OperatorSettings
from sensorthings_operator.desired.tcpservices import field_manager, port_name
from tests.unit.operator.exposed import exposed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sensorthings_operator.conditions.observed import Answer
    from sensorthings_operator.desired.service import Service
    from tests.apiserver.conftest import Kubectl
    from tests.unit.api.examples import Manifest

_MAP: Final = "tcp-services"
_SERVICE: Final = "ingress-nginx-controller"
_OF_CONTROLLER: Final = {80, 443}


class Calls:
    """Hands calls on to the API server, and keeps which; fails before one where a test says so."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self.made: list[tuple[str, str]] = []
        self.fails: Callable[[str, str], bool] = lambda _verb, _kind: False

    def _call(self, verb: str, kind: str) -> None:
        if self.fails(verb, kind):
            raise ApiError(500, "", "the operator was killed here")
        self.made.append((verb, kind))

    async def get(self, resource: Any, *arguments: Any, **options: Any) -> Any:
        self._call("get", resource.kind)
        return await self._client.get(resource, *arguments, **options)

    async def apply(self, manifest: Manifest, **options: Any) -> Any:
        self._call("apply", manifest["kind"])
        assert options["force"] is False, "what is shared is never taken by force"
        return await self._client.apply(manifest, **options)

    def writes(self) -> list[tuple[str, str]]:
        """Calls that wrote."""
        return [call for call in self.made if call[0] != "get"]


class Controller:
    """The shared objects of an ingress-nginx controller, as its administrator sees them."""

    def __init__(self, client: KubernetesClient, namespace: str) -> None:
        self._client = client
        self.namespace = namespace
        self.calls = Calls(client)
        shared = IngressNginxController(namespace=namespace)
        self.settings = OperatorSettings(ingress_nginx=shared)
        self.tcp_services = TcpServices(self.calls, self.settings)  # type: ignore[arg-type]

    def _manifest(self, kind: str, name: str, **fields: Any) -> Manifest:
        described = {"name": name, "namespace": self.namespace}
        return {"apiVersion": "v1", "kind": kind, "metadata": described, **fields}

    def config_map(self, **data: str) -> Manifest:
        """``tcp-services``; keys begin with an underscore, since a port's number is no name."""
        return self._manifest("ConfigMap", _MAP, data={key[1:]: value for key, value in data.items()})

    def service(self, *ports: Manifest) -> Manifest:
        """The controller's Service."""
        return self._manifest("Service", _SERVICE, spec={"ports": list(ports)})

    async def install(self) -> None:
        """As Helm does it: with POST."""
        await self.create(self.config_map())
        http = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}
        https = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}
        await self.create(self.service(http, https))

    async def create(self, manifest: Manifest) -> None:
        """Create an object."""
        await self._client.create(resource_of(manifest), self.namespace, manifest)

    async def apply(self, manifest: Manifest, manager: str) -> None:
        """Server-side apply, with force."""
        await self._client.apply(manifest, field_manager=manager)

    async def merge(self, manifest: Manifest, manager: str = "kubectl-edit") -> None:
        """Edit an object."""
        await self._client.merge(manifest, field_manager=manager)

    async def live(self, kind: str) -> Manifest:
        """A shared object."""
        manifest = self._manifest(kind, _MAP if kind == "ConfigMap" else _SERVICE)
        return await self._client.get(resource_of(manifest), self.namespace, manifest["metadata"]["name"])

    async def delete(self, kind: str) -> None:
        """Delete a shared object."""
        live = await self.live(kind)
        described = live["metadata"]
        await self._client.delete(resource_of(live), self.namespace, described["name"], uid=described["uid"])

    async def keys(self) -> dict[str, str]:
        """What leads where."""
        data: dict[str, str] = (await self.live("ConfigMap")).get("data", {})
        return data

    async def ports(self) -> dict[int, tuple[str, int]]:
        """Names and target ports of those that are not the controller's own."""
        ports = (await self.live("Service"))["spec"]["ports"]
        return {p["port"]: (p["name"], p["targetPort"]) for p in ports if p["port"] not in _OF_CONTROLLER}

    async def versions(self) -> tuple[str, str]:
        """Equal ones prove that nobody wrote."""
        config_map, service = await self.live("ConfigMap"), await self.live("Service")
        return config_map["metadata"]["resourceVersion"], service["metadata"]["resourceVersion"]

    async def owners(self, kind: str) -> set[str]:
        """The services that own something."""
        entries = (await self.live(kind))["metadata"].get("managedFields", ())
        return {entry["manager"] for entry in entries if entry["manager"].startswith("sensorthings-operator-")}


@pytest.fixture
async def client(kubeconfig: Path) -> AsyncIterator[KubernetesClient]:
    """Of the cluster's administrator."""
    async with KubernetesClient(from_kubeconfig(kubeconfig)) as client:
        yield client


@pytest.fixture
async def controller(client: KubernetesClient, namespace: str) -> Controller:
    """The shared objects, in a namespace in which no service is."""
    controller = Controller(client, namespace)
    await controller.install()
    return controller


def _air(port: int = 8883, uid: str = "a") -> Service:
    return exposed(port, name="air", uid=_uid(uid))


def _water(port: int = 8883, uid: str = "b") -> Service:
    return exposed(port, name="water", uid=_uid(uid))


def _uid(digit: str) -> str:
    return f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}"


def _port(service: Service) -> tuple[str, int]:
    routes = service.spec.exposure.ingress_nginx
    assert routes is not None
    return port_name(service.uid), routes.mqtt_port


async def test_two_services_share_the_map(controller: Controller) -> None:
    first, second = _air(8883), _water(8884)
    for service in (first, second):
        answer = await controller.tcp_services.claim(service)
        assert answer.holds, answer
    assert await controller.keys() == {"8883": "hamburg/air-mqtt:8883", "8884": "hamburg/water-mqtt:8883"}
    assert await controller.ports() == {8883: _port(first), 8884: _port(second)}
    managers = {field_manager(first.uid), field_manager(second.uid)}
    assert await controller.owners("ConfigMap") == await controller.owners("Service") == managers


async def test_the_key_comes_before_the_port_and_goes_after_it(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    await controller.tcp_services.release(_air().uid)
    written = [kind for _, kind in controller.calls.writes()]
    assert written == ["ConfigMap", "Service", "Service", "ConfigMap"]


async def test_a_settled_claim_is_two_reads(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    versions = await controller.versions()
    controller.calls.made.clear()
    assert (await controller.tcp_services.claim(_air())).holds
    assert controller.calls.made == [("get", "ConfigMap"), ("get", "Service")]
    assert await controller.versions() == versions


async def test_a_look_writes_nothing(controller: Controller) -> None:
    answer = await controller.tcp_services.check(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.WAITING)
    await controller.tcp_services.claim(_air())
    before = controller.calls.writes()
    assert (await controller.tcp_services.check(_air())).holds
    taken = await controller.tcp_services.check(_water())
    assert (taken.holds, taken.reason) == (False, RoutesReason.PORT_TAKEN)
    assert controller.calls.writes() == before


async def test_the_second_service_is_told_who_has_its_port_and_gets_it_when_it_is_free(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    versions = await controller.versions()
    for _ in range(2):
        answer = await controller.tcp_services.claim(_water())
        assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
        assert "port 8883 belongs to the service hamburg/air" in answer.message
        assert "spec.exposure.ingressNginx.mqttPort" in answer.message
    assert await controller.versions() == versions
    assert (await controller.tcp_services.claim(_air())).holds

    await controller.tcp_services.release(_air().uid)
    assert (await controller.tcp_services.claim(_water())).holds
    assert await controller.keys() == {"8883": "hamburg/water-mqtt:8883"}
    assert await controller.ports() == {8883: _port(_water())}


async def test_who_comes_second_between_a_look_and_its_write_is_told_too(
    controller: Controller, client: KubernetesClient
) -> None:
    """The API server refuses the second key; nothing has to be locked."""
    rival = TcpServices(client, controller.settings)
    claimed: list[Answer] = []

    async def overtaken(manifest: Manifest, **options: Any) -> Any:
        if not claimed:
            claimed.append(await rival.claim(_water()))
        return await client.apply(manifest, **options)

    controller.calls.apply = overtaken  # type: ignore[method-assign]
    answer = await controller.tcp_services.claim(_air())
    assert claimed[0].holds
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
    assert "hamburg/water" in answer.message
    assert await controller.keys() == {"8883": "hamburg/water-mqtt:8883"}
    assert await controller.ports() == {8883: _port(_water())}


@pytest.mark.parametrize(("written", "told"), [("helm", ", written by helm"), (None, "")], ids=["known", "unknown"])
async def test_a_port_that_leads_elsewhere_is_left_and_told(
    controller: Controller, written: str | None, told: str
) -> None:
    """Of a map that was made empty the API server keeps no record of who wrote it until somebody applies."""
    elsewhere = controller.config_map(_8883="mail/smtp:25")
    if written is None:
        await controller.merge(elsewhere)
        assert "managedFields" not in (await controller.live("ConfigMap"))["metadata"]
    else:
        await controller.apply(elsewhere, written)
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
    assert f"port 8883 leads to mail/smtp:25{told}: give" in answer.message
    assert await controller.ports() == {}


async def test_a_key_of_equal_value_that_somebody_else_wrote_is_not_shared_in_silence(controller: Controller) -> None:
    """Applying it too would be accepted, and releasing it would leave theirs."""
    await controller.apply(controller.config_map(_8883="hamburg/air-mqtt:8883"), "helm")
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
    assert "helm" in answer.message
    assert await controller.owners("ConfigMap") == await controller.owners("Service") == set()


@pytest.mark.parametrize("port", sorted(_OF_CONTROLLER))
async def test_a_port_of_the_controller_itself_is_refused(controller: Controller, port: int) -> None:
    versions = await controller.versions()
    answer = await controller.tcp_services.claim(_air(port))
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
    assert f"port {port} of Service {controller.namespace}/{_SERVICE}" in answer.message
    assert await controller.versions() == versions, "the key was not written either"


async def test_a_port_of_equal_values_is_not_shared_in_silence(controller: Controller) -> None:
    """As after a restore from a backup: the port is there, as ours would be, and is not ours."""
    port = {"name": port_name(_air().uid), "port": 8883, "protocol": "TCP", "targetPort": 8883}
    await controller.apply(controller.service(port), "restore")
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
    assert "written by restore" in answer.message
    assert await controller.keys() == {}
    assert await controller.owners("Service") == set()


async def test_a_name_that_another_port_has_is_told(controller: Controller) -> None:
    other = {"name": port_name(_air().uid), "port": 9000, "protocol": "TCP", "targetPort": 9000}
    await controller.apply(controller.service(other), "helm")
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
    assert "9000" in answer.message
    assert port_name(_air().uid) in answer.message
    assert await controller.keys() == {}


async def test_a_name_that_stays_behind_is_the_api_servers_refusal(controller: Controller) -> None:
    """Our old port has got a second owner: it stays, with our name, when the claim moves."""
    await controller.tcp_services.claim(_air(8883))
    copied = {"name": port_name(_air().uid), "port": 8883, "protocol": "TCP", "targetPort": 8883}
    await controller.apply(controller.service(copied), "argocd")
    answer = await controller.tcp_services.claim(_air(8884))
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_REFUSED)
    assert "Duplicate value" in answer.message


async def test_who_owns_the_map_as_a_whole_is_told(controller: Controller) -> None:
    """As a GitOps tool that applies `data: {}`: no key is anybody's, and none can be added without force."""
    await controller.apply(controller.config_map(), "argocd")
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_REFUSED)
    assert f"ConfigMap {controller.namespace}/{_MAP}" in answer.message
    assert 'conflict with "argocd": .data' in answer.message
    assert "leave" in answer.message
    assert await controller.keys() == {}
    assert await controller.ports() == {}


async def test_no_map_is_told_and_nothing_is_made(controller: Controller) -> None:
    await controller.delete("ConfigMap")
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.SHARED_MISSING)
    assert f"ConfigMap {controller.namespace}/tcp-services" in answer.message
    assert "ingressNginx" in answer.message
    with pytest.raises(NotFoundError):
        await controller.live("ConfigMap")
    assert await controller.ports() == {}


async def test_no_service_is_told_and_the_map_is_not_written(controller: Controller) -> None:
    await controller.delete("Service")
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.SHARED_MISSING)
    assert f"Service {controller.namespace}/{_SERVICE}" in answer.message
    assert await controller.keys() == {}


async def test_an_object_that_goes_between_the_look_and_the_write_is_not_made_anew(
    controller: Controller, client: KubernetesClient
) -> None:
    async def too_late(manifest: Manifest, **options: Any) -> Any:
        controller.calls.apply = original  # type: ignore[method-assign]
        await controller.delete("ConfigMap")
        return await client.apply(manifest, **options)

    original = controller.calls.apply
    controller.calls.apply = too_late  # type: ignore[method-assign]
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.SHARED_MISSING)
    with pytest.raises(NotFoundError):
        await controller.live("ConfigMap")


async def test_a_map_that_was_made_anew_is_filled_again(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    await controller.delete("ConfigMap")
    await controller.create(controller.config_map())
    assert (await controller.tcp_services.claim(_air())).holds
    assert await controller.keys() == {"8883": "hamburg/air-mqtt:8883"}


@pytest.fixture
def nobody(controller: Controller, kubectl: Kubectl, kubeconfig: Path, tmp_path: Path) -> Path:
    """The kubeconfig of a ServiceAccount without a right."""
    token = kubectl.run("create", "token", "default", f"--namespace={controller.namespace}").stdout.strip()
    assert token
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = tmp_path / "nobody.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_without_permission_it_says_which_chart_value_gives_it(controller: Controller, nobody: Path) -> None:
    async with KubernetesClient(from_kubeconfig(nobody)) as client:
        tcp_services = TcpServices(client, controller.settings)
        answer = await tcp_services.claim(_air())
        with pytest.raises(ApiError) as refused:
            await tcp_services.release(_air().uid)
    assert (answer.holds, answer.reason) == (False, RoutesReason.SHARED_FORBIDDEN)
    assert "ingressNginx.enabled" in answer.message
    assert refused.value.status == 403


async def test_a_release_leaves_what_others_have(controller: Controller) -> None:
    await controller.merge(controller.config_map(_2525="mail/smtp:25"))
    first, second = _air(8883), _water(8884)
    for service in (first, second):
        await controller.tcp_services.claim(service)
    await controller.tcp_services.release(first.uid)
    assert await controller.keys() == {"2525": "mail/smtp:25", "8884": "hamburg/water-mqtt:8883"}
    assert await controller.ports() == {8884: _port(second)}
    assert await controller.owners("ConfigMap") == await controller.owners("Service") == {field_manager(second.uid)}
    assert {p["port"] for p in (await controller.live("Service"))["spec"]["ports"]} >= _OF_CONTROLLER


async def test_a_second_release_writes_nothing(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    await controller.tcp_services.release(_air().uid)
    versions = await controller.versions()
    await controller.tcp_services.release(_air().uid)
    assert await controller.versions() == versions
    assert await controller.keys() == {}


async def test_a_release_from_a_controller_that_is_gone_is_nothing(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    await controller.delete("Service")
    await controller.tcp_services.release(_air().uid)
    assert await controller.keys() == {}
    await controller.delete("ConfigMap")
    await controller.tcp_services.release(_air().uid)


async def test_another_port_moves_the_claim_in_one_pass(controller: Controller) -> None:
    await controller.tcp_services.claim(_air(8883))
    assert (await controller.tcp_services.claim(_air(8884))).holds
    assert await controller.keys() == {"8884": "hamburg/air-mqtt:8883"}
    assert await controller.ports() == {8884: _port(_air(8884))}
    assert (await controller.tcp_services.claim(_water(8883))).holds, "the old one is free"


async def test_a_move_to_a_port_that_is_taken_keeps_the_old_one(controller: Controller) -> None:
    """A typing error in a number cuts nobody off."""
    await controller.tcp_services.claim(_air(8883))
    await controller.tcp_services.claim(_water(8884))
    answer = await controller.tcp_services.claim(_air(8884))
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
    assert "port 8883 leads to this service meanwhile" in answer.message
    assert await controller.keys() == {"8883": "hamburg/air-mqtt:8883", "8884": "hamburg/water-mqtt:8883"}


@pytest.mark.parametrize("start", [None, 8884], ids=["claim", "move"])
@pytest.mark.parametrize("writes_before_it", [0, 1, 2])
async def test_a_crash_between_two_writes_heals_at_the_next_pass(
    controller: Controller, start: int | None, writes_before_it: int
) -> None:
    if start is not None:
        await controller.tcp_services.claim(_air(start))
    done = len(controller.calls.writes()) + writes_before_it
    controller.calls.fails = lambda verb, _: verb == "apply" and len(controller.calls.writes()) == done
    if (start, writes_before_it) == (None, 2):
        assert (await controller.tcp_services.claim(_air())).holds, "a first claim is two writes"
    else:
        with pytest.raises(ApiError):
            await controller.tcp_services.claim(_air())
    keys = await controller.keys()
    assert {str(port) for port in await controller.ports()} <= keys.keys(), "no port stands without its key"
    controller.calls.fails = lambda *_: False
    assert (await controller.tcp_services.claim(_air())).holds
    assert await controller.keys() == {"8883": "hamburg/air-mqtt:8883"}
    assert await controller.ports() == {8883: _port(_air())}


async def test_a_crash_amid_a_release_leaves_no_port_without_its_key(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    controller.calls.fails = lambda verb, kind: (verb, kind) == ("apply", "ConfigMap")
    with pytest.raises(ApiError):
        await controller.tcp_services.release(_air().uid)
    assert await controller.ports() == {}
    assert await controller.keys() == {"8883": "hamburg/air-mqtt:8883"}
    controller.calls.fails = lambda *_: False
    await controller.tcp_services.release(_air().uid)
    assert await controller.keys() == {}


async def test_what_somebody_takes_away_comes_back(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    gone = controller.config_map()
    gone["data"] = {"8883": None}
    await controller.merge(gone)
    live = await controller.live("Service")
    await controller.merge(controller.service(*(p for p in live["spec"]["ports"] if p["port"] in _OF_CONTROLLER)))
    assert await controller.keys() == {}
    assert await controller.ports() == {}
    assert (await controller.tcp_services.claim(_air())).holds
    assert await controller.keys() == {"8883": "hamburg/air-mqtt:8883"}
    assert await controller.ports() == {8883: _port(_air())}


async def test_what_somebody_changes_is_told_and_left(controller: Controller) -> None:
    await controller.tcp_services.claim(_air())
    live = await controller.live("Service")
    changed = [{**p, "targetPort": 1883} if p["port"] == 8883 else p for p in live["spec"]["ports"]]
    await controller.merge(controller.service(*changed))
    versions = await controller.versions()
    answer = await controller.tcp_services.claim(_air())
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_TAKEN)
    assert "written by kubectl-edit" in answer.message
    assert await controller.versions() == versions


async def test_a_service_takes_over_from_its_deleted_namesake(controller: Controller) -> None:
    """One of the same name whose finalizer was taken off by hand: nobody else would ever release its port."""
    await controller.tcp_services.claim(_air(8885, uid="e"))
    await controller.tcp_services.claim(_air(8883, uid="f"))
    assert await controller.keys() == {"8883": "hamburg/air-mqtt:8883"}, "another port is given back"
    assert (await controller.tcp_services.claim(_air())).holds
    assert await controller.owners("ConfigMap") == await controller.owners("Service") == {field_manager(_air().uid)}
    assert await controller.ports() == {8883: _port(_air())}


async def test_node_ports_are_kept(controller: Controller) -> None:
    """A load balancer leads to the node port: another one at each pass would be an outage."""
    typed = controller.service()
    typed["spec"] = {"type": "NodePort"}
    await controller.merge(typed)
    await controller.tcp_services.claim(_air())
    before = (await controller.live("Service"))["spec"]["ports"]
    await controller.tcp_services.claim(_water(8884))
    await controller.tcp_services.release(_water().uid)
    assert (await controller.live("Service"))["spec"]["ports"] == before
