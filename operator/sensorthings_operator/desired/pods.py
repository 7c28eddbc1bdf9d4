"""What every pod of a service shares: restricted security, spread over nodes, resources.

Used by the builders of workloads.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sensorthings_operator.api.base import ResourceRequirements
from sensorthings_operator.desired.metadata import Manifest, selector
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

TMP_VOLUME: Final[Manifest] = {"name": "tmp", "emptyDir": {}}
TMP_MOUNT: Final[Manifest] = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - a mount of the pod's own

DRAINING: Final[Manifest] = {"preStop": {"sleep": {"seconds": 10}}}
"""A pod still answers while others learn that it ends. ingress-nginx takes one change in 3.3 s (--sync-rate-limit), and
its workers look once a second: up to five seconds, and more where a reload comes between."""


def pod_spec(  # noqa: PLR0913 - the parts in which pods differ
    service: Service,
    component: str,
    *,
    user: int,
    service_account: str,
    containers: list[Manifest],
    volumes: list[Manifest],
    init_containers: list[Manifest] | None = None,
    grace_seconds: int = 30,
    restart_policy: str = "Always",
    api_token: bool = False,
    sysctls: Sequence[Manifest] = (),
) -> Manifest:
    """The spec of a pod that passes pod security ``restricted``, as ``user`` (uid and gid); few have an API token."""
    spec: Manifest = {
        "serviceAccountName": service_account,
        "automountServiceAccountToken": api_token,
        "enableServiceLinks": False,
        "restartPolicy": restart_policy,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": restricted(user) | ({"sysctls": [*sysctls]} if sysctls else {}),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector(service, component)},
            }
        ],
        "containers": containers,
        "volumes": volumes,
    }
    if init_containers:
        spec["initContainers"] = init_containers
    if service.spec.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret.name} for secret in service.spec.image_pull_secrets]
    return spec


def restricted(user: int) -> Manifest:
    """A pod's security context as ``restricted`` wants it, for this uid and gid."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container(name: str, image: str, settings: OperatorSettings, **fields: Any) -> Manifest:
    """A container without privileges and with a read-only root file system."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": settings.image_pull_policy,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **fields,
    }


def resources(wanted: ResourceRequirements, *, cpu: str, memory: str) -> Manifest:
    """Resources with defaults: an HPA needs requests, and a JVM a memory limit to size itself by.

    The memory limit follows the request, so that a pod is never killed for memory it was promised.
    No CPU limit by default: it slows the start of a JVM and every burst, and protects nobody where requests are honest.
    """
    requests = {"cpu": cpu, "memory": memory, **wanted.requests}
    return {"requests": requests, "limits": {"memory": requests["memory"], **wanted.limits}}


def env(values: Mapping[str, str]) -> list[Manifest]:
    """Environment variables in the order given."""
    return [{"name": name, "value": value} for name, value in values.items()]


def env_from_secret(name: str, secret: str, key: str) -> Manifest:
    """An environment variable whose value stays in its Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
