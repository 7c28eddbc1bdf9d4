"""A connector and the service that it feeds, as the builders see them."""

from dataclasses import dataclass
from typing import Final

from sensorthings_operator.api.base import GROUP
from sensorthings_operator.api.connector import KIND, ConnectorSpec
from sensorthings_operator.desired import addresses, keycloak
from sensorthings_operator.desired.metadata import (
    COMPONENT_LABEL,
    CONNECTOR_LABEL,
    FIELD_MANAGER,
    MANAGED_BY_LABEL,
    Manifest,
    controller,
)
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

COMPONENT: Final = "connector"
REVOKED_ANNOTATION: Final = f"{GROUP}/revoked"
"""On a Connector: whose tokens are revoked, separated by commas: names of devices, or ``*`` for everything."""
ROTATE_ANNOTATION: Final = f"{GROUP}/rotate-secret"
"""On a Connector: any text; another one has the client secrets in Keycloak, and what opens the door, made anew."""
EVERYTHING: Final = "*"
TOKEN: Final = "token"  # noqa: S105 - a key of the Secret with the tokens, and a file name


@dataclass(frozen=True)
class Connector:
    """One Connector as the builders see it."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: ConnectorSpec

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.namespace, self.name)

    @property
    def service_key(self) -> tuple[str, str]:
        """Namespace and name of the service that it feeds."""
        return (self.spec.service_ref.namespace or self.namespace, self.spec.service_ref.name)

    @property
    def workload_name(self) -> str:
        """Name of its Deployment or CronJob, of its ConfigMap and of its NetworkPolicy."""
        return workload_name(self.name)

    @property
    def token_secret(self) -> str:
        """Name of the Secret with its token, which the token service writes."""
        return token_secret(self.name)

    @property
    def door_secret(self) -> str:
        """Name of the Secret with what opens the token service's door to an external connector."""
        return f"{self.name}-door"

    @property
    def observations(self) -> str:
        """The ``$filter`` of its Observations."""
        given = self.spec.observations
        return f"Datastream/properties/connector eq '{self.name}'" if given is None else given.filter


@dataclass(frozen=True)
class Feed:
    """A connector and its service."""

    connector: Connector
    service: Service
    authorities: str = ""
    """The CA that vouches for the service's host, PEM; empty where a public one does, or nothing is encrypted."""

    def takes_tokens(self) -> bool:
        """Whether the service asks writers for one."""
        return keycloak.is_used(self.service)

    def url(self, settings: OperatorSettings) -> str:
        """The SensorThings API, down to the version."""
        return next(each.url for each in addresses.endpoints(self.service, settings) if each.name == "sensorthings")


def token_secret(connector_name: str) -> str:
    """Name of the Secret with the token of the connector of this name."""
    return f"{connector_name}-token"


def workload_name(connector_name: str) -> str:
    """Name of the Deployment or CronJob, the ConfigMap and the NetworkPolicy of the connector of this name."""
    return f"{connector_name}-connector"


def device_key(device: str) -> str:
    """The key of a device's token in that Secret."""
    return f"device.{device}"


def labels(connector: Connector) -> dict[str, str]:
    """The labels of every object of a connector."""
    return {
        "app.kubernetes.io/name": "sensorthings-connector",
        "app.kubernetes.io/instance": connector.name,
        "app.kubernetes.io/part-of": "sensorthings",
        MANAGED_BY_LABEL: FIELD_MANAGER,
        COMPONENT_LABEL: COMPONENT,
        **selector(connector),
    }


def selector(connector: Connector) -> dict[str, str]:
    """The label that selects the pods of one connector."""
    return {CONNECTOR_LABEL: connector.name}


def metadata(connector: Connector, name: str) -> Manifest:
    """Metadata of a child: its labels, and the connector as its controller."""
    return {
        "name": name,
        "namespace": connector.namespace,
        "labels": labels(connector),
        "ownerReferences": [controller(KIND, connector.name, connector.uid)],
    }
