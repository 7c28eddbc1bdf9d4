"""A city on a cluster and a database that are there: the same components, fed by its configuration."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.stacks import programs
from tests.stacks.programs import PASSWORDS, in_the_open, is_secret

if TYPE_CHECKING:
    from tests.stacks.programs import Run


def test_it_reads_no_other_stack(smalltown: dict[str, Run]) -> None:
    for run in smalltown.values():
        assert run.of_type("StackReference") == []
        assert [each for each in run.resources if each.type.startswith("azure-native:")] == []


def test_its_cluster_is_named_by_the_context(smalltown: dict[str, Run]) -> None:
    for run in smalltown.values():
        provider = run.the("pulumi:providers:kubernetes")
        assert provider.inputs["context"] == "smalltown"
        assert "kubeconfig" not in provider.inputs
        objects = [each for each in run.resources if each.type.startswith("kubernetes:")]
        assert all(each.provider.startswith(provider.urn) for each in objects)


def test_azures_load_balancer_is_not_spoken_to(smalltown: dict[str, Run]) -> None:
    (release,) = [each for each in smalltown["platform"].of_type("v3:Release") if each.name == "ingress-nginx"]
    controller = release.plain["values"]["controller"]
    assert controller["replicaCount"] == 1
    assert controller["service"] == {"type": "LoadBalancer", "annotations": {}, "externalTrafficPolicy": "Local"}


def test_it_makes_the_same_kinds_as_a_city_on_azure(smalltown: dict[str, Run], munich: dict[str, Run]) -> None:
    for layer, run in smalltown.items():
        kinds = {each.type for each in run.resources}
        assert kinds == {each.type for each in munich[layer].resources} - {"pulumi:pulumi:StackReference"}


def test_its_service_reaches_the_database_that_is_there(smalltown: dict[str, Run]) -> None:
    city = smalltown["city"]
    (service,) = [each for each in city.resources if each.inputs.get("kind") == "SensorThingsService"]
    external = service.plain["spec"]["database"]["external"]
    assert external["primary"] == {"host": "postgresql.smalltown.example"}
    assert external["replicas"] == []
    assert external["tls"] == {"mode": "require"}
    secret = city.the("core/v1:Secret")
    assert secret.plain["stringData"]["password"] == PASSWORDS["sensorthings"]
    assert is_secret(secret.inputs["stringData"]) or is_secret(secret.inputs["stringData"]["password"])
    assert not any(PASSWORDS["sensorthings"] in text for each in city.resources for text in in_the_open(each.inputs))


def test_a_databases_authority_makes_its_certificate_verified() -> None:
    key = "sensorthings-city:database"
    config = programs.configuration("city", "smalltown")
    config = {**config, key: {**config[key], "certificateAuthority": "-----BEGIN CERTIFICATE-----\n"}}
    city = programs.execute("city", config, {}, "smalltown")
    (service,) = [each for each in city.resources if each.inputs.get("kind") == "SensorThingsService"]
    tls = service.plain["spec"]["database"]["external"]["tls"]
    authority = {each.inputs["metadata"]["name"]: each for each in city.of_type("core/v1:Secret")}["database-authority"]
    assert tls == {"mode": "verify-full", "caSecretRef": {"name": "database-authority"}}
    assert authority.plain["stringData"] == {"ca.crt": "-----BEGIN CERTIFICATE-----\n"}
    assert authority.urn in service.dependencies


def test_an_acme_authority_of_the_towns_own_is_trusted_by_its_certificate(smalltown: dict[str, Run]) -> None:
    config = {
        **programs.configuration("city", "smalltown"),
        "sensorthings-city:acmeServer": "https://acme.smalltown.example/directory",
        "sensorthings-city:acmeAuthority": "-----BEGIN CERTIFICATE-----\n",
    }
    city = programs.execute("city", config, {}, "smalltown")
    (issuer,) = [each for each in city.resources if each.inputs.get("kind") == "ClusterIssuer"]
    assert issuer.plain["spec"]["acme"]["server"] == "https://acme.smalltown.example/directory"
    assert base64.b64decode(issuer.plain["spec"]["acme"]["caBundle"]) == b"-----BEGIN CERTIFICATE-----\n"
    (everybodys,) = [each for each in smalltown["city"].resources if each.inputs.get("kind") == "ClusterIssuer"]
    assert "caBundle" not in everybodys.plain["spec"]["acme"]


@pytest.mark.parametrize(
    ("authority", "tls"),
    [
        ({}, "sslmode=require"),
        (
            {"certificateAuthority": "-----BEGIN CERTIFICATE-----\n"},
            "sslmode=verify-full&sslrootcert=/etc/keycloak-database/ca.crt",
        ),
    ],
)
def test_its_keycloak_has_the_database_that_is_named(authority: dict[str, str], tls: str) -> None:
    keycloak = {
        "host": "id.smalltown.example",
        "image": "quay.io/keycloak/keycloak:26.4",
        "administratorPassword": "keycloak-admin-is-long",
        "database": {"hosts": ["db.smalltown.example"], "password": PASSWORDS["keycloak"], **authority},
    }
    config = {**programs.configuration("platform", "smalltown"), "sensorthings-platform:keycloak": keycloak}
    platform = programs.execute("platform", config, {}, "smalltown")
    pod = platform.the("apps/v1:Deployment").plain["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (url,) = [each.removeprefix("--db-url=") for each in container["args"] if each.startswith("--db-url=")]
    assert url.startswith("jdbc:postgresql://db.smalltown.example:5432/keycloak?targetServerType=primary&")
    assert url.endswith(f"&{tls}")
    (secret,) = platform.of_type("core/v1:Secret")
    assert secret.plain["stringData"]["database-password"] == PASSWORDS["keycloak"]
    assert secret.plain["stringData"].get("ca.crt") == authority.get("certificateAuthority")
    assert ("/etc/keycloak-database" in {each["mountPath"] for each in container["volumeMounts"]}) == bool(authority)
    assert not any(PASSWORDS["keycloak"] in text for each in platform.resources for text in in_the_open(each.inputs))
