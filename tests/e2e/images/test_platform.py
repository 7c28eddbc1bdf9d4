"""Envoy, Prometheus and Keycloak from our images, on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.e2e.images.conftest import call, free_port
from tests.e2e.images.containers import await_true

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.images.containers import Container, Runtime

_KEYCLOAK_SECONDS = 120
_REALM = {"realm": "city", "enabled": True, "clients": [{"clientId": "frost", "secret": "secret"}]}


@pytest.mark.parametrize(("address", "code"), [("127.0.0.1", 0), ("nonsense", 1)])
def test_envoy_validates_a_configuration(runtime: Runtime, tmp_path: Path, address: str, code: int) -> None:
    listener = {
        "name": "mqtts",
        "address": {"socket_address": {"address": address, "port_value": 8883}},
        "filter_chains": [{"filters": []}],
    }
    file = tmp_path / "envoy.yaml"
    file.write_text(yaml.safe_dump({"static_resources": {"listeners": [listener]}}))
    command = ["envoy", "--mode", "validate", "--disable-hot-restart", "-c", "/mnt/envoy.yaml"]
    container = runtime.run("envoy", command=command, mounts={"/mnt/envoy.yaml": file})
    assert container.process.wait(timeout=30) == code, container.log


def test_prometheus_scrapes_and_answers(runtime: Runtime, tmp_path: Path) -> None:
    port = free_port()
    itself = {"job_name": "itself", "scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [itself]}))
    container = runtime.run(
        "prometheus",
        command=[
            *runtime.configuration("prometheus")["Entrypoint"],
            *runtime.configuration("prometheus")["Cmd"],
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        mounts={
            "/etc/prometheus/prometheus.yml": file,
            "/prometheus": runtime.writable("prometheus", tmp_path / "data"),
        },
    )
    root = f"http://127.0.0.1:{port}"
    await_true(lambda: call(f"{root}/-/ready").code == 200, "Prometheus is ready")

    def scraped() -> bool:
        answer = call(f"{root}/api/v1/query?query=up").json
        return [each["value"][1] for each in answer["data"]["result"]] == ["1"]

    await_true(scraped, "it has scraped itself")
    assert container.stop()[0] == 0, container.log


def _start_keycloak(runtime: Runtime, data: Path, port: int, management_port: int) -> Container:
    entry = runtime.configuration("keycloak")["Entrypoint"]
    environment = {
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": "admin",
        "KC_HOSTNAME": "https://id.city.example",
        "KC_HTTP_ENABLED": "true",
        "KC_HTTP_HOST": "127.0.0.1",
        "KC_HTTP_PORT": str(port),
        "KC_HTTP_MANAGEMENT_PORT": str(management_port),
        "KC_PROXY_HEADERS": "xforwarded",
    }
    return runtime.run(
        "keycloak",
        environment=environment,
        command=[*entry, "start", "--optimized", "--import-realm"],
        mounts={"/opt/keycloak/data": data},
    )


def test_keycloak_becomes_ready_and_issues_tokens(
    runtime: Runtime, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    port, management_port = free_port(), free_port()
    data = runtime.writable("keycloak", tmp_path / "data")
    (data / "import").mkdir()
    (data / "import" / "city.json").write_text(json.dumps(_REALM))
    container = _start_keycloak(runtime, data, port, management_port)
    management = f"http://127.0.0.1:{management_port}"

    def ready() -> bool:
        assert container.process.poll() is None, container.log
        return call(f"{management}/health/ready").code == 200

    # It writes a line into its log for each time that it is asked too early.
    seconds = await_true(ready, "Keycloak is ready", _KEYCLOAK_SECONDS, interval=0.5)
    record_property("ready_seconds", round(seconds, 1))
    record_property("resident_mib", round(container.resident_memory()))
    assert "jvm_memory_used_bytes" in call(f"{management}/metrics").body
    realms = f"http://127.0.0.1:{port}/realms"
    assert call(f"{realms}/city/.well-known/openid-configuration").json["issuer"] == (
        "https://id.city.example/realms/city"
    )
    form = "grant_type=password&client_id=admin-cli&username=admin&password=admin"
    answer = call(
        f"{realms}/master/protocol/openid-connect/token",
        "POST",
        form,
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.code == 200, answer
    assert answer.json["access_token"]
    code, seconds = container.stop()
    assert code in {0, 143}, container.log
    assert seconds < 15
