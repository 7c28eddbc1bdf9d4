"""PodDisruptionBudgets: a drain takes the pods of a part one after the other."""

from sensorthings_operator.desired import addresses, http, mqtt, portal, reads
from sensorthings_operator.desired.metadata import Manifest, metadata, selector
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import Replicas, replicas


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """A budget for each part that may have two pods or more; a single pod has nobody to stand in for it.

    While an autoscaler has one pod, the budget lets it go (one may be unavailable): it never blocks a drain.
    """
    parts = (
        (http.COMPONENT, addresses.http_name(service), replicas(service, service.spec.http)),
        (reads.COMPONENT, reads.name(service), reads.replicas(service)),
        (mqtt.COMPONENT, addresses.mqtt_name(service), replicas(service, service.spec.mqtt)),
        (portal.COMPONENT, addresses.portal_name(service), portal.replicas(service)),
        (addresses.database_component(service), addresses.database_name(service), _instances(service)),
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
        for component, name, pods in parts
        if pods.most > 1
    ]


def _instances(service: Service) -> Replicas:
    number = 0 if service.spec.hibernated else addresses.instances(service)
    return Replicas(number, number)
