"""The layers on the cluster: every object names its cluster, custom resources come a layer after their definitions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema.validators import validator_for

from sensorthings_operator.api.parse import parse_connector, parse_service
from tests.stacks.programs import PASSWORDS, SECRETS, STACKS, in_the_open, is_secret

if TYPE_CHECKING:
    from tests.stacks.programs import Resource, Run


def _releases(platform: Run) -> dict[str, Resource]:
    return {release.name: release for release in platform.of_type("helm.sh/v3:Release")}


def _of_kind(run: Run, kind: str) -> list[Resource]:
    return [each for each in run.resources if each.inputs.get("kind") == kind]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for member in value.values() for text in _texts(member)]
    return [value]


@pytest.mark.parametrize("layer", ["platform", "city"])
def test_every_object_names_its_cluster(layers: dict[str, Run], layer: str) -> None:
    (provider,) = layers[layer].of_type("pulumi:providers:kubernetes")
    objects = [each for each in layers[layer].resources if each.type.startswith("kubernetes:")]
    assert objects
    for each in objects:
        assert each.provider.startswith(provider.urn), f"{each.urn} goes wherever kubectl points"
    assert is_secret(provider.inputs["kubeconfig"])


@pytest.mark.parametrize("layer", ["platform", "city"])
def test_what_lies_in_a_namespace_comes_after_it(layers: dict[str, Run], layer: str) -> None:
    """Also where nothing else would make it wait: Pulumi makes at the same time what does not depend on each other."""
    run = layers[layer]
    namespaces = {each.inputs["metadata"]["name"]: each.urn for each in _of_kind(run, "Namespace")}
    inside = [each for each in run.resources if each.inputs.get("metadata", {}).get("namespace") in namespaces]
    assert len(inside) > 5
    early = [each.urn for each in inside if namespaces[each.inputs["metadata"]["namespace"]] not in each.dependencies]
    assert early == []


def test_the_platform_installs_four_charts_and_makes_no_custom_resource(platform: Run) -> None:
    releases = {name: release.plain for name, release in _releases(platform).items()}
    assert set(releases) == {"ingress-nginx", "cert-manager", "kube-prometheus-stack", "sensorthings-operator"}
    assert releases["cert-manager"]["version"] == "v1.21.2"
    assert all(release["atomic"] for release in releases.values())
    assert (STACKS / "platform" / releases["sensorthings-operator"]["chart"] / "Chart.yaml").is_file()
    assert [each.type for each in platform.resources if each.type.endswith(":CustomResource")] == []
    assert {each.inputs["kind"] for each in platform.resources if "apiextensions" in each.type} == {
        "CustomResourceDefinition"
    }


def test_our_kinds_are_installed_as_they_are_generated_and_stay(platform: Run) -> None:
    installed = {each.name: each for each in _of_kind(platform, "CustomResourceDefinition")}
    generated = [yaml.safe_load(path.read_text()) for path in (STACKS.parent / "crds").glob("*.yaml")]
    assert set(installed) == {definition["metadata"]["name"] for definition in generated}
    for definition in generated:
        made = installed[definition["metadata"]["name"]]
        assert made.plain["spec"] == definition["spec"]
        assert made.protect
        assert made.retain_on_delete


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
    release = _releases(platform)["ingress-nginx"]
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


def test_the_operator_may_write_the_ports_that_ingress_reads(platform: Run) -> None:
    values = _releases(platform)["sensorthings-operator"].plain["values"]
    ports = platform.the("ConfigMap").inputs["metadata"]
    release = _releases(platform)["ingress-nginx"]
    assert values["ingressNginx"] == {
        "enabled": True,
        "namespace": ports["namespace"],
        "tcpServicesConfigMap": ports["name"],
        # The chart's own name of it, where the release is named as the chart.
        "controllerService": f"{release.plain['name']}-controller",
    }


@pytest.mark.parametrize("city", ["layers", "munich", "smalltown"])
def test_the_operators_chart_takes_its_values(request: pytest.FixtureRequest, city: str) -> None:
    chart = STACKS.parent / "charts" / "sensorthings-operator"
    schema = json.loads((chart / "values.schema.json").read_text())
    defaults = yaml.safe_load((chart / "values.yaml").read_text())
    ours = _releases(request.getfixturevalue(city)["platform"])["sensorthings-operator"].plain["values"]
    # As Helm joins them: maps member by member.
    values = {key: {**defaults[key], **ours.get(key, {})} for key in defaults if isinstance(defaults[key], dict)}
    check = validator_for(schema)(schema)
    assert [error.message for error in check.iter_errors({**defaults, **values})] == []
    assert ours.keys() <= defaults.keys()
    assert list(check.iter_errors({**defaults, **values, "ingress": {}}))


def test_the_operator_comes_after_the_definitions_it_uses(platform: Run) -> None:
    releases = _releases(platform)
    needed = {release.urn for name, release in releases.items() if name != "sensorthings-operator"}
    needed |= {each.urn for each in _of_kind(platform, "CustomResourceDefinition")}
    assert needed <= set(releases["sensorthings-operator"].dependencies)


def test_keycloak_has_a_name_a_certificate_and_no_password_in_the_open(platform: Run) -> None:
    (ingress,) = _of_kind(platform, "Ingress")
    spec = ingress.plain["spec"]
    assert [rule["host"] for rule in spec["rules"]] == ["id.hamburg.example"]
    assert spec["tls"] == [{"hosts": ["id.hamburg.example"], "secretName": "keycloak-tls"}]
    assert ingress.inputs["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "city"
    assert {_releases(platform)[name].urn for name in ("ingress-nginx", "cert-manager")} <= set(ingress.dependencies)
    (container,) = _of_kind(platform, "Deployment")[0].plain["spec"]["template"]["spec"]["containers"]
    assert (
        "--db-url=jdbc:postgresql://db-0.hamburg.internal:5432,db-1.hamburg.internal:5432/keycloak"
        "?targetServerType=primary&hostRecheckSeconds=2&connectTimeout=3&socketTimeout=60&tcpKeepAlive=true"
        "&sslmode=verify-full&sslrootcert=/etc/keycloak-database/ca.crt"
    ) in container["args"]
    assert {"--db-username=keycloak", "--db-pool-max-size=20"} <= set(container["args"])
    values = [variable for variable in container["env"] if "value" in variable]
    assert [variable["name"] for variable in values] == ["KC_BOOTSTRAP_ADMIN_USERNAME"]


def test_keycloaks_pods_are_reached_by_ingress_and_each_other(platform: Run) -> None:
    policies = {each.inputs["metadata"]["name"]: each.plain["spec"] for each in _of_kind(platform, "NetworkPolicy")}
    assert set(policies) == {"keycloak", "http01-solvers"}
    for spec in policies.values():
        assert spec["policyTypes"] == ["Ingress", "Egress"]
    http = [rule for rule in policies["keycloak"]["ingress"] if {"protocol": "TCP", "port": 8080} in rule["ports"]]
    (source,) = http[0]["from"]
    assert source == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}


def test_grafana_has_a_name_a_certificate_and_logs_in_by_keycloak(platform: Run) -> None:
    release = _releases(platform)["kube-prometheus-stack"]
    grafana = release.plain["values"]["grafana"]
    assert grafana["ingress"]["hosts"] == ["grafana.hamburg.example"]
    assert grafana["ingress"]["annotations"] == {"cert-manager.io/cluster-issuer": "city"}
    oauth = grafana["grafana.ini"]["auth.generic_oauth"]
    assert oauth["token_url"] == "https://id.hamburg.example/realms/hamburg/protocol/openid-connect/token"
    (logins,) = [each for each in _of_kind(platform, "Secret") if each.name == "grafana-logins"]
    assert grafana["admin"]["existingSecret"] == logins.inputs["metadata"]["name"]
    assert logins.urn in release.dependencies
    assert set(logins.plain["stringData"]) == {"username", "password", "client-secret"}


@pytest.mark.parametrize("layer", ["platform", "city"])
def test_no_password_is_in_the_open(layers: dict[str, Run], layer: str) -> None:
    secrets = [*_texts(SECRETS["hamburg"]["platform"]), *PASSWORDS.values()]
    for resource in layers[layer].resources:
        for text in in_the_open(resource.inputs):
            assert not any(secret in text for secret in secrets), f"a password stands in the open in {resource.urn}"


def test_without_a_configuration_there_is_no_grafana_with_the_password_everybody_knows(munich: dict[str, Run]) -> None:
    values = _releases(munich["platform"])["kube-prometheus-stack"].plain["values"]
    assert values["grafana"] == {"enabled": False}
    assert _of_kind(munich["platform"], "Deployment") == []


def test_the_citys_service_is_what_the_operator_reads(city: Run) -> None:
    (service,) = _of_kind(city, "SensorThingsService")
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
    assert spec.certificate.issuer_ref.kind == "ClusterIssuer"


def test_the_service_comes_after_its_secret_and_issuer_and_is_not_waited_for(city: Run) -> None:
    (service,) = _of_kind(city, "SensorThingsService")
    (issuer,) = _of_kind(city, "ClusterIssuer")
    here = service.inputs["metadata"]["namespace"]
    secrets = [each.urn for each in city.of_type("Secret") if each.inputs["metadata"]["namespace"] == here]
    assert len(secrets) == 2
    assert {*secrets, issuer.urn} <= set(service.dependencies)
    assert service.inputs["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert service.inputs["spec"]["certificate"]["issuerRef"]["name"] == issuer.inputs["metadata"]["name"]


def test_a_connector_comes_after_its_service(city: Run) -> None:
    (connector,) = _of_kind(city, "Connector")
    (service,) = _of_kind(city, "SensorThingsService")
    assert parse_connector(connector.plain, unknown_fields="refuse").spec.service_ref.name == "traffic-lights"
    assert connector.inputs["metadata"]["namespace"] == service.inputs["metadata"]["namespace"] == "traffic"
    assert service.urn in connector.dependencies


def test_the_databases_password_stays_a_secret(city: Run) -> None:
    (secret,) = [each for each in city.of_type("Secret") if "password" in each.plain["stringData"]]
    assert secret.plain["stringData"] == {"username": "sensorthings", "password": PASSWORDS["sensorthings"]}


def test_the_namespace_is_protected_and_stays_with_its_volumes(city: Run) -> None:
    namespace = city.the("Namespace")
    assert namespace.protect
    assert namespace.retain_on_delete
