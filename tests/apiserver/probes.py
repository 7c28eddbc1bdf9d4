"""An object of each kind that the operator makes: as little as it takes, and what somebody else changes on it.

Used by ``test_ownership``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tests.unit.api.examples import SMALL_SERVICE, Manifest, patched

_LABELS: Final = {"app": "probe"}
_POD: Final = {
    "metadata": {"labels": _LABELS},
    "spec": {"containers": [{"name": "probe", "image": "example.org/probe:1"}]},
}
_PORT: Final = {"name": "probe", "port": 80, "protocol": "TCP"}
_BACKEND: Final = {"service": {"name": "probe", "port": {"number": 80}}}
_OTHER_IMAGE: Final[Manifest] = {
    "spec": {"template": {"spec": {"containers": [{"name": "probe", "image": "example.org/other:1"}]}}}
}
_IMAGE: Final = "spec.template.spec.containers[0].image"

_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Probe:
    """A kind."""

    api_version: str
    fields: Manifest
    change: Manifest
    """A merge patch."""
    path: str
    """Of the field that it changes, as ``lost_fields`` names it."""


PROBES: Final = {
    "ConfigMap": Probe("v1", {"data": {"key": "ours", "kept": "1"}}, {"data": {"key": "theirs"}}, "data.key"),
    "Secret": Probe("v1", {"data": {"key": "b3Vycw==", "kept": ""}}, {"data": {"key": "dGhlaXJz"}}, "data.key"),
    "Service": Probe(
        "v1",
        {"spec": {"selector": _LABELS, "ports": [_PORT]}},
        {"spec": {"ports": [{**_PORT, "name": "other"}]}},
        "spec.ports[0].name",
    ),
    "ServiceAccount": Probe(
        "v1",
        {"automountServiceAccountToken": False},
        {"automountServiceAccountToken": True},
        "automountServiceAccountToken",
    ),
    "Deployment": Probe(
        "apps/v1",
        {"spec": {"replicas": 0, "selector": {"matchLabels": _LABELS}, "template": _POD}},
        _OTHER_IMAGE,
        _IMAGE,
    ),
    "StatefulSet": Probe(
        "apps/v1",
        {"spec": {"serviceName": "probe", "replicas": 0, "selector": {"matchLabels": _LABELS}, "template": _POD}},
        _OTHER_IMAGE,
        _IMAGE,
    ),
    "Job": Probe(
        "batch/v1",
        {
            "spec": {
                "suspend": True,
                "parallelism": 1,
                "template": patched(_POD, {"spec": {"restartPolicy": "Never"}}),
            }
        },
        {"spec": {"parallelism": 2}},
        "spec.parallelism",
    ),
    "CronJob": Probe(
        "batch/v1",
        {
            "spec": {
                "schedule": "0 0 1 1 *",
                "jobTemplate": {
                    "spec": {"template": patched(_POD, {"spec": {"restartPolicy": "Never"}})},
                },
            }
        },
        {"spec": {"schedule": "0 0 2 1 *"}},
        "spec.schedule",
    ),
    "PodDisruptionBudget": Probe(
        "policy/v1",
        {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": _LABELS}}},
        {"spec": {"maxUnavailable": 2}},
        "spec.maxUnavailable",
    ),
    "HorizontalPodAutoscaler": Probe(
        "autoscaling/v2",
        {"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "no"}}},
        {"spec": {"maxReplicas": 4}},
        "spec.maxReplicas",
    ),
    "Ingress": Probe(
        "networking.k8s.io/v1",
        {"spec": {"defaultBackend": _BACKEND, "ingressClassName": "ours"}},
        {"spec": {"ingressClassName": "theirs"}},
        "spec.ingressClassName",
    ),
    "NetworkPolicy": Probe(
        "networking.k8s.io/v1",
        {"spec": {"podSelector": {"matchLabels": _LABELS}, "policyTypes": ["Ingress"], "ingress": []}},
        {"spec": {"policyTypes": ["Ingress", "Egress"]}},
        "spec.policyTypes",
    ),
    "Role": Probe(
        f"{_RBAC}/v1",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]},
        "rules",
    ),
    # Its role can't be changed, only its subjects.
    "RoleBinding": Probe(
        f"{_RBAC}/v1",
        {
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": "probe"},
            "subjects": [{"kind": "ServiceAccount", "name": "ours", "namespace": "default"}],
        },
        {"subjects": [{"kind": "ServiceAccount", "name": "theirs", "namespace": "default"}]},
        "subjects",
    ),
    "SensorThingsService": Probe(
        SMALL_SERVICE["apiVersion"],
        {"spec": {**SMALL_SERVICE["spec"], "rootPath": "/ours"}},
        {"spec": {"rootPath": "/theirs"}},
        "spec.rootPath",
    ),
}
"""By kind: those that are watched, Secrets, and a custom resource."""


def probe(kind: str, name: str, patch: Manifest | None = None, **metadata: Any) -> Manifest:
    """A manifest, under a merge patch; labels and annotations as everything of the operator's has."""
    marks = {"ours": "1", "kept": "1"}
    described = {"name": name, "labels": marks, "annotations": marks, **metadata}
    whole = {"apiVersion": PROBES[kind].api_version, "kind": kind, "metadata": described, **PROBES[kind].fields}
    return dict(patched(whole, patch or {}))
