"""The PodMonitor, by which the Prometheus Operator has a service's metrics scraped, and FROST-Server's own metrics.

The gate in front of the MQTT module has metrics, and Envoy wherever it ends TLS there. FROST-Server has them since
2.6.0: no such version was ever run with these manifests. Fields:
https://prometheus-operator.dev/docs/api-reference/api/.
"""

from typing import Final

from sensorthings_operator.desired import addresses, envoy, mqttgate, sidecar
from sensorthings_operator.desired.metadata import COMPONENT_LABEL, SERVICE_LABEL, Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.versions import VERSIONS

KIND: Final = "PodMonitor"
_COMPONENT: Final = "monitoring"
_FROST_PORT: Final = 9400
"""FROST-Server's own default for metrics.endpointPort."""
_FROST_PORT_NAME: Final = "metrics"
_FROST_PATH: Final = "/metrics"


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The PodMonitor, where the spec asks for one."""
    if not service.spec.monitoring.pod_monitor:
        return []
    described = metadata(service, _COMPONENT, service.name)
    described["labels"] = {**settings.pod_monitor_labels, **described["labels"]}
    return [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": KIND,
            "metadata": described,
            "spec": {
                "selector": {"matchLabels": {SERVICE_LABEL: service.name}},
                "podTargetLabels": [SERVICE_LABEL, COMPONENT_LABEL],
                "podMetricsEndpoints": _endpoints(service),
            },
        }
    ]


def frost_settings(service: Service) -> dict[str, str]:
    """FROST-Server's settings of its own metrics; none where they are not asked for, or it has none."""
    if not frost_ports(service):
        return {}
    return {"metrics.useInternalHttpServer": "true", "metrics.endpointPort": str(_FROST_PORT)}


def frost_ports(service: Service) -> list[int]:
    """Ports on which FROST-Server tells its own metrics."""
    return [_FROST_PORT] if service.spec.monitoring.pod_monitor and _frost_has_metrics(service) else []


def frost_container_ports(service: Service) -> list[Manifest]:
    """The same as ports of FROST-Server's container."""
    return [{"name": _FROST_PORT_NAME, "containerPort": port, "protocol": "TCP"} for port in frost_ports(service)]


def _frost_has_metrics(service: Service) -> bool:
    version = VERSIONS.get(service.spec.version)
    return version is not None and version.metrics


def _endpoints(service: Service) -> list[Manifest]:
    """Those of each container that has such a port, among the pods of both modules."""
    endpoints = [{"port": mqttgate.STATUS_PORT_NAME, "path": mqttgate.METRICS_PATH}]
    if sidecar.is_wanted(service):
        endpoints.append({"port": addresses.STATUS_PORT_NAME, "path": envoy.METRICS_PATH})
    if frost_ports(service):
        endpoints.append({"port": _FROST_PORT_NAME, "path": _FROST_PATH})
    return endpoints
