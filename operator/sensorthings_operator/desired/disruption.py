"""PodDisruptionBudgets: a drain takes the pods of a module one after the other."""

from sensorthings_operator.desired import addresses, http, mqtt
from sensorthings_operator.desired.metadata import Manifest, metadata, selector
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import replicas


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """A budget for each module that may have two pods or more; a single pod has nobody to stand in for it.

    While an autoscaler has one pod, the budget lets it go (one may be unavailable): it never blocks a drain.
    """
    tiers = (
        (http.COMPONENT, addresses.http_name(service), service.spec.http),
        (mqtt.COMPONENT, addresses.mqtt_name(service), service.spec.mqtt),
    )
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(service, component, name),
            "spec": {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": selector(service, component)},
            },
        }
        for component, name, tier in tiers
        if replicas(service, tier).most > 1
    ]
