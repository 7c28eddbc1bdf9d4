"""The defects of the Helm chart that FROST-Server has, each by its name: what is made here has none of them.

Those about routes (snippets) and identity (Keycloak) belong to parts that this release does not have.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sensorthings_operator.desired import children
from sensorthings_operator.desired.settings import OperatorSettings
from tests.unit.api.examples import Manifest
from tests.unit.operator.samples import EXTERNAL, SETTINGS, service

_SPECS: list[Any] = [
    pytest.param({}, id="managed"),
    pytest.param(EXTERNAL, id="external"),
    pytest.param({"http": {"replicas": 3}, "mqtt": {"replicas": 2}}, id="replicas"),
]
every_spec = pytest.mark.parametrize("spec", _SPECS)


def _made(spec: Manifest, kind: str | None = None, settings: OperatorSettings = SETTINGS) -> list[Manifest]:
    return [m for m in children(service(spec), settings) if kind in (None, m["kind"])]


def _templates(spec: Manifest) -> Iterator[tuple[Manifest, Manifest]]:
    for manifest in _made(spec):
        if "template" in manifest.get("spec", {}):
            yield manifest, manifest["spec"]["template"]


def _containers(spec: Manifest) -> Iterator[Manifest]:
    for _, template in _templates(spec):
        yield from (*template["spec"].get("initContainers", ()), *template["spec"]["containers"])


@every_spec
def test_1_no_selector_holds_a_version_so_an_upgrade_drops_no_pod(spec: Manifest) -> None:
    upgraded = {**spec, "version": "2.8.0"}

    def selectors(of: Manifest) -> dict[tuple[str, str], Any]:
        named = ((m["kind"], m["metadata"]["name"], m["spec"].get("selector")) for m in _made(of) if "spec" in m)
        return {(kind, name): selector for kind, name, selector in named if selector is not None}

    assert selectors(spec) == selectors(upgraded)
    services = {m["metadata"]["name"]: m["spec"]["selector"] for m in _made(spec, "Service")}
    pods = [template["metadata"]["labels"] for _, template in _templates(spec)]
    for selector in services.values():
        assert sum(selector.items() <= labels.items() for labels in pods) == 1


def test_2_the_bus_is_a_mosquitto_of_version_2_with_an_explicit_listener() -> None:
    (bus,) = (m for m in _made({}, "StatefulSet") if m["metadata"]["name"] == "air-bus")
    image = bus["spec"]["template"]["spec"]["containers"][0]["image"]
    version = re.fullmatch(r".*mosquitto:(\d+)\.\d+\.\d+", image)
    assert version is not None
    assert int(version[1]) >= 2
    (config,) = (m["data"]["mosquitto.conf"] for m in _made({}, "ConfigMap") if m["metadata"]["name"] == "air-bus")
    assert "listener 8883\n" in config
    assert "allow_anonymous false\n" in config
    assert "require_certificate true\n" in config


@every_spec
def test_3_no_service_opens_a_port_of_the_nodes(spec: Manifest) -> None:
    assert {m["spec"]["type"] for m in _made(spec, "Service")} == {"ClusterIP"}


@every_spec
def test_4_every_container_has_requests_and_a_memory_limit_and_every_pod_the_rest(spec: Manifest) -> None:
    for container in _containers(spec):
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), "an HPA needs them"
        assert "memory" in container["resources"]["limits"]
    for manifest, template in _templates(spec):
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] in {m["metadata"]["name"] for m in _made(spec, "ServiceAccount")}
        assert pod["terminationGracePeriodSeconds"] > 0
        assert pod["topologySpreadConstraints"]
        if manifest["kind"] == "Deployment":
            assert manifest["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_4_modules_of_several_pods_have_disruption_budgets() -> None:
    spec = {"http": {"replicas": 3}, "mqtt": {"replicas": 1}}
    assert [m["metadata"]["name"] for m in _made(spec, "PodDisruptionBudget")] == ["air-http"]


@every_spec
def test_5_readiness_of_http_goes_through_to_the_database_and_liveness_does_not(spec: Manifest) -> None:
    (http,) = (container for container in _containers(spec) if container["name"] == "frost-http")
    assert http["readinessProbe"]["httpGet"]["path"].startswith("/FROST-Server/v1.1/Things?$top=")
    assert "Things" not in http["livenessProbe"]["httpGet"]["path"], "restarts bring no database back"
    stays = [container for container in _containers(spec) if "livenessProbe" in container]
    assert {"frost-http", "frost-mqtt", "mosquitto"} <= {container["name"] for container in stays}
    for container in stays:
        assert "initialDelaySeconds" not in container["livenessProbe"]
        assert "readinessProbe" in container
        # A sidecar's would hold back what it stands in front of.
        assert "startupProbe" in container or container.get("restartPolicy") == "Always"


@every_spec
def test_7_no_secret_is_in_an_environment_value(spec: Manifest) -> None:
    for container in _containers(spec):
        for variable in container.get("env", ()):
            confidential = re.search(r"password|secret|username", variable["name"], re.IGNORECASE)
            assert not (confidential and "value" in variable), variable["name"]
    named = [v for c in _containers(spec) for v in c.get("env", ()) if v["name"] == "persistence_db_password"]
    assert named
    assert all(set(variable["valueFrom"]) == {"secretKeyRef"} for variable in named)


@every_spec
def test_8_no_affinity_pins_the_clients_behind_a_proxy_to_one_pod(spec: Manifest) -> None:
    assert all("sessionAffinity" not in m["spec"] for m in _made(spec, "Service"))


def test_9_the_bus_keeps_its_sessions_on_a_volume() -> None:
    (bus,) = (m for m in _made({}, "StatefulSet") if m["metadata"]["name"] == "air-bus")
    (claim,) = bus["spec"]["volumeClaimTemplates"]
    (mount,) = (
        m
        for m in bus["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        if m["name"] == claim["metadata"]["name"]
    )
    (config,) = (m["data"]["mosquitto.conf"] for m in _made({}, "ConfigMap") if m["metadata"]["name"] == "air-bus")
    assert "persistence true\n" in config
    assert f"persistence_location {mount['mountPath']}/\n" in config


def test_10_never_two_postgresql_on_one_volume() -> None:
    """A StatefulSet starts a pod only after the last one of its name is gone for certain; a Deployment does not."""
    runs_postgresql = [
        manifest["kind"]
        for manifest, template in _templates({})
        if any("postgis" in container["image"] for container in template["spec"]["containers"])
    ]
    assert runs_postgresql == ["StatefulSet"]
    (database,) = (m for m in _made({}, "StatefulSet") if m["metadata"]["name"] == "air-db")
    assert database["spec"]["replicas"] == 1
    assert database["spec"]["volumeClaimTemplates"][0]["spec"]["accessModes"] == ["ReadWriteOnce"]


@every_spec
def test_the_schema_is_migrated_by_one_job_and_by_no_pod(spec: Manifest) -> None:
    """Many pods that update a schema at once race each other (FROST-Server#1653)."""
    updates = {
        container["name"]: variable["value"]
        for container in _containers(spec)
        for variable in container.get("env", ())
        if variable["name"] == "persistence_autoUpdateDatabase"
    }
    assert updates == {"migrate": "true", "frost-http": "false", "frost-mqtt": "false"}
    assert len(_made(spec, "Job")) == 1


@every_spec
def test_a_jvm_without_memory_ends(spec: Manifest) -> None:
    """A module that ran out of memory works no more and does not exit by itself (FROST-Server#1000)."""
    for container in _containers(spec):
        if container["name"].startswith("frost"):
            options = next(v["value"] for v in container["env"] if v["name"] == "JAVA_TOOL_OPTIONS")
            assert "-XX:+ExitOnOutOfMemoryError" in options
