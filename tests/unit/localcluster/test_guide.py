"""What is printed as next to type follows from where things are."""

from __future__ import annotations

import shlex
from typing import Any

from localcluster import endpoints
from localcluster.endpoints import Endpoints
from localcluster.guide import Programs, next_commands
from localcluster.plan import Cluster

_PROGRAMS = Programs("sensorthings", "python", "play.py")
_EXPOSED = Endpoints(
    kubeconfig="/s/kubeconfig",
    kubectl="/b/kubectl",
    sensorthings="https://iot.city.example/FROST-Server/v1.1",
    mqtt="mqtts://iot.city.example:8883",
    websocket="wss://iot.city.example/mqtt",
    address="127.30.0.1",
    ca="/s/a folder/ca.crt",
    keycloak="https://id.city.example",
    writer="/s/writer.json",
)


def _resource(exposure: str, **auth: Any) -> dict[str, Any]:
    urls = {
        "sensorthings": "https://iot.city.example/FROST-Server/v1.1",
        "mqtt": "mqtts://iot.city.example:8883",
        "mqtt-websocket": "wss://iot.city.example/mqtt",
    }
    return {
        "spec": {"exposure": {"type": exposure}, "auth": auth, "rootPath": "/FROST-Server"},
        "status": {"endpoints": [{"name": name, "url": url} for name, url in urls.items()]},
    }


def test_the_endpoints_of_a_service_are_those_of_its_status() -> None:
    assert endpoints.of_service(_resource("IngressNginx")) == {
        "sensorthings": _EXPOSED.sensorthings,
        "mqtt": _EXPOSED.mqtt,
        "websocket": _EXPOSED.websocket,
        "map": "",
    }
    assert endpoints.of_service({"spec": {}}) == {"sensorthings": "", "mqtt": "", "websocket": "", "map": ""}


def test_whether_a_service_is_exposed_and_asks_for_tokens_of_ours() -> None:
    assert endpoints.exposed(_resource("IngressNginx"))
    assert not endpoints.exposed(_resource("None"))
    assert endpoints.uses_realm(_resource("None", type="Keycloak", keycloak={"realm": "city"}))
    assert not endpoints.uses_realm(_resource("None", type="Keycloak", keycloak={"realm": "other"}))
    assert not endpoints.uses_realm(_resource("None", type="None"))


def test_a_service_that_is_published_is_on_the_clusters_own_ports() -> None:
    found = endpoints.published(Cluster("b", 2), _resource("None"))
    assert found == {
        "sensorthings": "http://127.0.0.1:8280/FROST-Server/v1.1",
        "mqtt": "mqtt://127.0.0.1:2083",
        "websocket": "ws://127.0.0.1:10076/mqtt",
    }


def test_commands_for_an_exposed_service_verify_and_write_with_a_token() -> None:
    commands = next_commands(_EXPOSED, _PROGRAMS, "sensorthings down")
    curls = [shlex.split(command) for command in commands if command.startswith("curl")]
    for words in curls:
        assert words[words.index("--cacert") + 1] == "/s/a folder/ca.crt"
        assert words[words.index("--resolve") + 1] == "iot.city.example:443:127.30.0.1"
        assert words[-1] == "https://iot.city.example/FROST-Server/v1.1/Things"
    (token,) = [command for command in commands if command.startswith("TOKEN=")]
    assert "--data @/s/writer.form https://id.city.example/realms/city/protocol/openid-connect/token" in token
    assert "--resolve id.city.example:443:127.30.0.1" in token
    (play,) = [shlex.split(command) for command in commands if "play.py" in command]
    assert play[play.index("--client-credentials") + 1] == "/s/writer.json"
    assert [play[at + 1] for at, word in enumerate(play) if word == "--mqtt"] == [_EXPOSED.mqtt, _EXPOSED.websocket]
    (observe,) = [shlex.split(command, comments=True) for command in commands if "observe" in command]
    assert "--client-credentials" not in observe
    assert observe[observe.index("--connect-to") + 1] == "127.30.0.1"
    assert commands[-1] == "sensorthings down"


def test_commands_for_a_service_that_is_published() -> None:
    plain = Endpoints(
        kubeconfig="", kubectl="", sensorthings="http://127.0.0.1:8080/F/v1.1", mqtt="mqtt://127.0.0.1:1883"
    )
    commands = next_commands(plain, _PROGRAMS, "")
    assert commands[0] == "curl http://127.0.0.1:8080/F/v1.1/Things"
    assert "python play.py --url http://127.0.0.1:8080/F/v1.1 --mqtt mqtt://127.0.0.1:1883 --duration 60" in commands
    assert not any("down" in command or "--cacert" in command for command in commands)


def test_a_service_that_is_reached_inside_a_cluster_only_is_forwarded() -> None:
    url = "http://traffic-lights-http.hamburg.svc.cluster.local/FROST-Server/v1.1"
    commands = next_commands(Endpoints(kubeconfig="", kubectl="", sensorthings=url), _PROGRAMS, "")
    assert commands[0] == "kubectl --namespace hamburg port-forward service/traffic-lights-http 8080:80"
    assert not any("curl" in command for command in commands)


def test_where_the_cluster_is_comes_before_what_asks_it() -> None:
    made = Endpoints(
        kubeconfig="/s/a folder/kubeconfig", kubectl="/parts/kubectl", sensorthings="http://127.0.0.1/v1.1"
    )
    commands = next_commands(made, _PROGRAMS, "")
    asked = [at for at, command in enumerate(commands) if "kubectl get" in command or "status" in command]
    assert commands.index("export KUBECONFIG='/s/a folder/kubeconfig' PATH=/parts:$PATH") < min(asked)


def test_a_bare_node_has_pods_to_look_at() -> None:
    commands = next_commands(Endpoints(kubeconfig="", kubectl=""), _PROGRAMS, "sensorthings down --name a")
    assert commands == ["kubectl get pods --all-namespaces", "sensorthings down --name a"]


def test_the_keys_of_the_json_are_part_of_the_interface() -> None:
    assert list(_EXPOSED.as_dict()) == [
        "kubeconfig",
        "kubectl",
        "sensorthings",
        "mqtt",
        "websocket",
        "map",
        "address",
        "ca",
        "keycloak",
        "prometheus",
        "writer",
    ]
