"""Ingresses: HTTPS and MQTT over WebSocket on the service's host, through ingress-nginx.

Annotations are ingress-nginx's (https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations).
Snippets are none of them: most clusters refuse them, since they let one tenant configure the others' server.
"""

from typing import Final

from sensorthings_operator.api.exposure import IngressNginx
from sensorthings_operator.desired import addresses, http, mqtt
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

_ANNOTATION: Final = "nginx.ingress.kubernetes.io"
REDIRECTED: Final = {f"{_ANNOTATION}/ssl-redirect": "true"}
"""Who comes by HTTP is told to come back by HTTPS."""
_HTTP_ANNOTATIONS: Final = {
    **REDIRECTED,
    # A batch or a data array of some hundred thousand Observations; nginx's own default is one mebibyte.
    f"{_ANNOTATION}/proxy-body-size": "16m",
    # Seconds. A batch is answered when all of it is done, and one statement may take the database a minute.
    f"{_ANNOTATION}/proxy-read-timeout": "300",
}
_WEB_SOCKET_ANNOTATIONS: Final = {
    **REDIRECTED,
    # The MQTT module's sidecar, where TLS ends, speaks nothing else. Its certificate is not verified: ingress-nginx
    # needs a ca.crt in the Secret for that, and an ACME issuer writes none (docs/decisions: routes of ingress-nginx).
    f"{_ANNOTATION}/backend-protocol": "HTTPS",
    # Seconds. A subscriber may hear nothing for long; whether it is alive is the MQTT keep alive's to say.
    f"{_ANNOTATION}/proxy-read-timeout": "3600",
    f"{_ANNOTATION}/proxy-send-timeout": "3600",
}


def names(service: Service) -> tuple[str, ...]:
    """Names of the Ingresses; none where the service is not reached through ingress-nginx."""
    if addresses.exposed(service) is None or service.host_holder is not None:
        return ()
    return (addresses.http_name(service), _web_socket_name(service))


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """One Ingress for each module: annotations count for a whole Ingress."""
    routes = addresses.exposed(service)
    if routes is None or service.host_holder is not None:
        return []
    http_backend = {"service": {"name": addresses.http_name(service), "port": {"name": "http"}}}
    mqtt_backend = {"service": {"name": addresses.mqtt_name(service), "port": {"name": addresses.WSS_PORT_NAME}}}
    return [
        of_paths(
            service,
            routes,
            http.COMPONENT,
            addresses.http_name(service),
            annotations=_HTTP_ANNOTATIONS,
            path={"path": service.spec.root_path, "pathType": "Prefix", "backend": http_backend},
        ),
        of_paths(
            service,
            routes,
            mqtt.COMPONENT,
            _web_socket_name(service),
            annotations={**_WEB_SOCKET_ANNOTATIONS, **_rewrite(routes.web_socket_path)},
            path={**_web_socket_path(routes.web_socket_path), "backend": mqtt_backend},
        ),
    ]


def _web_socket_name(service: Service) -> str:
    return f"{addresses.mqtt_name(service)}-websocket"


def _web_socket_path(path: str) -> Manifest:
    """ingress-nginx takes every path of a host that has a rewrite for a regular expression that begins the URL's."""
    if path == addresses.WEBSOCKET_PATH:
        return {"path": path, "pathType": "Exact"}
    pattern = path.replace(".", r"\.")
    return {"path": f"{pattern}$", "pathType": "ImplementationSpecific"}


def _rewrite(path: str) -> dict[str, str]:
    if path == addresses.WEBSOCKET_PATH:
        return {}
    return {
        f"{_ANNOTATION}/use-regex": "true",
        f"{_ANNOTATION}/rewrite-target": addresses.WEBSOCKET_PATH,
    }


def of_paths(  # noqa: PLR0913 - the parts in which they differ
    service: Service,
    routes: IngressNginx,
    component: str,
    name: str,
    *,
    annotations: dict[str, str],
    path: Manifest,
) -> Manifest:
    """An Ingress for a path of the service's host, with its certificate."""
    host = service.spec.host
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {**metadata(service, component, name), "annotations": annotations},
        "spec": {
            "ingressClassName": routes.class_name,
            "tls": [{"hosts": [host], "secretName": addresses.certificate_secret_name(service)}],
            "rules": [{"host": host, "http": {"paths": [path]}}],
        },
    }
