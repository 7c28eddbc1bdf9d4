"""Monitoring: a small Prometheus with the figures that the dashboard asks for, kept for three hours.

It scrapes what PodMonitors select, as it would with the Prometheus Operator, whose place is taken by a program of ours
that reads the few fields we use (see `pod_monitors`). The CRD of the PodMonitor is the Prometheus Operator's own.
"""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from localcluster import modules, reach
from localcluster.addons.base import AddOn, await_answer, await_rollout
from localcluster.errors import LocalClusterError
from localcluster.modules import Module
from localcluster.rendering import digest, manifests, render

if TYPE_CHECKING:
    from localcluster.addons.base import Context

_NAMESPACE = "monitoring"
_PROMETHEUS = "prometheus"
_PROGRAM = Path(__file__).with_name("pod_monitors.py")
_PROMETHEUS_OPERATOR = Module(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
)


def _pod_monitors(module: Path) -> list[dict[str, Any]]:
    file = module / "example" / "prometheus-operator-crd" / "monitoring.coreos.com_podmonitors.yaml"
    return [yaml.safe_load(file.read_text())]


def objects(image: str, operator_image: str, node_address: str) -> list[dict[str, Any]]:
    """All manifests but the CRD. The pod is made anew when what it is configured with changes."""
    configuration = render("prometheus.yml", node_address=node_address)
    program = _PROGRAM.read_text()
    return manifests(
        "monitoring.yaml",
        image=image,
        operator_image=operator_image,
        configuration=configuration,
        program=program,
        digest=digest(configuration + program),
    )


def _apply(context: Context) -> None:
    definitions = modules.extract("prometheus-operator-podmonitors", _PROMETHEUS_OPERATOR, _pod_monitors)
    address = str(context.cluster.node_address)
    mine = objects(context.image(_PROMETHEUS), context.image("operator"), address)
    context.kubectl.apply([*definitions, *mine])


def _settle(context: Context) -> None:
    """Until it has scraped the kubelet."""
    kubectl = context.kubectl
    await_rollout(kubectl, _NAMESPACE, _PROMETHEUS)
    reach.open_prometheus(context.cluster, kubectl)
    host = context.cluster.edge
    remedy = f"See {reach.prometheus_url(context.cluster)}/api/v1/targets."
    await_answer("Prometheus scrapes the kubelet", lambda: bool(query(host, 'up{job="cadvisor"} == 1')), remedy=remedy)


def query(host: str, expression: str) -> list[dict[str, Any]]:
    """The result of an instant query to the Prometheus at an address of the loopback, port 9090.

    Raises:
        LocalClusterError: Prometheus does not answer, or refuses the query.
    """
    connection = HTTPConnection(host, reach.PROMETHEUS_PORT, timeout=10)
    try:
        connection.request("GET", f"/api/v1/query?query={quote(expression)}")
        answer = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError) as error:
        raise LocalClusterError(f"Prometheus at {host}: {type(error).__name__}: {error}") from None
    finally:
        connection.close()
    if answer["status"] != "success":
        raise LocalClusterError(f"Prometheus refuses {expression!r}: {answer.get('error')}")
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


ADD_ON = AddOn(name=_NAMESPACE, images=(_PROMETHEUS,), apply=_apply, settle=_settle)
