"""Envoy in the MQTT module's pod: nothing but it is reached from outside the pod."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sensorthings_operator.desired import envoy, mqtt, sidecar
from sensorthings_operator.desired.addresses import endpoints
from sensorthings_operator.desired.metadata import CONFIGURATION_HASH_ANNOTATION
from tests.unit.operator.samples import SETTINGS, service

_TLS: dict[str, Any] = {"host": "air.hamburg.example", "certificate": {"issuerRef": {"name": "city-ca"}}}


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    _, deployment = mqtt.build(service(spec), SETTINGS)
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


def _container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [c for c in (*pod["initContainers"], *pod["containers"]) if c["name"] == name]
    container: dict[str, Any] = found
    return container


def _probes(container: dict[str, Any]) -> dict[str, Any]:
    return {name: probe for name, probe in container.items() if name.endswith("Probe")}


def test_without_a_certificate_there_is_no_sidecar() -> None:
    assert sidecar.build(service(), SETTINGS) == []
    assert [container["name"] for container in _pod({})["initContainers"]] == ["mqtt-gate", "wait-for-bus"]
    plain, _ = mqtt.build(service(), SETTINGS)
    assert {port["port"] for port in plain["spec"]["ports"]} == {1883, 9876}


def test_with_a_certificate_only_tls_is_reached() -> None:
    clients, _ = mqtt.build(service(_TLS), SETTINGS)
    assert [(port["name"], port["port"]) for port in clients["spec"]["ports"]] == [("mqtts", 8883), ("wss", 8884)]
    assert [port["name"] for port in _container(_pod(_TLS), "mqtt-gate")["ports"]] == ["gate-status"]


def test_a_service_finds_its_ports_at_the_sidecar() -> None:
    clients, _ = mqtt.build(service(_TLS), SETTINGS)
    named = {port["name"]: port["containerPort"] for port in _container(_pod(_TLS), "envoy")["ports"]}
    assert {port["targetPort"]: port["port"] for port in clients["spec"]["ports"]}.items() <= named.items()


def test_it_is_a_native_sidecar_that_starts_first() -> None:
    first, *others = _pod(_TLS)["initContainers"]
    assert (first["name"], first["restartPolicy"]) == ("envoy", "Always")
    assert [container["name"] for container in others] == ["mqtt-gate", "wait-for-bus"]


def test_a_certificate_that_can_not_be_used_takes_the_pod_out_and_restarts_nothing() -> None:
    probes = _probes(_container(_pod(_TLS), "envoy"))
    assert probes["readinessProbe"]["httpGet"]["path"] == "/certificate"
    assert probes["livenessProbe"]["httpGet"]["path"] == "/ready"
    assert set(probes) == {"readinessProbe", "livenessProbe"}, "a startup probe would hold FROST-Server back"


def test_only_the_sidecar_has_the_key() -> None:
    pod = _pod(_TLS)
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "certificate"]
    assert volume["secret"]["secretName"] == "air-tls"
    assert volume["secret"]["defaultMode"] == 0o440
    mounting = {
        container["name"]
        for container in (*pod["initContainers"], *pod["containers"])
        for mount in container.get("volumeMounts", ())
        if mount["name"] in ("certificate", "envoy-sockets")
    }
    assert mounting == {"envoy"}


def test_mounts_are_where_the_configuration_says() -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in _container(_pod(_TLS), "envoy")["volumeMounts"]}
    layout = sidecar.LAYOUT
    assert mounts["certificate"] == layout.certificate_folder
    assert mounts["envoy-sockets"] == layout.socket_folder
    (made,) = sidecar.build(service(_TLS), SETTINGS)
    in_the_pod = {f"{mounts['envoy-config']}/{name}" for name in made["data"]}
    assert in_the_pod == {layout.secret_file, f"{mounts['envoy-config']}/envoy.json"}
    assert f"{mounts['envoy-config']}/envoy.json" in _container(_pod(_TLS), "envoy")["command"]
    assert json.loads(made["data"]["envoy.json"]) == envoy.bootstrap(layout)


def test_pods_roll_with_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    def annotation() -> str:
        _, deployment = mqtt.build(service(_TLS), SETTINGS)
        return str(deployment["spec"]["template"]["metadata"]["annotations"][CONFIGURATION_HASH_ANNOTATION])

    before = annotation()
    monkeypatch.setattr(envoy, "MAX_CONNECTIONS", 1)
    assert annotation() != before


def test_clients_are_told_where_tls_is() -> None:
    plain = {endpoint.name: endpoint.url for endpoint in endpoints(service(), SETTINGS)}
    assert plain["mqtt"] == "mqtt://air-mqtt.hamburg.svc.cluster.local:1883"
    encrypted = {endpoint.name: endpoint.url for endpoint in endpoints(service(_TLS), SETTINGS)}
    assert encrypted["mqtt"] == "mqtts://air-mqtt.hamburg.svc.cluster.local:8883"
    assert encrypted["mqtt-websocket"] == "wss://air-mqtt.hamburg.svc.cluster.local:8884/mqtt"


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(member)


def test_the_health_of_a_cluster_is_known_only_by_metrics_that_are_kept() -> None:
    """Envoy reads them itself: a cluster whose metrics are left out is unhealthy for ever."""
    config = envoy.bootstrap(sidecar.LAYOUT)
    kept = [node["prefix"] for node in _nodes(config["stats_config"]) if "prefix" in node]
    asked = {
        cluster
        for node in _nodes(config)
        if "cluster_min_healthy_percentages" in node
        for cluster in node["cluster_min_healthy_percentages"]
    }
    assert asked == {"certificate"}
    for cluster in asked:
        assert f"cluster.{cluster}.membership_" in kept


def test_nothing_of_envoy_but_its_listeners_is_on_a_network() -> None:
    config = envoy.bootstrap(sidecar.LAYOUT)
    assert set(config["admin"]["address"]) == {"pipe"}
    bound = {listener["name"]: listener["address"] for listener in config["static_resources"]["listeners"]}
    assert {name for name, address in bound.items() if "socket_address" in address} == {"mqtts", "wss", "status"}
