"""The endpoint for harvesters: a Deployment and its Service that serve the documents, and the route that leads there.

Its pods have Envoy's image, which every cluster with a service has already; what Envoy answers is ``web``'s.
"""

from typing import Final

from sensorthings_operator.api.catalogue import Endpoint
from sensorthings_operator.desired import addresses, gateway, ingress, pods, sidecar
from sensorthings_operator.desired.catalogue import web
from sensorthings_operator.desired.metadata import CONFIGURATION_HASH_ANNOTATION, Manifest, digest, metadata, selector
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import Replicas, deployment

COMPONENT: Final = "catalogue"
_USER: Final = 65532
_SERVICE_PORT: Final = 80


def wanted(service: Service) -> Endpoint | None:
    """The endpoint that the spec asks for."""
    catalogue = service.spec.catalogue
    return None if catalogue is None else catalogue.endpoint


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """What serves the documents that are written; nothing where the spec asks for none."""
    endpoint = wanted(service)
    if endpoint is None:
        return []
    name = addresses.catalogue_name(service)
    described = metadata(service, COMPONENT, name)
    port = {"name": "http", "port": _SERVICE_PORT, "protocol": "TCP", "targetPort": "http"}
    number = 0 if service.spec.hibernated else 1
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": described,
            "spec": {"type": "ClusterIP", "selector": selector(service, COMPONENT), "ports": [port]},
        },
        deployment(
            service,
            COMPONENT,
            name,
            replicas=Replicas(number, number),
            # What Envoy starts with. The routes and the documents are taken up while it runs.
            annotations={CONFIGURATION_HASH_ANNOTATION: digest(web.bootstrap())},
            pod=pods.pod_spec(
                service,
                COMPONENT,
                user=_USER,
                service_account=name,
                containers=[_container(settings, endpoint)],
                volumes=[{"name": "documents", "configMap": {"name": name}}],
            ),
        ),
    ]


def route(service: Service, _: OperatorSettings) -> list[Manifest]:
    """The Ingress or HTTPRoute that leads there, beside the service's own."""
    endpoint = wanted(service)
    if endpoint is None or service.host_holder is not None:
        return []
    name, exposed, routes = addresses.catalogue_name(service), addresses.exposed(service), addresses.gateway(service)
    if exposed is not None:
        backend = {"service": {"name": name, "port": {"name": "http"}}}
        path = {"path": endpoint.path, "pathType": "Prefix", "backend": backend}
        return [ingress.of_paths(service, exposed, COMPONENT, name, annotations=ingress.REDIRECTED, path=path)]
    if routes is None:
        return []
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": endpoint.path}}],
        "backendRefs": [gateway.backend(name, _SERVICE_PORT)],
    }
    return [gateway.https_route(service, routes, COMPONENT, name, rule)]


def route_kind(service: Service) -> str | None:
    """Kind of what leads there; None where nothing does."""
    if wanted(service) is None or service.host_holder is not None:
        return None
    if addresses.exposed(service) is not None:
        return "Ingress"
    return None if addresses.gateway(service) is None else "HTTPRoute"


def _container(settings: OperatorSettings, endpoint: Endpoint) -> Manifest:
    answers = {"httpGet": {"path": f"{endpoint.path}/", "port": "http"}}
    configuration = f"{web.FOLDER}/{web.BOOTSTRAP}"
    return pods.container(
        "envoy",
        settings.images.envoy,
        settings,
        command=sidecar.command(configuration),
        ports=[{"name": "http", "containerPort": web.PORT, "protocol": "TCP"}],
        resources=pods.resources(endpoint.resources, cpu="10m", memory="96Mi"),
        readinessProbe={**answers, "periodSeconds": 3, "timeoutSeconds": 5},
        livenessProbe={**answers, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        lifecycle=pods.DRAINING,
        volumeMounts=[{"name": "documents", "mountPath": web.FOLDER, "readOnly": True}],
    )
