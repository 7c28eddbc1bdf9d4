"""The SensorThingsService: one OGC SensorThings service of a city, whole.

Read by the CRD generator, the pure builders and the reconcile.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from sensorthings_operator.api.auth import Auth
from sensorthings_operator.api.base import Model, PublicHostname, PullSecrets, cel, rules
from sensorthings_operator.api.bus import Bus
from sensorthings_operator.api.catalogue import Catalogue
from sensorthings_operator.api.database import Database
from sensorthings_operator.api.exposure import Certificate, Exposure
from sensorthings_operator.api.grants import ConnectorGrant
from sensorthings_operator.api.modules import HTTP, MQTT
from sensorthings_operator.api.monitoring import Monitoring
from sensorthings_operator.api.portal import Portal
from sensorthings_operator.api.status import UNSEEN, ServiceStatus

KIND: Final = "SensorThingsService"
PLURAL: Final = "sensorthingsservices"


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
            # Where there is an exposure, the host is asked for already.
            "!has(self.certificate) || has(self.host) || self.exposure.type != 'None'",
            "certificate needs host: the name that it is issued for",
            field_path=".host",
        ),
        cel(
            "self.http.readReplicas == 0 || self.exposure.type == 'Gateway'",
            "http.readReplicas needs exposure.type Gateway, which tells reads from writes by method",
            field_path=".http.readReplicas",
        ),
        cel(
            "!has(self.catalogue) || self.exposure.type != 'None'",
            "catalogue needs an exposure: what it describes has to be reached from outside the cluster",
            field_path=".catalogue",
        ),
        cel(
            "!has(self.catalogue) || !has(self.catalogue.endpoint) || "
            "!((self.rootPath + '/').startsWith(self.catalogue.endpoint.path + '/') || "
            "(self.catalogue.endpoint.path + '/').startsWith(self.rootPath + '/'))",
            "catalogue.endpoint.path and rootPath must lie beside each other, such as /catalogue and /FROST-Server",
            field_path=".catalogue.endpoint.path",
        ),
        cel(
            "!has(self.portal) || self.exposure.type != 'None'",
            "portal needs an exposure: people open the page from outside the cluster",
            field_path=".portal",
        ),
        cel(
            "!has(self.portal) || self.auth.anonymousRead",
            "portal needs auth.anonymousRead: true: the page reads as everybody does, and has nobody sign in",
            field_path=".portal",
        ),
        cel(
            "!has(self.portal) || !((self.rootPath + '/').startsWith(self.portal.path + '/') || "
            "(self.portal.path + '/').startsWith(self.rootPath + '/'))",
            "portal.path and rootPath must lie beside each other, such as /map and /FROST-Server",
            field_path=".portal.path",
        ),
        cel(
            "!has(self.portal) || !has(self.catalogue) || !has(self.catalogue.endpoint) || "
            "!((self.portal.path + '/').startsWith(self.catalogue.endpoint.path + '/') || "
            "(self.catalogue.endpoint.path + '/').startsWith(self.portal.path + '/'))",
            "portal.path and catalogue.endpoint.path must lie beside each other, such as /map and /catalogue",
            field_path=".portal.path",
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
    allowed_connectors: Annotated[list[ConnectorGrant], Field(max_length=64)] = Field(default_factory=list)
    """Connectors of other namespaces that may feed the service; those of its own namespace need no grant."""
    monitoring: Monitoring = Monitoring()
    """What is set up for those who watch the service."""
    catalogue: Catalogue | None = None
    """How the service and its data are described in catalogues; not at all where it is not given."""
    portal: Portal | None = None
    """A page on the service's host that shows its Things on a live map; none where it is not given."""
    image_pull_secrets: PullSecrets = Field(default_factory=list)
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
    status: ServiceStatus = ServiceStatus(observed_generation=UNSEEN)
    """The service as it was last seen. Written by the operator."""
