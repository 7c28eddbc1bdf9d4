"""Where the parts of a service answer, inside the cluster and for clients. The only place that writes URLs.

Used by the builders, by the database probe and for the status.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from sensorthings_operator.api.database import DatabaseEndpoint, ExternalDatabase
from sensorthings_operator.api.exposure import Gateway, IngressNginx
from sensorthings_operator.api.status import Endpoint
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

HTTP_PORT: Final = 8080
MQTT_PORT: Final = 1883
WEBSOCKET_PORT: Final = 9876
"""FROST-Server's own default for mqtt.WebsocketPort."""
WEBSOCKET_PORT_NAME: Final = "websocket"
WEBSOCKET_PATH: Final = "/mqtt"
"""Where FROST-Server's MQTT module takes WebSocket connections; it has no setting for it."""
MQTTS_PORT: Final = 8883
"""MQTT over TLS, on the MQTT module's Service: bytes that ingress-nginx passes on go there."""
MQTTS_PORT_NAME: Final = "mqtts"
WSS_PORT: Final = 8884
"""MQTT over WebSocket over TLS, on the MQTT module's Service."""
WSS_PORT_NAME: Final = "wss"
STATUS_PORT: Final = 8081
"""Probes and metrics of what ends TLS in the MQTT module's pods; on no Service."""
STATUS_PORT_NAME: Final = "status"
PLAIN_WEBSOCKET_PORT: Final = 9877
"""MQTT over WebSocket behind a Gateway, which ends TLS for the whole host: in the MQTT module's pods, for it alone."""
BUS_PORT: Final = 8883
DATABASE_PORT: Final = 5432
DATABASE_NAME: Final = "sensorthings"
CA_MOUNT_PATH: Final = "/etc/sensorthings/database-ca"

_HTTPS_PORT: Final = 443
_TIMEOUTS: Final = {"connectTimeout": 5, "socketTimeout": 60}
"""Seconds."""
_TIMEOUTS_OF_SEVERAL: Final = {"connectTimeout": 3, "socketTimeout": 12}
"""Where another server takes over within twenty seconds, a client that waited twice for one that says nothing is served
by it within thirty."""


def http_name(service: Service) -> str:
    """Name of the HTTP module's Deployment and Service."""
    return f"{service.name}-http"


def mqtt_name(service: Service) -> str:
    """Name of the MQTT module's Deployment and Service."""
    return f"{service.name}-mqtt"


def catalogue_name(service: Service) -> str:
    """Name of the ConfigMap with the descriptions, and of all that serves them to harvesters."""
    return f"{service.name}-catalogue"


def portal_name(service: Service) -> str:
    """Name of all that is made for the live map page."""
    return f"{service.name}-portal"


def certificate_secret_name(service: Service) -> str:
    """Name of the Secret with the certificate for the host and its key."""
    return f"{service.name}-tls"


def bus_name(service: Service) -> str:
    """Name of the bus's StatefulSet, Service and ConfigMap."""
    return f"{service.name}-bus"


def first_database_name(service: Service) -> str:
    """Name of the managed database that a service began with, and of what all of its databases have in common."""
    return f"{service.name}-db"


def database_name(service: Service) -> str:
    """Name of the managed database's StatefulSet, governing Service and ConfigMap."""
    return named_database(service, database_in_use(service))


def named_database(service: Service, name: str) -> str:
    """The same of the database that was restored under a name; of the first one where that is empty."""
    first = first_database_name(service)
    return f"{first}-{name}" if name else first


def database_component(service: Service) -> str:
    """What the label of a database's objects says: pods of a restored one are another part than those of the first."""
    name = database_in_use(service)
    return f"database-{name}" if name else "database"


def database_in_use(service: Service) -> str:
    """What tells the managed database from others of the service: the one that serves, unless another is meant."""
    meant = service.serving if service.database is None else service.database
    if meant is not None:
        return meant
    managed = service.spec.database.managed
    return "" if managed is None else managed.serving


def primary_name(service: Service) -> str:
    """Name of the Service of the managed database that takes writes."""
    return f"{database_name(service)}-primary"


def replica_name(service: Service) -> str:
    """Name of the Service of a managed pair's standbys."""
    return f"{database_name(service)}-replica"


def database_certificates_name(service: Service) -> str:
    """Name of the Secret with the certificates of a managed pair."""
    return f"{database_name(service)}-certificates"


def instances(service: Service) -> int:
    """How many PostgreSQLs the operator runs for a service while it is awake; 0 where others run its database."""
    database = service.spec.database
    if database.type != "Managed":
        return 0
    return 1 if database.managed is None else database.managed.instances


def is_pair(service: Service) -> bool:
    """Whether the operator runs a primary and standbys, which take over from it."""
    return instances(service) > 1


def instance_host(service: Service, number: int, settings: OperatorSettings) -> str:
    """DNS name of one pod of a managed pair, whether it is ready or not. The first is number 0."""
    name = database_name(service)
    return cluster_host(service, f"{name}-{number}.{name}", settings)


def cluster_host(service: Service, name: str, settings: OperatorSettings) -> str:
    """DNS name of a Service in the service's namespace."""
    return f"{name}.{service.namespace}.svc.{settings.cluster_domain}"


def root_url(service: Service, settings: OperatorSettings) -> str:
    """FROST-Server's serviceRootUrl: what stands before /v1.1, without a slash at its end."""
    if service.spec.host is not None and service.spec.exposure.type != "None":
        routes = gateway(service)
        port = "" if routes is None or routes.https_port == _HTTPS_PORT else f":{routes.https_port}"
        return f"https://{service.spec.host}{port}{service.spec.root_path}"
    return f"http://{cluster_host(service, http_name(service), settings)}{service.spec.root_path}"


@dataclass(frozen=True)
class BusAddress:
    """How a service's message bus is reached."""

    host: str
    port: int
    tls: bool

    @property
    def url(self) -> str:
        """FROST-Server's bus.mqttBroker."""
        return f"{'ssl' if self.tls else 'tcp'}://{self.host}:{self.port}"


def bus_address(service: Service, settings: OperatorSettings) -> BusAddress:
    """Where the bus is, whoever runs it."""
    external = service.spec.bus.external
    if external is not None:
        return BusAddress(external.host, external.port, external.tls)
    return BusAddress(cluster_host(service, bus_name(service), settings), BUS_PORT, tls=True)


@dataclass(frozen=True)
class DatabaseAddress:
    """How a service's database is reached."""

    endpoints: tuple[DatabaseEndpoint, ...]
    name: str
    credentials_secret: str
    tls_mode: str
    ca_secret: str | None

    @property
    def secrets(self) -> frozenset[str]:
        """Names of the Secrets that it takes."""
        return frozenset(name for name in (self.credentials_secret, self.ca_secret) if name is not None)


def database_address(service: Service, settings: OperatorSettings) -> DatabaseAddress:
    """Where the database is, whoever runs it."""
    external = service.spec.database.external
    if external is not None:
        return _external_address(external)
    if is_pair(service):
        return _pair_address(service, settings)
    host = cluster_host(service, primary_name(service), settings)
    return DatabaseAddress(
        endpoints=(DatabaseEndpoint(host=host, port=DATABASE_PORT),),
        name=DATABASE_NAME,
        credentials_secret=f"{first_database_name(service)}-credentials",
        tls_mode="disable",
        ca_secret=None,
    )


def _external_address(external: ExternalDatabase) -> DatabaseAddress:
    ca = external.tls.ca_secret_ref
    return DatabaseAddress(
        endpoints=(external.primary, *external.replicas),
        name=external.name,
        credentials_secret=external.credentials_secret_ref.name,
        tls_mode=external.tls.mode,
        ca_secret=ca.name if ca is not None and external.tls.mode.startswith("verify-") else None,
    )


def _pair_address(service: Service, settings: OperatorSettings) -> DatabaseAddress:
    """By the pods' own names: whoever connects finds the primary, and waits for no Service to be led to another."""
    hosts = [instance_host(service, number, settings) for number in range(instances(service))]
    return DatabaseAddress(
        endpoints=tuple(DatabaseEndpoint(host=host, port=DATABASE_PORT) for host in hosts),
        name=DATABASE_NAME,
        credentials_secret=f"{first_database_name(service)}-credentials",
        tls_mode="verify-full",
        ca_secret=database_certificates_name(service),
    )


def jdbc_url(address: DatabaseAddress, *, reads_only: bool = False, patient: bool = False) -> str:
    """FROST-Server's persistence.db.url, in pgjdbc's parameters: every server of a pair, the primary wanted.

    ``committed`` is the driver of ``jdbc``.

    Args:
        address: of the database.
        reads_only: a standby is wanted, and the primary taken where none answers.
        patient: a statement may take its time, though another server could take over meanwhile.
    """
    hosts = ",".join(f"{endpoint.host}:{endpoint.port}" for endpoint in address.endpoints)
    several = len(address.endpoints) > 1
    parameters: dict[str, str | int] = {
        **(_TIMEOUTS_OF_SEVERAL if several and not patient else _TIMEOUTS),
        "tcpKeepAlive": "true",
        "sslmode": address.tls_mode,
    }
    if several:
        wanted = "preferSecondary" if reads_only else "primary"
        parameters |= {"targetServerType": wanted, "hostRecheckSeconds": 2}
    if address.ca_secret is not None:
        parameters["sslrootcert"] = f"{CA_MOUNT_PATH}/ca.crt"
    return f"jdbc:committed:postgresql://{hosts}/{address.name}?{urlencode(parameters, safe='/')}"


def gateway(service: Service) -> Gateway | None:
    """The routes through a Gateway; None where the service has none."""
    exposure = service.spec.exposure
    return exposure.gateway if exposure.type == "Gateway" else None


def exposed(service: Service) -> IngressNginx | None:
    """The routes through ingress-nginx; None where the service has none."""
    exposure = service.spec.exposure
    if exposure.type != "IngressNginx":
        return None
    return exposure.ingress_nginx or IngressNginx()


def endpoints(service: Service, settings: OperatorSettings) -> tuple[Endpoint, ...]:
    """Where clients connect, for the status: from outside where the service is exposed, else inside the cluster."""
    routes = exposed(service) or gateway(service)
    if routes is not None:
        root = root_url(service, settings)
        origin = root.removesuffix(service.spec.root_path)
        harvested = None if service.spec.catalogue is None else service.spec.catalogue.endpoint
        catalogue = () if harvested is None else (Endpoint(name="catalogue", url=f"{origin}{harvested.path}/"),)
        portal = service.spec.portal
        page = () if portal is None else (Endpoint(name="map", url=f"{origin}{portal.path}/"),)
        return (
            Endpoint(name="sensorthings", url=f"{root}/v1.1"),
            Endpoint(name="mqtt", url=f"mqtts://{service.spec.host}:{routes.mqtt_port}"),
            Endpoint(name="mqtt-websocket", url=f"{origin.replace('https:', 'wss:')}{routes.web_socket_path}"),
            *catalogue,
            *page,
        )
    mqtt = cluster_host(service, mqtt_name(service), settings)
    encrypted = service.spec.certificate is not None
    tcp = f"mqtts://{mqtt}:{MQTTS_PORT}" if encrypted else f"mqtt://{mqtt}:{MQTT_PORT}"
    web_socket = f"wss://{mqtt}:{WSS_PORT}" if encrypted else f"ws://{mqtt}:{WEBSOCKET_PORT}"
    return (
        Endpoint(name="sensorthings", url=f"{root_url(service, settings)}/v1.1"),
        Endpoint(name="mqtt", url=tcp),
        Endpoint(name="mqtt-websocket", url=f"{web_socket}{WEBSOCKET_PATH}"),
    )
