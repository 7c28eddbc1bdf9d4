"""Objects of a cluster as the API server lists them: a service that is well, and one that is not.

Used by the tests of ``sensorthings status``.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
OLD = "2026-03-01T09:58:00Z"
RECENT = "2026-03-01T11:59:30Z"
NAMESPACE, NAME = "hamburg", "traffic-lights"
GENERATION = 3

WELL = {
    "Ready": ("ServiceReady", "HTTP and MQTT answer as the spec wants"),
    "Reconciling": ("Settled", "nothing is on its way"),
    "Stalled": ("NothingInTheWay", "nothing waits for somebody to act"),
    "DatabaseReachable": ("DatabaseAnswers", "PostgreSQL 15.13 with PostGIS 3.3 takes writes"),
    "SchemaUpToDate": ("SchemaComplete", "the schema is that of FROST-Server 2.0.0"),
    "BusConnected": ("BusReady", "the bus takes connections"),
    "HTTPAvailable": ("HTTPReady", "2 of 2 pods answer"),
    "MQTTAvailable": ("MQTTReady", "1 of 1 pods answer"),
    "AutoscalingActive": ("AutoscalerWorks", "the autoscaler of HTTP works"),
    "RoutesProgrammed": ("RoutesReady", "ingress-nginx has taken up the routes"),
    "CertificateReady": ("CertificateIssued", "valid until 2026-05-30"),
    "AuthConfigured": ("ClientReady", "client sensorthings-hamburg-traffic-lights is as it should be"),
}


def metadata(name: str, component: str | None = None, **more: Any) -> Object:
    labels = {"sensorthings.city/service": NAME, "app.kubernetes.io/component": component} if component else {}
    return {"name": name, "namespace": NAMESPACE, "creationTimestamp": OLD, "labels": labels, **more}


def condition(type_: str, status: str, reason: str, message: str, **more: Any) -> Object:
    return {
        "type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": OLD,
        "observedGeneration": GENERATION, **more,
    }  # fmt: skip


def service(**conditions: tuple[str, str, str]) -> Object:
    """A service that is well, but for these conditions: status, reason and message by type."""
    judged = {
        type_: ("False" if type_ in {"Reconciling", "Stalled"} else "True", *told) for type_, told in WELL.items()
    }
    return {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "SensorThingsService",
        "metadata": metadata(NAME, uid="1", generation=GENERATION),
        "spec": {
            "host": "iot.city.example",
            "version": "2.0.0",
            "database": {"type": "Managed"},
            "http": {"autoscaling": {"minReplicas": 1, "maxReplicas": 4}},
            "exposure": {"type": "IngressNginx"},
            "certificate": {"issuerRef": {"kind": "ClusterIssuer", "name": "city-ca"}},
            "auth": {"type": "Keycloak", "anonymousRead": True, "keycloak": {"realm": "city"}},
        },
        "status": {
            "observedGeneration": GENERATION,
            "version": "2.0.0",
            "conditions": [condition(type_, *told) for type_, told in {**judged, **conditions}.items()],
            "endpoints": [
                {"name": "sensorthings", "url": "https://iot.city.example/FROST-Server/v1.1"},
                {"name": "mqtt", "url": "mqtts://iot.city.example:8883"},
                {"name": "mqtt-websocket", "url": "wss://iot.city.example/mqtt"},
            ],
        },
    }


def workload(kind: str, component: str, suffix: str, ready: int = 1, wanted: int = 1) -> Object:
    spec: Object = {"replicas": wanted}
    if kind == "StatefulSet":
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    return {
        "kind": kind,
        "metadata": metadata(f"{NAME}-{suffix}", component),
        "spec": spec,
        "status": {"replicas": wanted, "readyReplicas": ready, "updatedReplicas": wanted},
    }


def pod(component: str, name: str, **status: Any) -> Object:
    ready = condition("Ready", "True", "", "")
    running = {"name": f"frost-{component}", "image": "frost:2", "ready": True, "started": True, "restartCount": 0}
    return {
        "kind": "Pod",
        "metadata": metadata(f"{NAME}-{name}", component),
        "spec": {"nodeName": "city", "containers": [{"name": running["name"]}]},
        "status": {"phase": "Running", "conditions": [ready], "containerStatuses": [running], **status},
    }


def schema_job(type_: str | None = "Complete", message: str = "") -> Object:
    conditions = [condition(type_, "True", "", message)] if type_ else []
    return {
        "kind": "Job",
        "metadata": metadata(f"{NAME}-schema-0a1b2c3d4e", "schema"),
        "spec": {"completions": 1},
        "status": {"conditions": conditions},
    }


def autoscaler(current: int = 2, cpu: int | None = 35) -> Object:
    measured = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": cpu}}}]
    target = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    return {
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(f"{NAME}-http", "http"),
        "spec": {
            "minReplicas": 1,
            "maxReplicas": 4,
            "scaleTargetRef": {"kind": "Deployment", "name": f"{NAME}-http"},
            "metrics": [{"type": "Resource", "resource": target}],
        },
        "status": {
            "currentReplicas": current,
            "desiredReplicas": current,
            "currentMetrics": None if cpu is None else measured,
            "conditions": [condition("ScalingActive", "True", "ValidMetricFound", "")],
        },
    }


def ingress(suffix: str, path: str, *, address: str | None = "10.96.0.80") -> Object:
    return {
        "kind": "Ingress",
        "metadata": metadata(f"{NAME}-{suffix}", "http"),
        "spec": {"rules": [{"host": "iot.city.example", "http": {"paths": [{"path": path}]}}]},
        "status": {"loadBalancer": {"ingress": [{"ip": address}] if address else None}},
    }


def certificate(**status: Any) -> Object:
    return {
        "kind": "Certificate",
        "metadata": metadata(NAME, "certificate"),
        "spec": {"dnsNames": ["iot.city.example"]},
        "status": {
            "notAfter": "2026-05-30T09:58:00Z",
            "renewalTime": "2026-04-30T09:58:00Z",
            "conditions": [condition("Ready", "True", "Ready", "up to date")],
            **status,
        },
    }


def event(kind: str, name: str, reason: str, message: str, **more: Any) -> Object:
    return {
        "kind": "Event",
        "metadata": {"name": f"{name}.1", "namespace": NAMESPACE, "creationTimestamp": OLD},
        "type": "Warning",
        "involvedObject": {"kind": kind, "name": name, "namespace": NAMESPACE},
        "reason": reason,
        "message": message,
        "lastTimestamp": RECENT,
        "count": 1,
        **more,
    }


def healthy() -> list[Object]:
    """A service with all its parts, exposed, and well."""
    done = pod("schema", "schema-0a1b2c3d4e-kx7wp", phase="Succeeded", conditions=[])
    done["metadata"]["labels"]["batch.kubernetes.io/job-name"] = f"{NAME}-schema-0a1b2c3d4e"
    return [
        service(),
        workload("StatefulSet", "database", "db"),
        pod("database", "db-0"),
        workload("StatefulSet", "bus", "bus"),
        pod("bus", "bus-0"),
        schema_job(),
        done,
        workload("Deployment", "http", "http", 2, 2),
        pod("http", "http-6d5f7c8b9f-7wq2x"),
        pod("http", "http-6d5f7c8b9f-zk4vd"),
        workload("Deployment", "mqtt", "mqtt"),
        pod("mqtt", "mqtt-7b9c6d4f5d-4x8mz"),
        autoscaler(),
        ingress("http", "/FROST-Server"),
        ingress("mqtt-websocket", "/mqtt"),
        certificate(),
    ]


def troubled() -> list[Object]:
    """The same service with an image that can't be pulled, a database that was killed, and no certificate."""
    pulling = "pod traffic-lights-http-59c7d9c7d4-h2w8k: container frost-http, image registry.city.example/frost:2.1.0"
    image = 'Back-off pulling image "registry.city.example/frost:2.1.0"'
    issuing = "ClusterIssuer city-ca is not there: create it, or name another in spec.certificate.issuerRef"
    broken = service(
        Ready=("False", "ImagePullBackOff", f"HTTPAvailable: {pulling}: {image}"),
        Reconciling=("True", "ImagePullBackOff", f"HTTPAvailable: {pulling}: {image}"),
        HTTPAvailable=("False", "ImagePullBackOff", f"{pulling}: {image}"),
        MQTTAvailable=("False", "MQTTStarting", "no pod of the MQTT module answers yet"),
        CertificateReady=("False", "IssuerMissing", issuing),
        RoutesProgrammed=("False", "RoutesWaiting", "the routes wait for the certificate"),
    )
    waiting = pod("http", "http-59c7d9c7d4-h2w8k", phase="Pending", conditions=[condition("Ready", "False", "", "")])
    waiting["status"]["containerStatuses"][0] |= {
        "ready": False,
        "started": False,
        "image": "registry.city.example/frost:2.1.0",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": image}},
    }
    killed = pod("database", "db-0")
    killed["status"]["containerStatuses"][0] |= {"restartCount": 3, "lastState": {"terminated": {
        "exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-03-01T11:57:00Z"
    }}}  # fmt: skip
    starting = pod("mqtt", "mqtt-7b9c6d4f5d-4x8mz", conditions=[
        condition("Ready", "False", "ContainersNotReady", "", lastTransitionTime=RECENT)
    ])  # fmt: skip
    starting["status"]["containerStatuses"][0] |= {"ready": False, "started": False}
    starting["metadata"]["creationTimestamp"] = RECENT
    kept = [
        live
        for live in healthy()
        if live["metadata"].get("labels", {}).get("app.kubernetes.io/component") in {"bus", "schema"}
    ]
    return [
        broken,
        *kept,
        workload("StatefulSet", "database", "db"),
        killed,
        workload("Deployment", "http", "http", 0, 1),
        waiting,
        workload("Deployment", "mqtt", "mqtt", 0, 1),
        starting,
        autoscaler(1, None),
        ingress("http", "/FROST-Server", address=None),
        certificate(notAfter=None, renewalTime=None, conditions=[condition("Ready", "False", "DoesNotExist", "")]),
        event("Pod", f"{NAME}-http-59c7d9c7d4-h2w8k", "Failed", f"Failed to pull image: {image}", count=7),
        event("Pod", f"{NAME}-mqtt-7b9c6d4f5d-4x8mz", "Unhealthy", "Startup probe failed: connection refused"),
    ]


def renamed(objects: list[Object], name: str, namespace: str) -> list[Object]:
    """The same objects of another service."""
    others = copy.deepcopy(objects)
    for live in others:
        live["metadata"]["namespace"] = namespace
        live["metadata"]["name"] = live["metadata"]["name"].replace(NAME, name)
        if "sensorthings.city/service" in live["metadata"].get("labels", {}):
            live["metadata"]["labels"]["sensorthings.city/service"] = name
    return others
