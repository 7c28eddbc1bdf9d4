"""The gate in the MQTT module's pod: FROST-Server is reached by nobody else, and what the gate is told."""

import json
from typing import Any, Final

import pytest

from sensorthings_operator.desired import mqtt, mqttgate
from sensorthings_operator.desired.service import Service
from tests.unit.operator.samples import BASIC, SETTINGS, service
from tests.unit.operator.test_keycloak import SETTINGS as WITH_REALM

_TLS: Final = {"host": "air.hamburg.example", "certificate": {"issuerRef": {"name": "city-ca"}}}
_KEYCLOAK: Final = {"auth": {"type": "Keycloak", "none": None, "anonymousRead": False, "keycloak": {"realm": "city"}}}
_CA: Final = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def _configuration(wanted: Service) -> dict[str, Any]:
    (made,) = mqttgate.build(wanted, WITH_REALM)
    configuration: dict[str, Any] = json.loads(made["data"]["gate.json"])
    return configuration


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    _, deployment = mqtt.build(service(spec), SETTINGS)
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("spec", [{}, _TLS], ids=["plain", "encrypted"])
def test_nobody_reaches_frost_server_but_the_gate(spec: dict[str, Any]) -> None:
    (frost,) = _pod(spec)["containers"]
    values = {entry["name"]: entry.get("value", "") for entry in frost["env"]}
    assert values["mqtt_Host"] == "127.0.0.1"
    assert _configuration(service(spec))["broker"] == f"127.0.0.1:{values['mqtt_Port']}"
    assert "ports" not in frost
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert frost[probe]["httpGet"] == {"path": "/broker", "port": 8082}


def test_behind_envoy_it_is_reached_within_the_pod_alone() -> None:
    listens = _configuration(service(_TLS))["listen"]
    assert listens == {"mqtt": "127.0.0.1:1883", "webSocket": "127.0.0.1:9876", "status": "0.0.0.0:8082"}
    assert _configuration(service())["listen"]["mqtt"] == "0.0.0.0:1883"


def test_it_knows_who_may_read_and_whose_tokens_count() -> None:
    assert _configuration(service())["auth"] == {"type": "None", "anonymousRead": True}
    told = _configuration(service(_KEYCLOAK, realm_ca=""))["auth"]
    keycloak = {"issuer": "https://id.example/realms/hamburg", "clientId": "sensorthings-hamburg-air"}
    assert told == {"type": "Keycloak", "anonymousRead": False, "keycloak": keycloak}


def test_passwords_are_looked_at_by_frost_server_which_no_url_tells_it() -> None:
    told = _configuration(service(BASIC))
    assert told["auth"] == {"type": "Basic", "anonymousRead": True}
    assert "publishing" not in told


def test_a_private_ca_is_handed_to_it() -> None:
    (made,) = mqttgate.build(service(_KEYCLOAK, realm_ca=_CA), WITH_REALM)
    (mount,) = mqttgate.container(service(_KEYCLOAK), WITH_REALM)["volumeMounts"]
    file = json.loads(made["data"]["gate.json"])["auth"]["keycloak"]["caFile"]
    assert file == f"{mount['mountPath']}/ca.crt"
    assert made["data"]["ca.crt"] == _CA


def test_it_is_not_made_while_the_realm_is_not_known() -> None:
    assert mqttgate.build(service(_KEYCLOAK, realm_ca=""), SETTINGS) == []
    assert mqttgate.build(service(_KEYCLOAK, realm_ca=None), WITH_REALM) == []
    assert mqttgate.annotations(service(_KEYCLOAK, realm_ca=None), WITH_REALM) == {}


def test_publishing_is_off_unless_it_is_asked_for() -> None:
    assert "publishing" not in _configuration(service())
    wanted = service({"mqtt": {"publishing": {"enabled": True, "perSecond": 5}}, "rootPath": "/sta"})
    told = _configuration(wanted)
    assert told["publishing"] == {"url": "http://air-http.hamburg.svc.cluster.local/sta/v1.1", "topicPrefix": "v1.1"}
    assert told["limits"] == {"packetBytes": 8092, "publishPerSecond": 5, "publishBurst": 20}


def test_pods_roll_with_its_configuration() -> None:
    before, after = (service({"mqtt": {"publishing": {"perSecond": each}}}) for each in (1, 2))
    assert mqttgate.annotations(before, SETTINGS) != mqttgate.annotations(after, SETTINGS)
