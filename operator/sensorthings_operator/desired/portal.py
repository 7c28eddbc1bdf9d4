"""The live map page: a ConfigMap, a Deployment and its Service, and the route that leads to the page.

A small server of this repository (``portal/``) hands out the page. It asks nobody anything: browsers read the service's
data themselves, on the same host.
"""

import json
from typing import Any, Final
from urllib.parse import urlsplit

from sensorthings_operator.api.portal import Portal
from sensorthings_operator.desired import addresses, gateway, ingress, pods
from sensorthings_operator.desired.catalogue import requests
from sensorthings_operator.desired.metadata import CONFIGURATION_HASH_ANNOTATION, Manifest, digest, metadata, selector
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import Replicas, deployment

COMPONENT: Final = "portal"
PORT: Final = 8080
_USER: Final = 65532
_SERVICE_PORT: Final = 80
_CONFIG_PATH: Final = "/etc/sensorthings/portal"
_CONFIG: Final = "portal.json"
_PAGE: Final = 100
"""Things in one answer: few enough that the first are on the map soon."""


def wanted(service: Service) -> Portal | None:
    """The page that the spec asks for."""
    return service.spec.portal


def replicas(service: Service) -> Replicas:
    """Pods that should be there; none while the service is hibernated."""
    portal = wanted(service)
    number = 0 if portal is None or service.spec.hibernated else portal.replicas
    return Replicas(number, number)


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """What serves the page; nothing where the spec asks for none."""
    portal = wanted(service)
    if portal is None:
        return []
    data = {_CONFIG: json.dumps(_configuration(service, settings, portal), indent=1, ensure_ascii=False) + "\n"}
    port = {"name": "http", "port": _SERVICE_PORT, "protocol": "TCP", "targetPort": "http"}
    described = metadata(service, COMPONENT, addresses.portal_name(service))
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": data},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": described,
            "spec": {"type": "ClusterIP", "selector": selector(service, COMPONENT), "ports": [port]},
        },
        deployment(
            service,
            COMPONENT,
            addresses.portal_name(service),
            replicas=replicas(service),
            # The server reads it at its start.
            annotations={CONFIGURATION_HASH_ANNOTATION: digest(data)},
            pod=pods.pod_spec(
                service,
                COMPONENT,
                user=_USER,
                service_account=addresses.portal_name(service),
                containers=[_container(settings, portal)],
                volumes=[{"name": "configuration", "configMap": {"name": addresses.portal_name(service)}}],
            ),
        ),
    ]


def route(service: Service, _: OperatorSettings) -> list[Manifest]:
    """The Ingress or HTTPRoute that leads to the page, beside the service's own."""
    portal = wanted(service)
    if portal is None or service.host_holder is not None:
        return []
    name, exposed, routes = addresses.portal_name(service), addresses.exposed(service), addresses.gateway(service)
    if exposed is not None:
        backend = {"service": {"name": name, "port": {"name": "http"}}}
        path = {"path": portal.path, "pathType": "Prefix", "backend": backend}
        return [ingress.of_paths(service, exposed, COMPONENT, name, annotations=ingress.REDIRECTED, path=path)]
    if routes is None:
        return []
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": portal.path}}],
        "backendRefs": [gateway.backend(name, _SERVICE_PORT)],
    }
    return [gateway.https_route(service, routes, COMPONENT, name, rule)]


def route_kind(service: Service) -> str | None:
    """Kind of what leads to the page; None where nothing may."""
    if wanted(service) is None or service.host_holder is not None:
        return None
    return "HTTPRoute" if addresses.gateway(service) is not None else "Ingress"


def _container(settings: OperatorSettings, portal: Portal) -> Manifest:
    answers = {"httpGet": {"path": f"{portal.path}/", "port": "http"}}
    return pods.container(
        "portal",
        settings.images.portal,
        settings,
        args=["--config", f"{_CONFIG_PATH}/{_CONFIG}"],
        ports=[{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        resources=pods.resources(portal.resources, cpu="10m", memory="32Mi"),
        readinessProbe={**answers, "periodSeconds": 3, "timeoutSeconds": 5},
        livenessProbe={**answers, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        lifecycle=pods.DRAINING,
        volumeMounts=[{"name": "configuration", "mountPath": _CONFIG_PATH, "readOnly": True}],
    )


def _configuration(service: Service, settings: OperatorSettings, portal: Portal) -> dict[str, Any]:
    """What the server reads; ``page`` is what the page itself is told."""
    rest = f"{addresses.root_url(service, settings)}/v1.1"
    mqtt = next(each.url for each in addresses.endpoints(service, settings) if each.name == "mqtt-websocket")
    given = portal.model_dump(mode="json", by_alias=True, include={"follow_locations", "background", "styles"})
    title = portal.title or service.name
    return {
        "listen": f":{PORT}",
        "path": portal.path,
        "contentSecurityPolicy": _security_policy(portal, mqtt),
        "title": title,
        "page": {"rest": rest, "mqtt": mqtt, "things": _things(rest, portal), "layer": _layer(portal), **given},
    }


def _layer(portal: Portal, path: str = "") -> str | None:
    """The ``$filter`` of the Datastreams that are shown; ``path`` leads to them."""
    if portal.service_name is None or portal.layer_name is None:
        return None
    return requests.of_layer(portal.service_name, portal.layer_name, path=path)


def _things(rest: str, portal: Portal) -> str:
    """The first request: Things with their places and Datastreams. What those observe is asked for after it."""
    things, datastreams = _layer(portal, "Datastreams/"), _layer(portal)
    only = "" if datastreams is None else f"$filter={datastreams};"
    expand = f"Locations($select=id,location),Datastreams({only}$select=id,name,unitOfMeasurement)"
    of_layer = "" if things is None else f"&$filter={requests.escaped(things)}"
    return (
        f"{rest}/Things?$select=id,name,description&$expand={requests.escaped(expand)}{of_layer}"
        f"&$orderby=id&$top={_PAGE}"
    )


def _security_policy(portal: Portal, mqtt: str) -> str:
    """What the page may load: nothing but itself, the service, and the background that the spec names."""
    tiles = ""
    if portal.background is not None:
        address = urlsplit(portal.background.url)
        tiles = f" {address.scheme}://{address.netloc}"
    socket = urlsplit(mqtt)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        # Safari takes 'self' for https alone.
        f"connect-src 'self' {socket.scheme}://{socket.netloc}; img-src 'self' data:{tiles}; "
        "base-uri 'none'; form-action 'none'"
    )
