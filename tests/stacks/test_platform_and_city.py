"""The layers on the cluster: every object names its cluster, custom resources come a layer after their definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensorthings_operator.api.parse import parse_service
from tests.stacks.programs import PASSWORDS, STACKS, in_the_open, is_secret

if TYPE_CHECKING:
    from tests.stacks.programs import Run


@pytest.mark.parametrize("layer", ["platform", "city"])
def test_every_object_names_its_cluster(layers: dict[str, Run], layer: str) -> None:
    (provider,) = layers[layer].of_type("pulumi:providers:kubernetes")
    objects = [each for each in layers[layer].resources if each.type.startswith("kubernetes:")]
    assert objects
    for each in objects:
        assert each.provider.startswith(provider.urn), f"{each.urn} goes wherever kubectl points"
    assert is_secret(provider.inputs["kubeconfig"])


def test_the_platform_installs_four_charts_and_makes_no_custom_resource(platform: Run) -> None:
    releases = {release.name: release.plain for release in platform.of_type("helm.sh/v3:Release")}
    assert set(releases) == {"ingress-nginx", "cert-manager", "kube-prometheus-stack", "sensorthings-operator"}
    assert releases["cert-manager"]["version"] == "v1.21.2"
    assert all(release["atomic"] for release in releases.values())
    assert (STACKS / "platform" / releases["sensorthings-operator"]["chart"] / "Chart.yaml").is_file()
    assert platform.of_type("CustomResource") == []
    assert [each for each in platform.resources if each.type.startswith("kubernetes:apiextensions")] == []


def test_prometheus_reads_the_database_machines_and_verifies_them(platform: Run) -> None:
    (release,) = [each for each in platform.of_type("helm.sh/v3:Release") if each.name == "kube-prometheus-stack"]
    configs = release.plain["values"]["prometheus"]["prometheusSpec"]["additionalScrapeConfigs"]
    assert {config["job_name"]: config["static_configs"][0]["targets"] for config in configs} == {
        "postgresql": ["db-0.hamburg.internal:9187", "db-1.hamburg.internal:9187"],
        "patroni": ["db-0.hamburg.internal:8008", "db-1.hamburg.internal:8008"],
    }
    for config in configs:
        assert (config["scheme"], config["tls_config"]) == ("https", {"ca": "certificate of hamburg-authority"})


def test_ingress_takes_the_citys_address_and_our_operators_ports(platform: Run) -> None:
    (release,) = [each for each in platform.of_type("helm.sh/v3:Release") if each.name == "ingress-nginx"]
    controller = release.plain["values"]["controller"]
    annotations = controller["service"]["annotations"]
    assert annotations["service.beta.kubernetes.io/azure-pip-name"] == "hamburg-ingress"
    assert annotations["service.beta.kubernetes.io/azure-load-balancer-resource-group"] == "sensorthings-hamburg"
    assert annotations["service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path"] == "/healthz"
    # MQTT clients say within a quarter of an hour, mostly within a minute, that they are there.
    minutes = int(annotations["service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout"])
    assert minutes > 15
    assert controller["extraArgs"] == {"tcp-services-configmap": "$(POD_NAMESPACE)/tcp-services"}
    ports = platform.the("ConfigMap")
    assert ports.inputs["metadata"]["name"] == "tcp-services"
    assert ports.ignore_changes == ["data"]
    assert ports.urn in release.dependencies


def test_the_operator_comes_after_the_definitions_it_uses(platform: Run) -> None:
    releases = {release.name: release for release in platform.of_type("helm.sh/v3:Release")}
    others = {release.urn for name, release in releases.items() if name != "sensorthings-operator"}
    assert others <= set(releases["sensorthings-operator"].dependencies)


def test_the_citys_service_is_what_the_operator_reads(city: Run) -> None:
    (service,) = [each for each in city.resources if each.inputs.get("kind") == "SensorThingsService"]
    spec = parse_service(service.plain, unknown_fields="refuse").spec
    assert spec.host == "iot.hamburg.example"
    assert spec.database.external is not None
    assert spec.database.external.primary.host == "db-0.hamburg.internal"
    assert [replica.host for replica in spec.database.external.replicas] == ["db-1.hamburg.internal"]
    assert spec.database.external.tls.mode == "verify-full"
    (authority,) = [each for each in city.of_type("Secret") if "ca.crt" in each.plain["stringData"]]
    assert spec.database.external.tls.ca_secret_ref is not None
    assert spec.database.external.tls.ca_secret_ref.name == authority.plain["metadata"]["name"]
    assert authority.plain["stringData"]["ca.crt"] == "certificate of hamburg-authority"
    assert spec.certificate is not None
    assert spec.certificate.issuer_ref.kind == "Issuer"


def test_the_service_comes_after_its_secret_and_issuer_and_is_not_waited_for(city: Run) -> None:
    (service,) = [each for each in city.resources if each.inputs.get("kind") == "SensorThingsService"]
    (issuer,) = [each for each in city.resources if each.inputs.get("kind") == "Issuer"]
    assert {*(each.urn for each in city.of_type("Secret")), issuer.urn} <= set(service.dependencies)
    assert service.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert service.inputs["spec"]["certificate"]["issuerRef"]["name"] == issuer.inputs["metadata"]["name"]


def test_the_databases_password_stays_a_secret(city: Run) -> None:
    (secret,) = [each for each in city.of_type("Secret") if "password" in each.plain["stringData"]]
    assert secret.plain["stringData"] == {"username": "sensorthings", "password": PASSWORDS["sensorthings"]}
    for resource in city.resources:
        assert PASSWORDS["sensorthings"] not in in_the_open(resource.inputs)


def test_the_namespace_is_protected(city: Run) -> None:
    assert city.the("Namespace").protect
