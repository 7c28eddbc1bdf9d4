"""What a service with auth.type Keycloak is made of."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.desired import children, keycloak, schema
from sensorthings_operator.desired.keycloak import ROLES, RealmClient, certificates
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from tests.unit.operator import samples
from tests.unit.operator.samples import UID

SPEC: Final = {"auth": {"type": "Keycloak", "none": None, "keycloak": {"realm": "city"}}}
READ_BY_TOKEN: Final = {"auth": {**SPEC["auth"], "anonymousRead": False}}
ONE: Final = "-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----"
TWO: Final = "-----BEGIN CERTIFICATE-----\ndHdv\n-----END CERTIFICATE-----"
SETTINGS: Final = OperatorSettings(
    keycloak_realms={"city": KeycloakRealm(url="https://id.example/", realm="hamburg", folder=Path("/none"))}
)


def service_with_keycloak(spec: dict[str, Any] = SPEC, **fields: Any) -> Service:
    """A service whose realm has a public certificate, but for what is said."""
    return samples.service(spec, **fields)


def _named(kind: str, name: str, service: Service, settings: OperatorSettings = SETTINGS) -> Manifest:
    (found,) = (m for m in children(service, settings) if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def _environment(container: Manifest) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


def _pod(module: str, service: Service, settings: OperatorSettings = SETTINGS) -> Manifest:
    template: Manifest = _named("Deployment", f"air-{module}", service, settings)["spec"]["template"]
    return template


def _adapter(service: Service) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(_named("ConfigMap", "air-keycloak", service)["data"]["keycloak.json"])
    return parsed


def test_the_adapter_is_told_the_realm_and_no_secret() -> None:
    adapter = _adapter(service_with_keycloak())
    assert adapter["auth-server-url"] == "https://id.example/"
    assert adapter["realm"] == "hamburg", "the realm's own name, not what services call it"
    assert adapter["resource"] == "sensorthings-hamburg-air"
    assert adapter["bearer-only"] is True
    assert adapter["verify-token-audience"] is True
    assert not {"credentials", "truststore"} & adapter.keys()


@pytest.mark.parametrize(("spec", "anonymous"), [(SPEC, "true"), (READ_BY_TOKEN, "false")])
def test_a_role_for_each_right_over_http_and_none_to_publish(spec: dict[str, Any], anonymous: str) -> None:
    service = service_with_keycloak(spec)
    http, mqtt = (
        _environment(_pod(module, service)["spec"]["containers"][0]) | {"module": module} for module in ("http", "mqtt")
    )
    for environment in (http, mqtt):
        assert environment["auth_provider"].endswith(".KeycloakAuthProvider")
        assert environment["auth_allowAnonymousRead"] == anonymous
        assert environment["auth_keycloakConfigFile"] == "/etc/sensorthings/keycloak/keycloak.json"
    assert {role: http[f"auth_role_{role}"] for role in ROLES} == {role: role for role in ROLES}
    assert http["plugins_batchProcessing_enable"] == "false", "a batch would delete for whoever may create"
    assert mqtt["auth_role_read"] == "read"
    assert not {mqtt[f"auth_role_{role}"] for role in ROLES if role != "read"} & ROLES.keys()


def test_nobody_writes_while_the_schema_is_updated() -> None:
    job = _named(
        "Job", schema.name(service_with_keycloak(READ_BY_TOKEN), SETTINGS), service_with_keycloak(READ_BY_TOKEN)
    )
    (migration,) = job["spec"]["template"]["spec"]["initContainers"]
    environment = _environment(migration)
    assert environment["auth_provider"].endswith(".KeycloakAuthProvider")
    assert not {environment[f"auth_role_{role}"] for role in ROLES} & ROLES.keys()
    assert environment["auth_allowAnonymousRead"] == "true", "its probe has no token"
    assert "httpGet" in migration["startupProbe"]


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_ask_for_nothing_that_takes_a_token(probe: str) -> None:
    (http,) = _pod("http", service_with_keycloak())["spec"]["containers"]
    assert "httpGet" in http[probe]
    (http,) = _pod("http", service_with_keycloak(READ_BY_TOKEN))["spec"]["containers"]
    assert http[probe]["tcpSocket"] == {"port": "http"}


@pytest.mark.parametrize("module", ["http", "mqtt"])
def test_a_private_ca_is_trusted_by_the_adapter_alone(module: str) -> None:
    service = service_with_keycloak(realm_ca=f"# one\n{ONE}\n# zwei: Behörde\n{TWO}")
    data = _named("ConfigMap", "air-keycloak", service)["data"]
    assert {name: text for name, text in data.items() if name.startswith("ca-")} == {
        "ca-1.crt": f"{ONE}\n",
        "ca-2.crt": f"{TWO}\n",
    }
    pod = _pod(module, service)["spec"]
    (trust,) = (c for c in pod["initContainers"] if c["name"] == "trust-keycloak")
    assert trust["image"] == pod["containers"][0]["image"], "keytool is in the module's own image"
    truststore = _adapter(service)["truststore"]
    assert truststore in trust["command"][-1]
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "keycloak-trust")
    assert truststore.startswith(mount["mountPath"])
    assert {"name": "keycloak-trust", "emptyDir": {}} in pod["volumes"]
    assert truststore not in _environment(pod["containers"][0])["JAVA_TOOL_OPTIONS"]


@pytest.mark.parametrize("module", ["http", "mqtt"])
def test_pods_roll_with_the_realm_and_its_ca(module: str) -> None:
    moved = OperatorSettings(
        keycloak_realms={"city": KeycloakRealm(url="https://new.example", realm="hamburg", folder=Path("/none"))}
    )
    templates = [
        _pod(module, service_with_keycloak()),
        _pod(module, service_with_keycloak(), moved),
        _pod(module, service_with_keycloak(realm_ca=ONE)),
        _pod(module, service_with_keycloak(realm_ca=TWO)),
    ]
    hashes = [template["metadata"]["annotations"]["sensorthings.city/keycloak-hash"] for template in templates]
    assert len(set(hashes)) == len(hashes)
    assert schema.name(service_with_keycloak(), SETTINGS) == schema.name(service_with_keycloak(realm_ca=ONE), moved), (
        "no migration for that"
    )


@pytest.mark.parametrize(
    ("service", "settings"),
    [(service_with_keycloak(), OperatorSettings()), (service_with_keycloak(realm_ca=None), SETTINGS)],
    ids=["unknown realm", "folder not mounted"],
)
def test_what_is_not_known_opens_nothing(service: Service, settings: OperatorSettings) -> None:
    """The pods wait for the ConfigMap that is not there."""
    assert keycloak.build(service, settings) == []
    pod = _pod("http", service, settings)["spec"]
    assert {"name": "keycloak", "configMap": {"name": "air-keycloak"}} in pod["volumes"]
    assert "auth_provider" in _environment(pod["containers"][0])


def test_without_keycloak_there_is_nothing_of_it() -> None:
    plain = children(replace(samples.service(), realm_ca=ONE), SETTINGS)
    assert "keycloak" not in json.dumps(plain).lower()


_FREE = st.text(st.characters(codec="utf-8", exclude_characters="-"))
_PEMS = st.lists(st.from_regex(r"\A[A-Za-z0-9+/=\n]{1,80}\Z"), max_size=5)


@given(_PEMS, st.data())
def test_a_bundle_is_its_certificates_and_nothing_else(contents: list[str], data: st.DataObject) -> None:
    blocks = [f"-----BEGIN CERTIFICATE-----{content}-----END CERTIFICATE-----" for content in contents]
    key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
    bundle = "".join(f"{data.draw(_FREE)}{block}{data.draw(_FREE)}" for block in blocks) + key
    assert certificates(bundle) == [f"{block}\n" for block in blocks]
    assert certificates("".join(certificates(bundle))) == certificates(bundle)


def test_a_client_can_not_log_in() -> None:
    client = RealmClient("hamburg", "air", UID)
    wanted = client.representation
    assert client.client_id == "sensorthings-hamburg-air"
    assert not [name for name in wanted if re.search("Flow|Grants|Accounts|public|bearer", name) and wanted[name]]
    assert wanted["fullScopeAllowed"] is False
