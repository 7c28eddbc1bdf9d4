"""How a service is reached from outside the cluster, and its certificate. Part of a SensorThingsService's spec."""

from typing import Annotated, Literal

from pydantic import Field

from sensorthings_operator.api.base import Model, ObjectName, Port, cel, rules


class IngressNginx(Model):
    """Routes through ingress-nginx."""

    class_name: ObjectName = "nginx"
    """IngressClass."""
    mqtt_port: Port = 8883
    """Port of MQTT over TLS on the controller's Service; one service to a port."""
    web_socket_path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]*$", max_length=128)] = "/mqtt"
    """Path of MQTT over WebSocket."""


class Gateway(Model):
    """Routes through a Gateway of the Gateway API."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: ObjectName | None = None
    """Namespace of the Gateway; the service's own where it is not given."""
    web_socket_path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]*$", max_length=128)] = "/mqtt"
    """Path of MQTT over WebSocket."""


class Exposure(Model):
    """How the service is reached from outside the cluster. There is no default: a city says how."""

    model_config = rules(
        cel(
            "self.type == 'IngressNginx' || !has(self.ingressNginx)",
            "ingressNginx belongs to exposure.type IngressNginx",
            field_path=".ingressNginx",
        ),
        cel(
            "(self.type == 'Gateway') == has(self.gateway)",
            "gateway belongs to exposure.type Gateway, and is required there",
            field_path=".gateway",
        ),
    )

    type: Literal["IngressNginx", "Gateway", "None"]
    """IngressNginx, Gateway, or None: inside the cluster only."""
    ingress_nginx: IngressNginx | None = None
    """Settings of exposure.type IngressNginx."""
    gateway: Gateway | None = None
    """The Gateway of exposure.type Gateway."""


class IssuerReference(Model):
    """A cert-manager issuer."""

    kind: Literal["Issuer", "ClusterIssuer"] = "ClusterIssuer"
    """Issuer (of the namespace) or ClusterIssuer."""
    name: ObjectName
    """Name of the issuer."""


class Certificate(Model):
    """The certificate for the host."""

    issuer_ref: IssuerReference
    """Who issues it."""
