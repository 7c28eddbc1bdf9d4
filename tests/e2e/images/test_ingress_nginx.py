"""The ingress-nginx image: our Lua modules in Debian's nginx, and the controller with its edited template.

The controller follows a real API server, so that nginx takes a configuration rendered from real objects. Nothing is
sent to a backend: there is no pod network here.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from localcluster.kubectl import Kubectl
from tests.e2e.images.conftest import call, free_port
from tests.e2e.images.containers import Container, await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.controlplane import ControlPlane
    from tests.e2e.images.containers import Runtime

IMAGE = "ingress-nginx"
NAMESPACE = "ingress-nginx"
HOST = "iot.city.example"
SERVICE_ADDRESS = "10.96.0.77"
NGINX = """
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    scgi_temp_path /tmp/scgi;
    uwsgi_temp_path /tmp/uwsgi;
    lua_package_path "/etc/nginx/lua/?.lua;;";
    lua_shared_dict locks 1m;
    lua_shared_dict configuration_data 1m;
    lua_shared_dict certificate_data 1m;
    lua_shared_dict certificate_servers 1m;
    lua_shared_dict ocsp_response_cache 1m;
    lua_shared_dict balancer_ewma 1m;
    lua_shared_dict balancer_ewma_last_touched_at 1m;
    lua_shared_dict balancer_ewma_locks 1m;
    server {
        listen 127.0.0.1:PORT;
        location / { content_by_lua_file /mnt/modules.lua; }
    }
}
"""


@pytest.fixture(scope="module")
def told(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What modules.lua finds inside the image."""
    port = free_port()
    configuration = tmp_path_factory.mktemp("lua") / "nginx.conf"
    configuration.write_text(NGINX.replace("PORT", str(port)))
    mounts = {"/mnt/nginx.conf": configuration, "/mnt/modules.lua": Path(__file__).with_name("modules.lua")}
    container = runtime.run(IMAGE, command=["nginx", "-c", "/mnt/nginx.conf"], mounts=mounts)
    await_true(lambda: call(f"http://127.0.0.1:{port}/").code != 0, "nginx answers")
    answer = call(f"http://127.0.0.1:{port}/")
    assert answer.code == 200, container.log
    container.stop()
    found: dict[str, Any] = answer.json
    return found


def test_every_lua_module_loads(told: dict[str, Any]) -> None:
    assert {name: said for name, said in told["loaded"].items() if said != "loaded"} == {}
    assert len(told["loaded"]) == 17


def test_endpoints_take_turns_by_their_weights(told: dict[str, Any]) -> None:
    turns = told["turns"]
    assert (turns.count("one"), turns.count("three")) == (2, 6)
    assert turns[:4].count("one") == 1  # evenly spread
    assert told["nobody"] == "nobody"


def test_hashing_is_even_and_consistent(told: dict[str, Any]) -> None:
    assert set(told["owners"]) == {"a", "b", "c"}
    assert all(700 < count < 1300 for count in told["owners"].values())
    assert told["moved"] == 0
    assert told["reinitialised"]
    assert told["next"]


def test_a_lock_is_tried_once(told: dict[str, Any]) -> None:
    assert (told["locked"], told["refused"], told["unlocked"], told["then_locked"]) == (0, "timeout", 1, 0)
    assert told["unlocked_twice"] == "unlocked"
    assert "nowhere" in told["no_dictionary"]


def test_a_module_that_is_absent_says_so_when_it_is_used(told: dict[str, Any]) -> None:
    assert "resty.http is not in this image: OCSP stapling cannot be used" in told["absent"]


class Controller:
    """A controller in a container, with ports of its own on loopback."""

    def __init__(self, runtime: Runtime, control_plane: ControlPlane, folder: Path) -> None:
        names = ("http", "https", "healthz", "status", "stream", "default-server", "tcp")
        self.ports = {name: free_port() for name in names}
        self.kubectl = Kubectl(control_plane.config.kubernetes / "kubectl", control_plane.kubeconfig)
        self._apply()
        self.configuration = folder / "nginx.conf"
        self.configuration.write_text("pid /tmp/nginx/nginx.pid; daemon off; error_log stderr; events {} http {}")
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_bytes(control_plane.client(IMAGE, IMAGE, "system:masters").read_bytes())
        for file in (self.configuration, kubeconfig):
            runtime.give(IMAGE, file)
        # Where the image's own folders stand, since its root file system is read-only here.
        state = runtime.writable(IMAGE, folder / "state")
        for own in (runtime.root(IMAGE) / "etc" / "ingress-controller").iterdir():
            runtime.writable(IMAGE, state / own.name)
        ports = [f"--{name}-port={port}" for name, port in self.ports.items() if name != "tcp"]
        self.container: Container = runtime.run(
            IMAGE,
            command=[
                "/nginx-ingress-controller",
                "--kubeconfig=/mnt/kubeconfig",
                f"--configmap={NAMESPACE}/controller",
                f"--tcp-services-configmap={NAMESPACE}/tcp-services",
                "--update-status=false",
                "--disable-leader-election",
                "--profiling=false",
                "--healthz-host=127.0.0.1",
                "--sync-rate-limit=5",
                "--post-shutdown-grace-period=0",
                *ports,
            ],
            environment={"POD_NAME": "controller", "POD_NAMESPACE": NAMESPACE},
            mounts={
                "/mnt/kubeconfig": kubeconfig,
                "/tmp/nginx": runtime.writable(IMAGE, folder / "nginx"),  # noqa: S108
                "/etc/nginx/nginx.conf": self.configuration,
                "/etc/ingress-controller": state,
            },
        )

    def _apply(self) -> None:
        kubectl = self.kubectl
        kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        await_true(
            lambda: kubectl.find("-n", NAMESPACE, "serviceaccount", "default") is not None, "its account is there"
        )
        kubectl.apply(objects(self.ports["tcp"]))

    def get(self, host: str) -> int:
        """The status that HTTP requests for a host get."""
        return call(f"http://127.0.0.1:{self.ports['http']}/", headers={"Host": host}).code


def objects(tcp_port: int) -> list[dict[str, Any]]:
    """What the controller follows: a route to a Service without endpoints, a TCP service to one that has one."""

    def named(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": NAMESPACE, **more.pop("metadata", {})}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}

    container = {"name": "controller", "image": "nowhere"}
    port = {"name": "mqtts", "port": 8883, "protocol": "TCP"}
    backend = {"service": {"name": "empty", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return [
        named("Pod", "controller", spec={"containers": [container], "automountServiceAccountToken": False}),
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "nginx"},
            "spec": {"controller": "k8s.io/ingress-nginx"},
        },
        named(
            "ConfigMap",
            "controller",
            data={"bind-address": "127.0.0.1", "disable-ipv6": "true", "worker-processes": "1"},
        ),
        named("ConfigMap", "tcp-services", data={str(tcp_port): f"{NAMESPACE}/broker:mqtts"}),
        named("Service", "empty", spec={"selector": {"app": "nobody"}, "ports": [{"port": 80}]}),
        named("Service", "broker", spec={"clusterIP": SERVICE_ADDRESS, "ports": [port]}),
        named(
            "EndpointSlice",
            "broker",
            "discovery.k8s.io/v1",
            metadata={"labels": {"kubernetes.io/service-name": "broker"}},
            addressType="IPv4",
            endpoints=[{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}],  # nobody asks it
            ports=[port],
        ),
        named(
            "Ingress",
            "iot",
            "networking.k8s.io/v1",
            spec={"ingressClassName": "nginx", "rules": [{"host": HOST, "http": {"paths": paths}}]},
        ),
    ]


@pytest.fixture(scope="module")
def controller(
    runtime: Runtime, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Controller]:
    """A controller whose nginx has taken the configuration."""
    controller = Controller(runtime, control_plane, tmp_path_factory.mktemp("controller"))
    healthy = f"http://127.0.0.1:{controller.ports['healthz']}/healthz"

    def ready() -> bool:
        assert controller.container.process.poll() is None, controller.container.log
        return call(healthy).code == 200

    await_true(ready, "the controller is healthy")
    yield controller
    code, seconds = controller.container.stop()
    assert code == 0, controller.container.log
    assert seconds < 15


def test_nginx_takes_the_rendered_template(controller: Controller) -> None:
    # Until Lua has its backends everything gets 503.
    await_true(lambda: controller.get("other.city.example") == 404, "nobody has this name")
    assert controller.get(HOST) == 503
    await_true(lambda: f"[{NAMESPACE}-empty-80]" in controller.container.log, "a line in the access log")
    log = controller.container.log
    assert "Backend successfully reloaded" in log
    for trouble in ("[emerg]", "[error]", "Unexpected failure", "Error reloading"):
        assert trouble not in log


def test_http2_is_offered(controller: Controller) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", controller.ports["https"]), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"


def test_a_tcp_service_leads_to_the_address_of_its_service(controller: Controller) -> None:
    def target() -> str:
        _, _, stream = controller.configuration.read_text().partition("stream {")
        listening = f"listen                  127.0.0.1:{controller.ports['tcp']};"
        return stream.partition(listening)[2].partition("proxy_pass ")[2].partition(";")[0]

    await_true(lambda: target() == f"{SERVICE_ADDRESS}:8883", "the port is in the configuration")
    await_true(lambda: _listens(controller.ports["tcp"]), "nginx listens on it")


def _listens(port: int) -> bool:
    """Whether a socket listens on a port, without connecting: what is behind it leads away from this machine."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(int(row[1].split(":")[1], 16) == port and row[3] == "0A" for row in rows)
