"""HorizontalPodAutoscalers: the load decides on the number of pods of a module, between the bounds of the spec.

Built where the spec asks for them, and not while the service is hibernated: an autoscaler wants at least one pod.
Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/.
"""

from typing import Final

from sensorthings_operator.api.modules import Autoscaling, Tier
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.http import COMPONENT as HTTP
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.mqtt import COMPONENT as MQTT
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

API_VERSION: Final = "autoscaling/v2"
KIND: Final = "HorizontalPodAutoscaler"

_HTTP_SCALE_DOWN: Final = {
    # Requests are short: a pod that goes harms nobody. Two minutes outlast the pauses
    # of clients that come once a minute.
    "stabilizationWindowSeconds": 120,
    "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}],
}
_MQTT_SCALE_DOWN: Final = {
    # Each pod that goes ends its clients' connections, and all of them come back at once: late, and one at a time.
    "stabilizationWindowSeconds": 300,
    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
}


def http(service: Service, _: OperatorSettings) -> list[Manifest]:
    """The HTTP module's autoscaler, where the spec asks for one."""
    return _build(service, HTTP, addresses.http_name(service), service.spec.http, _HTTP_SCALE_DOWN)


def mqtt(service: Service, _: OperatorSettings) -> list[Manifest]:
    """The MQTT module's autoscaler, where the spec asks for one."""
    return _build(service, MQTT, addresses.mqtt_name(service), service.spec.mqtt, _MQTT_SCALE_DOWN)


def _build(service: Service, component: str, name: str, tier: Tier, scale_down: Manifest) -> list[Manifest]:
    if tier.autoscaling is None or service.spec.hibernated:
        return []
    return [
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": metadata(service, component, name),
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": tier.autoscaling.min_replicas,
                "maxReplicas": tier.autoscaling.max_replicas,
                "metrics": [_cpu(f"frost-{component}", tier.autoscaling.target_cpu_utilization_percentage)],
                # Out as Kubernetes does by default: at once, twice the pods or four more in fifteen seconds.
                "behavior": {**_scale_up(tier.autoscaling), "scaleDown": scale_down},
            },
        }
    ]


def _scale_up(autoscaling: Autoscaling) -> Manifest:
    """Nothing where the spec says nothing: an API server before Kubernetes 1.33 refuses the field."""
    percent = autoscaling.scale_up_tolerance_percentage
    return {} if percent is None else {"scaleUp": {"tolerance": _quantity(percent)}}


def _quantity(percent: int) -> str:
    """As the API server writes it: in another form it would differ from what stands, at each look."""
    return str(percent // 100) if percent % 100 == 0 else f"{10 * percent}m"


def _cpu(container: str, percent: int) -> Manifest:
    """CPU of FROST-Server's own container.

    Of the whole pod it would be diluted by what a sidecar requests and hardly uses, and would fail altogether where
    somebody injects a sidecar without requests.
    """
    target = {"type": "Utilization", "averageUtilization": percent}
    return {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": container, "target": target},
    }
