"""The Ingresses, the paths and ports that would lead nowhere, and the addresses that clients are told."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.desired import addresses, ingress, mqtt
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.tcpservices import RESERVED_PORTS
from sensorthings_operator.desired.validation import validate
from sensorthings_operator.observe.gather import gather
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.exposed import HOST, exposed
from tests.unit.operator.samples import SETTINGS, UID, service

_NGINX = "nginx.ingress.kubernetes.io/"
_WEB_SOCKET_PATHS = st.from_regex(r"\A/[A-Za-z0-9/_.-]{0,20}\Z")


def _built(of: Service) -> tuple[Manifest, Manifest]:
    http_ingress, web_socket = ingress.build(of, SETTINGS)
    return http_ingress, web_socket


def _path(manifest: Manifest) -> Manifest:
    (rule,) = manifest["spec"]["rules"]
    assert rule["host"] == HOST
    (path,) = rule["http"]["paths"]
    return dict(path)


def _annotations(manifest: Manifest) -> dict[str, str]:
    annotations: dict[str, str] = manifest["metadata"]["annotations"]
    return {name.removeprefix(_NGINX): value for name, value in annotations.items()}


def test_nothing_is_made_for_a_service_inside_the_cluster() -> None:
    assert ingress.build(service(), SETTINGS) == []
    assert ingress.names(service()) == ()


def test_names_are_those_that_are_made() -> None:
    made = ingress.build(exposed(), SETTINGS)
    assert tuple(manifest["metadata"]["name"] for manifest in made) == ingress.names(exposed())
    assert ingress.names(exposed()) == ("air-http", "air-mqtt-websocket")


@pytest.mark.parametrize("at", [0, 1])
def test_every_route_is_https_on_the_host_with_the_services_certificate(at: int) -> None:
    manifest = _built(exposed(routes={"className": "public"}))[at]
    assert manifest["spec"]["ingressClassName"] == "public"
    assert manifest["spec"]["tls"] == [{"hosts": [HOST], "secretName": "air-tls"}]
    assert _annotations(manifest)["ssl-redirect"] == "true"
    assert not [name for name in _annotations(manifest) if "snippet" in name], "clusters refuse them, and rightly"


def test_rest_goes_to_the_http_module() -> None:
    manifest, _ = _built(exposed())
    backend = {"service": {"name": "air-http", "port": {"name": "http"}}}
    assert _path(manifest) == {"path": "/FROST-Server", "pathType": "Prefix", "backend": backend}
    assert int(_annotations(manifest)["proxy-read-timeout"]) > 60, "a batch takes longer than nginx waits by itself"
    assert _annotations(manifest)["proxy-body-size"] == "16m"


def test_web_sockets_go_encrypted_to_the_port_where_tls_ends() -> None:
    _, manifest = _built(exposed())
    backend = {"service": {"name": "air-mqtt", "port": {"name": "wss"}}}
    assert _path(manifest) == {"path": "/mqtt", "pathType": "Exact", "backend": backend}
    annotations = _annotations(manifest)
    assert annotations["backend-protocol"] == "HTTPS"
    assert int(annotations["proxy-read-timeout"]) == int(annotations["proxy-send-timeout"]) >= 3600
    assert "use-regex" not in annotations, "it would make regular expressions of all paths of the host"


def test_the_ports_that_routes_name_are_there() -> None:
    made = mqtt.build(exposed(), SETTINGS)
    (ports,) = (m["spec"]["ports"] for m in made if m["kind"] == "Service")
    named = {port["name"]: port["port"] for port in ports}
    assert named[addresses.WSS_PORT_NAME] == addresses.WSS_PORT
    assert addresses.MQTTS_PORT in named.values()


@given(_WEB_SOCKET_PATHS.filter(lambda path: path != "/mqtt"), _WEB_SOCKET_PATHS)
def test_another_web_socket_path_is_rewritten_to_the_one_that_frost_has(path: str, other: str) -> None:
    _, manifest = _built(exposed(routes={"webSocketPath": path}))
    annotations = _annotations(manifest)
    assert (annotations["use-regex"], annotations["rewrite-target"]) == ("true", "/mqtt")
    route = _path(manifest)
    assert route["pathType"] == "ImplementationSpecific"
    # ingress-nginx: location ~* "^PATH"
    location = re.compile(f"^{route['path']}", re.IGNORECASE)
    assert location.match(path)
    for wrong in (f"{path}x", f"/x{path}", path.replace(".", "x") if "." in path else f"{path}/"):
        assert not location.match(wrong)
    assert bool(location.match(other)) == (other.lower() == path.lower())


@given(_WEB_SOCKET_PATHS, st.sampled_from(["/FROST-Server", "/api", "/./api", "/a/.."]))
def test_paths_that_lead_nowhere_are_refused(path: str, root: str) -> None:
    of = exposed(routes={"webSocketPath": path})
    spec = of.spec.model_copy(update={"root_path": root})
    told = {problem.path for problem in validate(spec)}

    def segments(of: str) -> list[str]:
        return of[1:].split("/")

    odd = {".", ".."}
    unroutable = bool(odd & set(segments(path))) or "" in segments(path)[:-1]
    assert ("spec.rootPath" in told) == bool(odd & set(segments(root)))
    assert ("spec.exposure.ingressNginx.webSocketPath" in told) == (unroutable or path == root)


def test_one_path_is_not_both() -> None:
    both = service({**_spec(webSocketPath="/api"), "rootPath": "/api"})
    assert [problem.path for problem in validate(both.spec)] == ["spec.exposure.ingressNginx.webSocketPath"]


def _spec(**routes: Any) -> dict[str, Any]:
    exposure = {"type": "IngressNginx", "ingressNginx": routes}
    return {"host": HOST, "exposure": exposure, "certificate": {"issuerRef": {"name": "city-ca"}}}


@pytest.mark.parametrize("port", sorted(RESERVED_PORTS))
def test_a_port_on_which_the_controller_itself_listens_is_refused(port: int) -> None:
    (problem,) = validate(exposed(port).spec)
    assert (problem.reason, problem.path) == ("InvalidSpec", "spec.exposure.ingressNginx.mqttPort")
    assert str(port) in problem.message


@pytest.mark.parametrize("routes", [{}, {"mqttPort": 1883}, {"webSocketPath": "/"}, {"webSocketPath": "/a/b.c/"}])
def test_routes_that_lead_somewhere_pass(routes: dict[str, Any]) -> None:
    assert validate(exposed(routes=routes).spec) == ()


def test_clients_are_told_public_addresses_where_there_are_some() -> None:
    told = addresses.endpoints(exposed(8884, routes={"webSocketPath": "/ws"}), SETTINGS)
    assert {endpoint.name: endpoint.url for endpoint in told} == {
        "sensorthings": f"https://{HOST}/FROST-Server/v1.1",
        "mqtt": f"mqtts://{HOST}:8884",
        "mqtt-websocket": f"wss://{HOST}/ws",
    }


def test_clients_are_told_addresses_of_the_cluster_otherwise() -> None:
    told = [endpoint.url for endpoint in addresses.endpoints(service(), SETTINGS)]
    assert told
    assert all(".hamburg.svc.cluster.local" in url for url in told)


def _seen(name: str, status: Manifest) -> Manifest:
    owner = {"kind": "SensorThingsService", "name": "air", "uid": UID, "controller": True}
    described = {
        "name": name,
        "namespace": "hamburg",
        "uid": name,
        "resourceVersion": "1",
        "labels": {"sensorthings.city/service": "air"},
        "ownerReferences": [owner],
    }
    return {"kind": "Ingress", "metadata": described, "status": status}


@pytest.mark.parametrize(
    ("status", "taken_up"),
    [
        ({}, False),
        ({"loadBalancer": {}}, False),
        ({"loadBalancer": {"ingress": []}}, False),
        ({"loadBalancer": {"ingress": [{"ip": "10.96.0.80"}]}}, True),
        ({"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}, True),
    ],
)
def test_an_ingress_with_an_address_was_taken_up(status: Manifest, taken_up: bool) -> None:
    store = OwnedStore(SUMMARIES)
    assert gather(store, exposed(), schema_job="").ingresses == {}
    store.put("Ingress", _seen("air-http", status))
    store.put("Ingress", _seen("somebody-elses", status))
    assert gather(store, exposed(), schema_job="").ingresses == {"air-http": taken_up}
