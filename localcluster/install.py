"""Installs the operator and the example into a cluster, whatever made the cluster: all it needs is a kubeconfig."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from localcluster.commands import run
from localcluster.errors import LocalClusterError
from localcluster.imagestore import config_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from localcluster.kubectl import Kubectl

RELEASE = "sensorthings-operator"
NAMESPACE = "sensorthings-system"
IMAGES = ("operator", "frost-http", "frost-mqtt", "mqtt-gate", "portal", "mosquitto", "postgresql", "envoy")
"""Short names of the images that the operator and its services need."""
RESOURCE = "sensorthingsservices.sensorthings.city"
_READY_TIMEOUT = 600  # seconds: a database, a schema and two Java processes start on a small machine


@dataclass(frozen=True, slots=True)
class ServiceName:
    """Names a SensorThingsService."""

    namespace: str
    name: str


def _there(path: Path) -> Path:
    if not path.exists():
        raise LocalClusterError(f"There is no {path}.", "Call the command from a whole checkout of the repository.")
    return path


def by_short_name(images: Iterable[str]) -> dict[str, str]:
    """Full names of images by what stands between the last slash and the tag."""
    return {name.rpartition("/")[2].rpartition(":")[0]: name for name in images}


def chart_values(archives: Mapping[str, Path], frost: str) -> dict[str, Any]:
    """The chart's values that put the images which were built here in the place of upstream's.

    Args:
        archives: docker-archive files by image name.
        frost: The version of FROST-Server in the images; the operator puts a service's own in its place.

    Raises:
        LocalClusterError: An image that the operator needs was not built.
    """
    names = by_short_name(archives)
    absent = [name for name in IMAGES if name not in names]
    if absent:
        raise LocalClusterError(f"These images were not built: {', '.join(absent)}.", "See localcluster/images.")
    repository, _, tag = names["operator"].rpartition(":")
    return {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        # The tag stays the same when the operator's code changes; this rolls its pod all the same.
        "podAnnotations": {"sensorthings.city/image": config_digest(archives[names["operator"]])[:16]},
        "settings": {
            # IfNotPresent, not Never: an image that is missing then shows as such, as it does elsewhere.
            "imagePullPolicy": "IfNotPresent",
            "images": {
                "frostHttp": names["frost-http"].replace(frost, "{version}"),
                "frostMqtt": names["frost-mqtt"].replace(frost, "{version}"),
                "mqttGate": names["mqtt-gate"],
                "portal": names["portal"],
                "mosquitto": names["mosquitto"],
                "postgresql": names["postgresql"],
                "postgresqlPair": names["postgresql"],
                "envoy": names["envoy"],
            },
        },
    }


def install_crds(kubectl: Kubectl, folder: Path) -> None:
    """Apply the custom resource definitions and wait until the API server serves them."""
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(_there(folder)))
    kubectl.run("wait", "--for=condition=Established", "-f", str(folder), "--timeout=30s")


def install_operator(
    kubectl: Kubectl, helm: Path, chart: Path, values: Mapping[str, Any], file: Path | None = None
) -> None:
    """Install or upgrade the operator's Helm release and wait until the operator is available.

    Args:
        kubectl: Says into which cluster.
        helm: The helm command.
        chart: Folder of the chart.
        values: What differs from the chart's values.
        file: More values, which win.

    Raises:
        LocalClusterError: Helm fails, or the operator is not available in three minutes.
    """
    command: list[str | Path] = [helm, *kubectl.for_helm(), f"--namespace={NAMESPACE}"]
    _clear_interrupted(command)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", prefix="values-") as ours:
        yaml.safe_dump(dict(values), ours)
        ours.flush()
        given = [f"--values={path}" for path in (ours.name, file) if path]
        release: list[str | Path] = ["upgrade", "--install", RELEASE, _there(chart), "--create-namespace", *given]
        remedy = f"See `kubectl -n {NAMESPACE} describe pods`."
        run([*command, *release, "--wait", "--timeout=180s"], remedy=remedy)


def _clear_interrupted(command: list[str | Path]) -> None:
    """Remove a release whose installation was cut off: Helm refuses to go on with it. It holds no data of anybody."""
    releases = json.loads(run([*command, "list", "--pending", "--output=json"]))
    if any(release["name"] == RELEASE for release in releases):
        run([*command, "uninstall", RELEASE, "--wait"])


def documents_of(manifest: Path) -> list[dict[str, Any]]:
    """The objects of a manifest. Raises LocalClusterError when it is not there."""
    return [document for document in yaml.safe_load_all(_there(manifest).read_text()) if document]


def services_in(documents: Iterable[Mapping[str, Any]]) -> list[ServiceName]:
    """The SensorThingsServices among the objects of a manifest."""
    return [
        ServiceName(document["metadata"].get("namespace", "default"), document["metadata"]["name"])
        for document in documents
        if document["kind"] == "SensorThingsService"
    ]


def apply_services(kubectl: Kubectl, documents: Sequence[Mapping[str, Any]]) -> None:
    """Apply the objects of a manifest as a person would, in namespaces that are made where they are not there."""
    names = sorted({service.namespace for service in services_in(documents)})
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names)
    listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
    kubectl.run("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))


def read(kubectl: Kubectl, service: ServiceName) -> dict[str, Any]:
    """A SensorThingsService as it is now. Raises LocalClusterError when it is not there."""
    resource: dict[str, Any] = kubectl.get("-n", service.namespace, f"{RESOURCE}/{service.name}")
    return resource


def await_ready(kubectl: Kubectl, service: ServiceName, timeout: float = _READY_TIMEOUT) -> None:
    """Wait until a service is Ready, at most `timeout` seconds.

    Raises:
        LocalClusterError: It is not; the message holds the conditions that are not met.
    """
    where = ("-n", service.namespace, f"{RESOURCE}/{service.name}")
    try:
        kubectl.run("wait", "--for=condition=Ready", *where, f"--timeout={timeout:g}s", timeout=timeout + 30)
    except LocalClusterError as error:
        unmet = unmet_conditions(kubectl.get(*where)) or [error.problem]
        raise LocalClusterError(
            f"{service.namespace}/{service.name} is not Ready after {timeout:g} s:\n" + "\n".join(unmet),
            f"See `kubectl -n {service.namespace} get pods,events` and the operator's log in {NAMESPACE}.",
        ) from None


def unmet_conditions(resource: Mapping[str, Any]) -> list[str]:
    """One line for each condition that is False or Unknown, of those that are good when True."""
    conditions = resource.get("status", {}).get("conditions", [])
    # kstatus: these two are good when False.
    bad_when_true = {"Reconciling", "Stalled"}
    return [
        f"{condition['type']}={condition['status']} ({condition['reason']}): {condition.get('message', '')}"
        for condition in conditions
        if (condition["status"] == "True") == (condition["type"] in bad_when_true)
    ]
