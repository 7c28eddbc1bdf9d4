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


class EnvoyGateway(Model):
    """What Envoy Gateway can do beyond the Gateway API, by its policies."""

    idle_timeout_seconds: Annotated[int, Field(ge=60, le=86400)] = 7200
    """Seconds after which a connection is closed on which nothing is sent; at least 1.5 times the MQTT keep-alive."""
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """HTTP requests that one client address may send in a minute; more are answered with 429. Each pod of the Gateway
    counts for itself. No limit where it is not given."""
    requests_per_minute_per_token: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """HTTP requests that may come with one token in a minute; more are answered with 429. Each connector and device has
    its own, which is renewed about every two minutes and then counts from zero. Each pod of the Gateway counts for
    itself. No limit where it is not given."""


class Gateway(Model):
    """Routes through a Gateway of the Gateway API."""

    model_config = rules(
        cel(
            "has(self.name) != has(self.className)",
            "give name, of a Gateway that is there, or className, for a Gateway of the service's own",
            field_path=".name",
        ),
        cel(
            "has(self.name) || !has(self.namespace)",
            "namespace belongs to name: a Gateway of the service's own lies in the service's namespace",
            field_path=".namespace",
        ),
        cel(
            "has(self.name) || self.listeners == 'Own'",
            "listeners Gateway belongs to name: a Gateway of the service's own has the service's listeners",
            field_path=".listeners",
        ),
        cel(
            "self.httpPort != self.httpsPort && self.httpPort != self.mqttPort && self.httpsPort != self.mqttPort",
            "httpPort, httpsPort and mqttPort must differ",
            field_path=".mqttPort",
        ),
    )

    name: ObjectName | None = None
    """Name of a Gateway that is there."""
    namespace: ObjectName | None = None
    """Namespace of that Gateway; the service's own where it is not given."""
    class_name: ObjectName | None = None
    """GatewayClass of a Gateway of the service's own."""
    listeners: Literal["Own", "Gateway"] = "Own"
    """Own: a ListenerSet of the service adds its host to the Gateway, which has to allow that (`allowedListeners`).
    Gateway: the listeners that the Gateway has, with whatever certificate they have."""
    http_port: Port = 80
    """Port of plain HTTP, where clients are told to come back by HTTPS."""
    https_port: Port = 443
    """Port of HTTPS, and of MQTT over WebSocket."""
    mqtt_port: Port = 8883
    """Port of MQTT over TLS; services share it and are told apart by SNI."""
    mqtt_tls: Annotated[Literal["Passthrough", "Terminate"], Field(alias="mqttTLS")] = "Passthrough"
    """Where TLS ends: Passthrough, in the MQTT module's own pods; Terminate, at the Gateway, and MQTT goes on from
    there unencrypted."""
    web_socket_path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]*$", max_length=128)] = "/mqtt"
    """Path of MQTT over WebSocket."""
    envoy_gateway: EnvoyGateway | None = None
    """Limits where the Gateway is one of Envoy Gateway; without them its own defaults hold."""


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
