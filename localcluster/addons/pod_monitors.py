"""Tells Prometheus which pods to scrape: those that PodMonitors select.

It stands in for the Prometheus Operator, and for the service discovery that Debian's Prometheus is built without. Of a
PodMonitor it reads `selector`, `namespaceSelector` and `podTargetLabels`, and of its endpoints `port`, `portNumber`,
`path`, `scheme` and `honorLabels`; the rest it passes over. It runs beside Prometheus, in the operator's image, as one
file that `monitoring` mounts: nothing else of this package is there, so it needs Python only.

Sources: https://prometheus-operator.dev/docs/api-reference/api/ and https://prometheus.io/docs/prometheus/latest/http_sd/.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_LISTEN: Final = ("127.0.0.1", 8081)
_API: Final = "kubernetes.default.svc"
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT: Final = 5.0  # seconds
_MONITORS: Final = "/apis/monitoring.coreos.com/v1/podmonitors"
_PODS: Final = "/api/v1/pods"
Object = dict[str, Any]


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a metav1.LabelSelector selects what has these labels."""
    equal = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    return equal and all(_holds(each, labels) for each in selector.get("matchExpressions", []))


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", [])
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]


def _in_namespace(monitor: Object, namespace: str) -> bool:
    where = monitor["spec"].get("namespaceSelector", {})
    return bool(where.get("any")) or namespace in (where.get("matchNames") or [monitor["metadata"]["namespace"]])


def _ports(pod: Object, endpoint: Object) -> Iterator[tuple[str, int]]:
    """Container and number of the ports that an endpoint means; a sidecar stands among the init containers."""
    for container in (*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]):
        for port in container.get("ports", []):
            number = port["containerPort"]
            if port.get("name") == endpoint["port"] if "port" in endpoint else number == endpoint.get("portNumber"):
                yield container["name"], number


def _group(monitor: Object, endpoint: Object, pod: Object, container: str, port: int) -> Object:
    """One target with the labels that the Prometheus Operator gives it."""
    metadata = pod["metadata"]
    labels = metadata.get("labels", {})
    copied = {
        re.sub(r"[^a-zA-Z0-9_]", "_", name): labels[name]
        for name in monitor["spec"].get("podTargetLabels", [])
        if name in labels
    }
    return {
        "targets": [f"{pod['status']['podIP']}:{port}"],
        "labels": {
            **copied,
            "job": f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}",
            "namespace": metadata["namespace"],
            "pod": metadata["name"],
            "container": container,
            "endpoint": endpoint.get("port", str(port)),
            "__metrics_path__": endpoint.get("path", "/metrics"),
            "__scheme__": endpoint.get("scheme", "http"),
        },
    }


def targets(monitors: Iterable[Object], pods: list[Object], *, honor_labels: bool) -> list[Object]:
    """What Prometheus should scrape, as it takes it over HTTP.

    Args:
        monitors: The PodMonitors.
        pods: All pods; those that have ended, or have no address yet, are left out.
        honor_labels: Only endpoints that say so, or only those that do not: Prometheus knows it for whole jobs.
    """
    running = [
        pod
        for pod in pods
        if pod.get("status", {}).get("podIP") and pod["status"].get("phase") not in {"Succeeded", "Failed"}
    ]
    return [
        _group(monitor, endpoint, pod, container, port)
        for monitor in monitors
        for pod in running
        if _in_namespace(monitor, pod["metadata"]["namespace"])
        and selects(monitor["spec"]["selector"], pod["metadata"].get("labels", {}))
        for endpoint in monitor["spec"].get("podMetricsEndpoints", [])
        if bool(endpoint.get("honorLabels")) is honor_labels
        for container, port in _ports(pod, endpoint)
    ]


def _items(path: str) -> list[Object]:
    """A list of the API server's. Raises OSError when it does not give it."""
    token = (_ACCOUNT / "token").read_text()
    trust = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    connection = HTTPSConnection(_API, timeout=_TIMEOUT, context=trust)
    try:
        # Version 0: out of the API server's cache.
        connection.request("GET", f"{path}?resourceVersion=0", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        message = f"GET {path}: {answer.status} {body[:200].decode(errors='replace')}"
        raise OSError(message)
    items: list[Object] = json.loads(body)["items"]
    return items


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """`/?honorLabels=true` or false: the targets. On an error Prometheus keeps those that it has."""
        honor_labels = parse_qs(urlsplit(self.path).query).get("honorLabels") == ["true"]
        try:
            found = targets(_items(_MONITORS), _items(_PODS), honor_labels=honor_labels)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{error}\n")
            self.send_error(502)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None:
        """Nothing for each request."""


if __name__ == "__main__":
    HTTPServer(_LISTEN, _Answers).serve_forever()
