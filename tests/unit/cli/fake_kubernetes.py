"""A Kubernetes API in this process that lists objects, gets one, refuses, and goes away; and a kubeconfig for it."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

import yaml

from sensorthings_operator.cli.status.snapshot import CHILDREN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

TOKEN = "of-the-person"
_PATHS = {
    "/apis/sensorthings.city/v1alpha1/sensorthingsservices": "SensorThingsService",
    "/apis/sensorthings.city/v1alpha1/connectors": "Connector",
    "/api/v1/configmaps": "ConfigMap",
    "/api/v1/secrets": "Secret",
    **{f"{kind.prefix}/{kind.plural}": kind.name for kind in CHILDREN},
}


@dataclass
class Kubernetes:
    """Lists ``objects``, by label, field and namespace, page by page of two.

    ``answers``: statuses instead of a list, by kind, or by kind and namespace ("" for all of them).
    ``requests``: method and path with query.
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str | tuple[str, str], int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def kubeconfig(self, folder: Path, namespace: str | None = None) -> Path:
        """A kubeconfig with the contexts ``city``, which is the current one, and ``elsewhere``."""
        context = {"cluster": "city", "user": "person", **({"namespace": namespace} if namespace else {})}
        port = self._server.server_address[1]
        file = folder / "kubeconfig"
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "city",
                    "clusters": [
                        {"name": "city", "cluster": {"server": f"http://127.0.0.1:{port}"}},
                        {"name": "nowhere", "cluster": {"server": "http://127.0.0.1:9"}},
                    ],
                    "users": [{"name": "person", "user": {"token": TOKEN}}],
                    "contexts": [
                        {"name": "city", "context": context},
                        {"name": "elsewhere", "context": {"cluster": "nowhere", "user": "person"}},
                    ],
                }
            )
        )
        return file

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.requests.append(f"GET {self.path}")
                allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                status, body = fake.answer(self.path) if allowed else (401, {"message": "Unauthorized"})
                content = json.dumps(body).encode()
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Requests are in ``requests``."""

        return Handler

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and body of a GET."""
        url = urlsplit(path)
        query = dict(parse_qsl(url.query))
        before, _, after = url.path.partition("/namespaces/")
        namespace, _, rest = after.partition("/")
        plural, _, name = rest.partition("/")
        kind = _PATHS.get(f"{before}/{plural}" if after else url.path)
        status = self.answers.get((kind or "", namespace)) or self.answers.get(kind or "", 200 if kind else 404)
        if status != 200:
            return status, {"kind": "Status", "message": f"{kind} is refused here"}
        if name:
            there = next(iter(self._selected(kind or "", namespace, {"fieldSelector": f"metadata.name={name}"})), None)
            return (200, there) if there else (404, {"kind": "Status", "message": f"{name} not found"})
        found = [
            {key: value for key, value in live.items() if key != "kind"}
            for live in self._selected(kind or "", namespace, query)
        ]
        first = int(query.get("continue", 0))
        more = {"continue": str(first + 2)} if len(found) > first + 2 else {}
        return 200, {"kind": f"{kind}List", "metadata": more, "items": found[first : first + 2]}

    def _selected(self, kind: str, namespace: str, query: dict[str, str]) -> Iterable[dict[str, Any]]:
        label, _, value = query.get("labelSelector", "").partition("=")
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        for live in self.objects:
            metadata = live["metadata"]
            labels = metadata.get("labels", {})
            wrong = (
                live["kind"] != kind,
                bool(namespace) and metadata["namespace"] != namespace,
                bool(label) and labels.get(label, "") != (value or labels.get(label)),
                bool(name) and name != "type=Warning" and metadata["name"] != name,
                name == "type=Warning" and live.get("type") != "Warning",
            )
            if not any(wrong):
                yield live
