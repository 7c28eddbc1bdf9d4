"""The SensorThingsService: one OGC SensorThings service of a city, whole.

Read by the CRD generator, the pure builders and the reconcile.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from sensorthings_operator.api.base import (
    Hostname,
    Model,
    ObjectName,
    Port,
    PublicHostname,
    Quantity,
    ResourceRequirements,
    SecretReference,
    VolumeStorage,
    cel,
    rules,
)
from sensorthings_operator.api.settings import SETTINGS_RULES
from sensorthings_operator.api.status import ServiceStatus

KIND: Final = "SensorThingsService"
PLURAL: Final = "sensorthingsservices"


class Autoscaling(Model):
    """Bounds and target of a HorizontalPodAutoscaler."""

    model_config = rules(
        cel(
            "self.minReplicas <= self.maxReplicas",
            "minReplicas must not be greater than maxReplicas",
            field_path=".minReplicas",
        )
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Fewest pods."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Most pods."""
    target_cpu_utilization_percentage: Annotated[int, Field(ge=1, le=100, alias="targetCPUUtilizationPercentage")] = 70
    """Average CPU use, in percent of what the pods request, that the autoscaler aims at."""


_ONE_WAY_TO_SCALE: Final = cel(
    "!(has(self.replicas) && has(self.autoscaling))",
    "give replicas or autoscaling, not both: an autoscaler owns the number of pods",
    field_path=".replicas",
)

FrostSettings = Annotated[
    dict[str, Annotated[str, Field(max_length=4096)]],
    Field(max_length=64, json_schema_extra={"x-kubernetes-validations": SETTINGS_RULES}),
]
"""FROST-Server settings by their own names."""


class Tier(Model):
    """One module of FROST-Server as a Deployment."""

    replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Number of pods where there is no autoscaling; 1 where neither is given."""
    autoscaling: Autoscaling | None = None
    """Let the load decide on the number of pods."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources of each pod; what is not given has the operator's defaults."""
    settings: FrostSettings = Field(default_factory=dict)
    """FROST-Server settings by their own names, such as `defaultTop`. Those the operator owns are refused."""


class HTTP(Tier):
    """The HTTP module: the SensorThings REST API."""

    model_config = rules(_ONE_WAY_TO_SCALE)

    read_replicas: Annotated[int, Field(ge=0, le=1000)] = 0
    """Pods that answer reads from the database's replicas. Needs exposure.type Gateway, which tells reads by method."""


class MQTT(Tier):
    """The MQTT module: pushes Observations to subscribers, by TCP and by WebSocket."""

    model_config = rules(_ONE_WAY_TO_SCALE)


class BusStorage(VolumeStorage):
    """The volume of the bus: sessions and messages on their way, which a new bus does without."""

    size: Quantity = "1Gi"
    """Size of the volume."""
    when_deleted: Literal["Retain", "Delete"] = "Delete"
    """What happens to the volume when the service is deleted; a StatefulSet's persistentVolumeClaimRetentionPolicy."""


class MosquittoBus(Model):
    """A mosquitto of the service's own between its HTTP and MQTT modules."""

    storage: BusStorage = BusStorage()
    """Where sessions survive a restart: without it, the MQTT modules stay up and deliver nothing."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources of the bus."""


class ExternalBus(Model):
    """An MQTT broker run elsewhere."""

    host: Hostname
    """Where the broker answers."""
    port: Port = 1883
    """Its TCP port."""
    tls: bool = False
    """Speak TLS to it."""


class Bus(Model):
    """What carries new entities from the HTTP modules to the MQTT modules."""

    model_config = rules(
        cel(
            "(self.type == 'External') == has(self.external)",
            "external belongs to bus.type External, and is required there",
            field_path=".external",
        ),
        cel(
            "self.type == 'Mosquitto' || !has(self.mosquitto)",
            "mosquitto belongs to bus.type Mosquitto",
            field_path=".mosquitto",
        ),
    )

    type: Literal["Mosquitto", "External"] = "Mosquitto"
    """Mosquitto: one of the service's own. External: one run elsewhere."""
    mosquitto: MosquittoBus | None = None
    """Settings of the bus of type Mosquitto."""
    external: ExternalBus | None = None
    """The bus of type External."""


class DatabaseEndpoint(Model):
    """A PostgreSQL server."""

    host: Hostname
    """DNS name or IPv4 address."""
    port: Port = 5432
    """Its TCP port."""


class DatabaseTLS(Model):
    """How connections to an external database are encrypted."""

    model_config = rules(
        cel(
            "self.mode in ['disable', 'require'] || has(self.caSecretRef)",
            "verify-ca and verify-full need caSecretRef: the Secret whose key ca.crt signed the server's certificate",
            field_path=".caSecretRef",
        )
    )

    mode: Literal["disable", "require", "verify-ca", "verify-full"] = "verify-full"
    """PostgreSQL's sslmode."""
    ca_secret_ref: SecretReference | None = None
    """Secret whose key ca.crt holds the certificate authority."""


class ExternalDatabase(Model):
    """A PostgreSQL with PostGIS run elsewhere."""

    primary: DatabaseEndpoint
    """The server that takes writes."""
    replicas: Annotated[
        list[DatabaseEndpoint],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["host"]},
        ),
    ] = Field(default_factory=list)
    """Streaming replicas: one of them may become the primary at any time."""
    name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)] = "sensorthings"
    """Name of the database."""
    credentials_secret_ref: SecretReference
    """Secret with the keys username and password."""
    tls: DatabaseTLS
    """Encryption of the connections."""


class ManagedDatabase(Model):
    """A PostgreSQL with PostGIS that the operator runs in the cluster."""

    instances: Annotated[int, Field(ge=1, le=1)] = 1
    """Number of PostgreSQL instances."""
    storage: VolumeStorage = VolumeStorage(size="10Gi")
    """Volume of each instance. It outlives the service unless whenDeleted says Delete."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources of each instance."""


class Database(Model):
    """Where all data lives."""

    model_config = rules(
        cel(
            "(self.type == 'External') == has(self.external)",
            "external belongs to database.type External, and is required there",
            field_path=".external",
        ),
        cel(
            "self.type == 'Managed' || !has(self.managed)",
            "managed belongs to database.type Managed: a service has one database",
            field_path=".managed",
        ),
        cel(
            "self.type == oldSelf.type",
            "database.type can't be changed: the data would stay behind; make a new service and move the data",
            field_path=".type",
        ),
    )

    type: Literal["External", "Managed"]
    """External: a server run elsewhere. Managed: one in the cluster, run by the operator."""
    external: ExternalDatabase | None = None
    """The database of type External."""
    managed: ManagedDatabase | None = None
    """Settings of the database of type Managed."""


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


class KeycloakAuth(Model):
    """Tokens of a Keycloak realm."""

    realm: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", min_length=1, max_length=255)]
    """A realm that the operator's settings know, with its URL and credentials."""


class BasicAuth(Model):
    """Users and passwords kept by FROST-Server itself."""

    users_secret_ref: SecretReference
    """Secret with a key for each user, whose value is the password."""


class NoAuth(Model):
    """The explicit acknowledgement that anybody may write."""

    model_config = rules(
        cel(
            "self.allowAnonymousWrite",
            "auth.type None opens the service to writes by anybody who reaches it: set allowAnonymousWrite to true "
            "to say that you want this, or choose Keycloak or Basic",
            field_path=".allowAnonymousWrite",
        )
    )

    allow_anonymous_write: bool
    """Must be true: anybody who reaches the service may change and delete its data."""


class Auth(Model):
    """Who may read and who may write. There is no default."""

    model_config = rules(
        cel(
            "(self.type == 'Keycloak') == has(self.keycloak)",
            "keycloak belongs to auth.type Keycloak, and is required there",
            field_path=".keycloak",
        ),
        cel(
            "(self.type == 'Basic') == has(self.basic)",
            "basic belongs to auth.type Basic, and is required there",
            field_path=".basic",
        ),
        cel(
            "(self.type == 'None') == has(self.none)",
            "none belongs to auth.type None, and is required there with allowAnonymousWrite: true",
            field_path=".none",
        ),
    )

    type: Literal["Keycloak", "Basic", "None"]
    """Keycloak, Basic, or None: anybody may write."""
    anonymous_read: bool = True
    """Reading and subscribing need no token."""
    keycloak: KeycloakAuth | None = None
    """Settings of auth.type Keycloak."""
    basic: BasicAuth | None = None
    """Settings of auth.type Basic."""
    none: NoAuth | None = None
    """Acknowledgement of auth.type None."""


class SensorThingsServiceSpec(Model):
    """The service as it should be."""

    model_config = rules(
        cel(
            "self.exposure.type == 'None' || has(self.host)",
            "host is required unless exposure.type is None: it is the one name for HTTPS, MQTT and WebSocket",
            field_path=".host",
        ),
        cel(
            "self.exposure.type == 'None' || has(self.certificate)",
            "certificate is required unless exposure.type is None: nothing is exposed unencrypted",
            field_path=".certificate",
        ),
        cel(
            "self.http.readReplicas == 0 || self.exposure.type == 'Gateway'",
            "http.readReplicas needs exposure.type Gateway, which tells reads from writes by method",
            field_path=".http.readReplicas",
        ),
    )

    host: PublicHostname | None = None
    """The one name for HTTPS, MQTT and WebSocket, such as iot.hamburg.example. One host belongs to one service."""
    root_path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.-]+)+$", max_length=128)] = "/FROST-Server"
    """What stands before /v1.1 in the service's URLs."""
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", max_length=32)]
    """Version of FROST-Server."""
    http: HTTP = HTTP()
    """The HTTP module."""
    mqtt: MQTT = MQTT()
    """The MQTT module."""
    bus: Bus = Bus()
    """The message bus between them."""
    database: Database
    """The database."""
    exposure: Exposure
    """How the service is reached from outside the cluster."""
    certificate: Certificate | None = None
    """The certificate for the host."""
    auth: Auth
    """Who may read and write."""
    image_pull_secrets: Annotated[
        list[SecretReference],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default_factory=list)
    """Secrets for registries that ask for a password."""
    paused: bool = False
    """Leave everything as it is; changes are taken up when it is false again."""
    hibernated: bool = False
    """Run no pods; volumes and data are kept."""
    deletion_policy: Literal["Delete", "Orphan"] = "Delete"
    """What happens to what lives outside the cluster when the service is deleted."""


class SensorThingsService(Model):
    """One OGC SensorThings service: HTTP and MQTT modules, message bus, database, routes, identity."""

    model_config = rules(
        cel(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",
            "the name must be a DNS label of at most 40 characters that begins with a letter: "
            "names of Services and pods are made from it",
        )
    )

    spec: SensorThingsServiceSpec
    """The service as it should be."""
    status: ServiceStatus | None = None
    """The service as it was last seen. Written by the operator."""
