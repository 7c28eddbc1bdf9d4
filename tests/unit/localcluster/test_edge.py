"""Public names are asked at the cluster's own address, and trusted by its own authority only."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from localcluster import edge
from localcluster.errors import LocalClusterError
from localcluster.pki import Authority, Request
from localcluster.plan import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

_INDEX = 199  # of a loopback address that no cluster of this machine has


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Location", self.path)
        self.end_headers()
        self.wfile.write(b'{"host": "%s", "body": "%s"}' % (self.headers["Host"].encode(), body))

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def _serving(authority: Authority, address: str, host: str) -> Iterator[int]:
    """An HTTPS server with a certificate for a host; its port."""
    pair = authority.issue(Request("server", host, hosts=(host,)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = HTTPServer((address, 0), _Echo)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with TemporaryDirectory(prefix="sta-") as folder:
        made = Cluster("a", _INDEX, Path(folder))
        made.authority.write_bytes(Authority(tmp_path / "pki").certificate.read_bytes())
        yield made


def test_a_name_is_asked_at_the_address_of_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    with _serving(Authority(tmp_path / "pki"), cluster.edge, "id.city.example") as port:
        answer = edge.call(cluster, "POST", f"https://id.city.example:{port}/a?b=c", body="d=e")
    assert (answer.status, answer.location) == (201, "/a?b=c")
    assert answer.json() == {"host": f"id.city.example:{port}", "body": "d=e"}


@pytest.mark.parametrize(("folder", "host"), [("other", "id.city.example"), ("pki", "iot.city.example")])
def test_other_authorities_and_other_names_are_not_trusted(
    cluster: Cluster, tmp_path: Path, folder: str, host: str
) -> None:
    with (
        _serving(Authority(tmp_path / folder), cluster.edge, host) as port,
        pytest.raises(LocalClusterError, match="SSLCertVerificationError"),
    ):
        edge.call(cluster, "POST", f"https://id.city.example:{port}/", body="")


def test_nobody_there_is_an_error(cluster: Cluster) -> None:
    with pytest.raises(
        LocalClusterError, match=rf"GET https://id\.city\.example/ at {cluster.edge}: ConnectionRefused"
    ):
        edge.call(cluster, "GET", "https://id.city.example/")


def test_what_is_no_json_is_said() -> None:
    with pytest.raises(LocalClusterError, match="502 is no JSON: b'<html>'"):
        edge.Answer(502, "", b"<html>").json()
