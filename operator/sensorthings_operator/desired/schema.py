"""The schema Job: brings the database's schema to the service's version before any pod of that version starts.

FROST-Server has no one-shot migration. It runs as a native sidecar with auto-update on; its startup probe asks for a
Thing, which is answered only when the schema is there, and Kubernetes starts the main container, which has nothing
left to do, only then. The Job is named by a hash of what it does, so that a new version, database or password is a new
Job.
"""

from typing import Any, Final

from sensorthings_operator.api.base import ResourceRequirements
from sensorthings_operator.desired import addresses, basic, frost, keycloak
from sensorthings_operator.desired.accounts import frost_account_name
from sensorthings_operator.desired.http import things_probe
from sensorthings_operator.desired.metadata import Manifest, digest, labels, metadata
from sensorthings_operator.desired.pods import container, pod_spec, resources
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

COMPONENT: Final = "schema"
MAIN_CONTAINER: Final = "migrated"
"""It starts only after the migration has passed its startup probe."""
DEADLINE_SECONDS: Final = 3600
"""How long a migration may take: an index over years of Observations is not built in a minute."""


def name(service: Service, settings: OperatorSettings) -> str:
    """Name of the Job that brings the schema to where this spec wants it."""
    return _name(service, _template(service, settings))


def _name(service: Service, template: Manifest) -> str:
    return f"{service.name}-schema-{digest(template)}"


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Job; nothing while the service is hibernated."""
    if service.spec.hibernated:
        return []
    template = _template(service, settings)
    return [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata(service, COMPONENT, _name(service, template)),
            "spec": {
                "backoffLimit": 3,
                "activeDeadlineSeconds": DEADLINE_SECONDS,
                "template": template,
            },
        }
    ]


def _template(service: Service, settings: OperatorSettings) -> dict[str, Any]:
    image = frost.image(settings.images.frost_http, service)
    pod = pod_spec(
        service,
        COMPONENT,
        user=frost.USER,
        service_account=frost_account_name(service),
        init_containers=[_migration(service, settings, image)],
        containers=[
            container(MAIN_CONTAINER, image, settings, command=["true"], resources=_SMALL),
        ],
        volumes=frost.volumes(service, settings),
        restart_policy="Never",
        # The migration is over when the sidecar is told to stop: there is nothing to wait for.
        grace_seconds=1,
    )
    return {
        "metadata": {
            "labels": labels(service, COMPONENT),
            "annotations": frost.template_annotations(service, settings),
        },
        "spec": pod,
    }


_SMALL: Final = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}


def _migration(service: Service, settings: OperatorSettings, image: str) -> Manifest:
    address = addresses.database_address(service, settings)
    module = {
        frost.DATABASE_URL: addresses.jdbc_url(address, patient=True),
        "bus.busImplementationClass": "de.fraunhofer.iosb.ilt.frostserver.messagebus.InternalMessageBus",
        "persistence.autoUpdateDatabase": "true",
        **keycloak.schema_settings(service),
        **basic.schema_settings(service),
    }
    probe = things_probe(service)
    headers = basic.schema_headers(service)
    if headers:
        probe["httpGet"]["httpHeaders"] = headers
    return container(
        "migrate",
        image,
        settings,
        restartPolicy="Always",
        env=frost.environment(service, settings, module, service.spec.http.settings),
        ports=[{"name": "http", "containerPort": addresses.HTTP_PORT, "protocol": "TCP"}],
        # Not those of the HTTP module: more memory for its pods is no reason to migrate again.
        resources=resources(ResourceRequirements(), cpu="250m", memory="768Mi"),
        startupProbe={
            **probe,
            "periodSeconds": 1,
            "timeoutSeconds": 30,
            "failureThreshold": DEADLINE_SECONDS,
        },
        volumeMounts=frost.mounts(service, settings),
    )
