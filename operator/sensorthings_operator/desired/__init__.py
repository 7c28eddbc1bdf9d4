"""Desired state as a pure function: a service and the operator's settings in, manifests out.

A new child resource is a new module here and one line in ``STAGES``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sensorthings_operator.desired import (
    accounts,
    autoscaling,
    backuppolicies,
    basic,
    bus,
    buscertificates,
    catalogue,
    certificate,
    database,
    disruption,
    envoygateway,
    gateway,
    http,
    ingress,
    jdbc,
    keycloak,
    mqtt,
    mqttgate,
    networkpolicy,
    podmonitor,
    portal,
    reads,
    schema,
    sidecar,
)
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

Builder = Callable[[Service, OperatorSettings], list[Manifest]]


@dataclass(frozen=True)
class Stage:
    """Children that are applied together, once what they need is there."""

    name: str
    builders: tuple[Builder, ...]


SECRETS: Final = Stage("secrets", (database.secrets, basic.build, buscertificates.build))
"""Comes first: pods carry hashes of what the Secrets hold."""
FOUNDATION: Final = Stage(
    "foundation",
    (
        accounts.build,
        bus.build,
        database.build,
        certificate.build,
        sidecar.build,
        mqttgate.build,
        jdbc.build,
        keycloak.build,
        networkpolicy.build,
        backuppolicies.build,
        podmonitor.build,
        disruption.build,
        portal.build,
    ),
)
"""What needs nothing else."""
SCHEMA: Final = Stage("schema", (schema.build, database.requested_backup))
"""Needs a database that answers. The schema Job comes first."""
HTTP: Final = Stage("http", (http.build, reads.build, autoscaling.http))
"""Needs the schema of the service's version."""
MQTT: Final = Stage("mqtt", (mqtt.build, autoscaling.mqtt))
"""Needs the schema, and the certificate where there is to be one."""
EDGE: Final = Stage("edge", (ingress.build, gateway.build, envoygateway.build, catalogue.endpoint.route, portal.route))
"""What leads to the modules from outside: it stands beside them."""
CATALOGUE: Final = Stage("catalogue", (catalogue.build,))
"""What is said of the service and its data; of its own, since it is made anew when the data is another."""
STAGES: Final = (SECRETS, FOUNDATION, SCHEMA, HTTP, MQTT, EDGE, CATALOGUE)


def stage_children(stage: Stage, service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The manifests of one stage, in the order in which they are applied."""
    return [manifest for build in stage.builders for manifest in build(service, settings)]


def children(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Every manifest of a service, in the order in which they are applied. The same input gives the same manifests."""
    return [manifest for stage in STAGES for manifest in stage_children(stage, service, settings)]
