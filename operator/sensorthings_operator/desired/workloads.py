"""Deployments and StatefulSets around a pod. Used by the builders of the parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sensorthings_operator.api.base import GROUP, VolumeStorage
from sensorthings_operator.api.modules import Tier
from sensorthings_operator.desired.metadata import Manifest, labels, metadata, selector
from sensorthings_operator.desired.service import Service

MIN_REPLICAS_ANNOTATION: Final = f"{GROUP}/min-replicas"
"""On a Deployment whose number of pods is an autoscaler's: the fewest, with which it begins."""


@dataclass(frozen=True)
class Replicas:
    """How many pods a module has: a number, or bounds within which an autoscaler decides."""

    fewest: int
    most: int
    autoscaled: bool = False


def replicas(service: Service, tier: Tier) -> Replicas:
    """Pods that a module should have; none while the service is hibernated."""
    if service.spec.hibernated:
        return Replicas(0, 0)
    if tier.autoscaling is not None:
        return Replicas(tier.autoscaling.min_replicas, tier.autoscaling.max_replicas, autoscaled=True)
    number = 1 if tier.replicas is None else tier.replicas
    return Replicas(number, number)


def deployment(  # noqa: PLR0913 - the parts in which Deployments differ
    service: Service, component: str, name: str, *, replicas: Replicas, annotations: dict[str, str], pod: Manifest
) -> Manifest:
    """A Deployment that adds a new pod before it takes an old one away.

    With an autoscaler it says nothing about ``replicas``: whoever applies it sees to it that the number stands.
    """
    described = metadata(service, component, name)
    if replicas.autoscaled:
        described["annotations"] = {MIN_REPLICAS_ANNOTATION: str(replicas.fewest)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": described,
        "spec": {
            **({} if replicas.autoscaled else {"replicas": replicas.fewest}),
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": selector(service, component)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"metadata": {"labels": labels(service, component), "annotations": annotations}, "spec": pod},
        },
    }


def stateful_set(  # noqa: PLR0913 - the parts in which StatefulSets differ
    service: Service,
    component: str,
    name: str,
    *,
    replicas: int,
    annotations: dict[str, str],
    pod: Manifest,
    storage: VolumeStorage,
    more_labels: Mapping[str, str] = MappingProxyType({}),
) -> Manifest:
    """A StatefulSet whose pods each have a volume named ``data``, and labels beside those that select them."""
    described = {"labels": {**labels(service, component), **more_labels}, "annotations": annotations}
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.storage_class_name is not None:
        claim["storageClassName"] = storage.storage_class_name
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(service, component, name),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "serviceName": name,
            # A replica must come up while the first pod is down.
            "podManagementPolicy": "Parallel",
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": storage.when_deleted, "whenScaled": "Retain"},
            "selector": {"matchLabels": selector(service, component)},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": described, "spec": pod},
            "volumeClaimTemplates": [
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "data", "labels": selector(service, component)},
                    "spec": claim,
                }
            ],
        },
    }


def headless_service(  # noqa: PLR0913 - the parts in which Services differ
    service: Service,
    component: str,
    name: str,
    *,
    ports: list[Manifest],
    publish_not_ready: bool = False,
    more_labels: Mapping[str, str] = MappingProxyType({}),
) -> Manifest:
    """A Service without an address of its own: allocating one costs the API server time with every Service there is.

    It leads to the pods of a part that have the labels ``more_labels``, too.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(service, component, name),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": publish_not_ready,
            "selector": {**selector(service, component), **more_labels},
            "ports": ports,
        },
    }
