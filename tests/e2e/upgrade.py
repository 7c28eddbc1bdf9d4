"""An upgrade of FROST-Server's images, as the operator's administrator does it: by the operator's settings.

There is one FROST-Server that can be had with both modules, so the other image is the same by another name: for
Kubernetes, and for everyone who uses the service, that is another image. Used by tests and a benchmark.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from localcluster import node
from localcluster.commands import run
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.plan import Cluster
    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_NAMESPACE: Final = "sensorthings-system"
_NAME: Final = "sensorthings-operator"
_CONFIG_MAP: Final = f"/api/v1/namespaces/{_NAMESPACE}/configmaps/{_NAME}"
_FILE: Final = "settings.yaml"
_MODULES: Final = {"http": "frostHttp", "mqtt": "frostMqtt"}
"""Part, and its image's name in the settings."""
_OTHER: Final = "-other"


@contextmanager
def other_images(cluster: Cluster, service: Service) -> Iterator[None]:
    """Both modules of a service run other images in the block, and the ones before again after it; each time Ready."""
    kubernetes = service.kubernetes
    before: dict[str, Any] = yaml.safe_load(kubernetes.get(_CONFIG_MAP)["data"][_FILE])
    images = {part: str(before["images"][setting]) for part, setting in _MODULES.items()}
    others = {part: f"{image}{_OTHER}" for part, image in images.items()}
    version = service.body["spec"]["version"]
    for part, image in images.items():
        _ctr(cluster, "tag", "--force", image.format(version=version), others[part].format(version=version))
    try:
        chosen = {setting: others[part] for part, setting in _MODULES.items()}
        _settle(kubernetes, {**before, "images": {**before["images"], **chosen}})
        _await_images(service, {part: image.format(version=version) for part, image in others.items()})
        yield
    finally:
        _settle(kubernetes, before)
        _await_images(service, {part: image.format(version=version) for part, image in images.items()})
        _ctr(cluster, "rm", *(image.format(version=version) for image in others.values()))


def _settle(kubernetes: Kubernetes, settings: dict[str, Any]) -> None:
    """Give the operator other settings, and start it anew as a change of the chart's values does."""
    data = json.dumps({"data": {_FILE: yaml.safe_dump(settings)}})
    kubernetes.run("patch", "--namespace", _NAMESPACE, f"configmap/{_NAME}", "--type=merge", f"--patch={data}")
    kubernetes.run("delete", "--namespace", _NAMESPACE, "pods", f"--selector=app.kubernetes.io/name={_NAME}")
    kubernetes.run("rollout", "status", "--namespace", _NAMESPACE, f"deployment/{_NAME}", "--timeout=120s")


def _await_images(service: Service, wanted: dict[str, str]) -> None:
    """Wait until no pod of the modules runs another one than wanted, also none on its way out, and all is Ready."""

    def there() -> bool:
        return all(_images(service, part) == {image} for part, image in wanted.items())

    eventually(f"pods of {wanted}", there)
    service.await_ready()


def _images(service: Service, part: str) -> set[str]:
    """What the containers of a module's pods run, sidecars aside."""
    pods = service.running_pods(part)
    containers = [each for pod in pods for each in pod["spec"]["containers"] if each["name"] == f"frost-{part}"]
    return {str(each["image"]) for each in containers}


def _ctr(cluster: Cluster, *arguments: str) -> None:
    containerd = Path(f"/proc/{node.daemon(cluster, 'containerd').pid}/exe").resolve()
    run(
        [
            *(containerd.with_name("ctr"), "--address", cluster.containerd_socket),
            *("--namespace", "k8s.io", "images", *arguments),
        ]
    )
