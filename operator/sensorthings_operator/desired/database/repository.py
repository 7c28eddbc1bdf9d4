"""What serves the volume with the backups: one pod, which the databases push to, and beside which backups are made.

A volume is on one node as a rule, and databases are on any: so they reach it through a pod. The Job that makes a backup
mounts the volume, too, and so runs on the node of that pod.
"""

from typing import Final

from sensorthings_operator.desired.database import names, pgbackrest
from sensorthings_operator.desired.metadata import Manifest, selector
from sensorthings_operator.desired.pods import TMP_MOUNT, TMP_VOLUME, container, pod_spec
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import headless_service, stateful_set

COMPONENT: Final = "repository"
_RESOURCES: Final = {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}
_SHUT_SECONDS: Final = 30


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """StatefulSet and Service; nothing where the backups lie elsewhere."""
    backup = pgbackrest.wanted(service)
    if backup is None or backup.storage.volume is None:
        return []
    name = pgbackrest.repository_name(service)
    pod = pod_spec(
        service,
        COMPONENT,
        user=names.USER,
        service_account=pgbackrest.name(service),
        containers=[_container(service, settings)],
        volumes=[TMP_VOLUME, *pgbackrest.repository_volumes(service)],
        grace_seconds=_SHUT_SECONDS,
    )
    ports = [{"name": "pgbackrest", "port": pgbackrest.PORT, "protocol": "TCP", "targetPort": "pgbackrest"}]
    return [
        headless_service(service, COMPONENT, name, ports=ports),
        stateful_set(
            service,
            COMPONENT,
            name,
            replicas=0 if service.spec.hibernated else 1,
            annotations={},
            pod=pod,
            storage=backup.storage.volume,
        ),
    ]


def beside(service: Service) -> Manifest:
    """Affinity of a pod that mounts the volume, too."""
    term = {
        "labelSelector": {"matchLabels": selector(service, COMPONENT)},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def claimed(service: Service) -> Manifest:
    """The volume, for a pod of another owner."""
    claim = f"data-{pgbackrest.repository_name(service)}-0"
    return {"name": "data", "persistentVolumeClaim": {"claimName": claim}}


MOUNT: Final = {"name": "data", "mountPath": pgbackrest.REPOSITORY_PATH}


def _container(service: Service, settings: OperatorSettings) -> Manifest:
    return container(
        "pgbackrest",
        settings.images.postgresql_pair,
        settings,
        command=pgbackrest.SERVE,
        ports=[{"name": "pgbackrest", "containerPort": pgbackrest.PORT, "protocol": "TCP"}],
        resources=_RESOURCES,
        readinessProbe={**answers(), "periodSeconds": 5, "timeoutSeconds": 5},
        livenessProbe={**answers(), "periodSeconds": 20, "timeoutSeconds": 10, "failureThreshold": 6},
        volumeMounts=[TMP_MOUNT, MOUNT, *pgbackrest.mounts(service)],
    )


def answers() -> Manifest:
    """Whether pgBackRest's server in a container answers."""
    ping = ["pgbackrest", f"--tls-server-port={pgbackrest.PORT}", "--log-level-console=warn", "server-ping"]
    return {"exec": {"command": [*ping, "127.0.0.1"]}}
