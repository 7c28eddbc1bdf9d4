"""The operator's own settings: what its administrator decides for all services.

Read from the YAML file that the chart mounts; the command line reads the same file for ``render``.
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field

from sensorthings_operator.api.base import FQDN, Model


class Images(Model):
    """Which image plays which role. ``{version}`` stands for the service's spec.version."""

    frost_http: str = "docker.io/fraunhoferiosb/frost-server-http:{version}"
    """FROST-Server's HTTP module."""
    frost_mqtt: str = "docker.io/fraunhoferiosb/frost-server-mqtt:{version}"
    """FROST-Server's MQTT module."""
    mqtt_gate: str = "ghcr.io/sensorthings-city/mqtt-gate:0.1.0"
    """What stands in front of the MQTT module; of this repository."""
    portal: str = "ghcr.io/sensorthings-city/portal:0.1.0"
    """Serves the live map page; of this repository."""
    mosquitto: str = "docker.io/library/eclipse-mosquitto:2.0.22"
    """The message bus; mosquitto 2 or later."""
    postgresql: str = "docker.io/postgis/postgis:15-3.4"
    """PostgreSQL with PostGIS: bash, flock, initdb and postgres on the PATH, user 999."""
    postgresql_pair: str = "ghcr.io/sensorthings-city/postgresql:15-3.4"
    """The same for managed databases of two instances or more, and for those with backups: beside it ``patroni`` 4.1 or
    later with psycopg, ``pgbackrest`` 2.45 or later, ``python3`` and bash 5.1. A single database grows into it:
    PostgreSQL is of the same major version, and PostGIS no older."""
    envoy: str = "docker.io/envoyproxy/envoy:distroless-v1.40.0"
    """Where TLS ends in front of the MQTT module: Envoy 1.37 or later, ``envoy`` on the PATH."""


class IngressNginxController(Model):
    """The ingress-nginx controller whose TCP ports services share."""

    namespace: str = "ingress-nginx"
    """Namespace of the controller."""
    tcp_services_config_map: str = "tcp-services"
    """ConfigMap that its ``--tcp-services-configmap`` names."""
    controller_service: str = "ingress-nginx-controller"
    """Service through which clients reach it."""


class KeycloakRealm(Model):
    """A realm of a Keycloak in which services have clients."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+(/[^\s]*)?$")]
    """Where clients and services reach the Keycloak, such as https://id.hamburg.example."""
    realm: str
    """The realm's name in that Keycloak."""
    folder: Path
    """Folder with the files ``client-id``, ``client-secret`` and, where its CA is a private one, ``ca.crt``: a mounted
    Secret. The client needs the role ``manage-clients`` of the client ``realm-management``."""


class TokenDoor(Model):
    """The token service's door for connectors that run elsewhere."""

    enabled: bool = False
    """Whether there is one."""
    hosts: list[Annotated[str, Field(pattern=FQDN)]] = Field(default_factory=list)
    """Names by which they reach it, which its certificate is for, beside that of its Service in the cluster."""


class OperatorSettings(Model):
    """Settings for all services of a cluster."""

    model_config = ConfigDict(extra="forbid")

    images: Images = Images()
    """Images by role."""
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """Pull policy of every container."""
    cluster_domain: str = "cluster.local"
    """DNS domain of the cluster."""
    namespace: str = "sensorthings-system"
    """The operator's own namespace: its pods may ask managed databases, and its Lease lies there."""
    lease_name: str = "sensorthings-operator"
    """Operators that serve the same services have the same one: one of them acts, the others stand by."""
    ingress_nginx: IngressNginxController = IngressNginxController()
    """The ingress-nginx that exposure.type IngressNginx uses."""
    gateway_namespaces: list[str] = Field(default_factory=lambda: ["envoy-gateway-system"])
    """Namespaces with the pods of Gateways: NetworkPolicies let them in, beside those in a Gateway's own namespace."""
    keycloak_realms: dict[str, KeycloakRealm] = Field(default_factory=dict)
    """Realms by the name that a service's auth.keycloak.realm says."""
    keycloak_probe_seconds: Annotated[float, Field(gt=0)] = 300
    """How often a client in Keycloak is looked at that was as it should be, in seconds: one read of its own, and one
    that all services of its realm share. What somebody changed is put right within that. One every two seconds at
    most."""
    client_secret_days: Annotated[float, Field(gt=0)] = 30
    """After how many days the secret of a client in Keycloak that logs in is made anew; tokens that are out stay
    good."""
    token_door: TokenDoor = TokenDoor()
    """Where the token service hands out tokens to connectors outside the cluster."""
    network_policies: bool = True
    """Make NetworkPolicies for the pods of services."""
    pod_monitor_labels: dict[str, str] = Field(default_factory=dict)
    """Labels of every PodMonitor, by which a Prometheus chooses among them."""
    watch_namespaces: list[str] = Field(default_factory=list)
    """Namespaces to serve; all of them where the list is empty."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    """Services reconciled at the same time."""
    resync_seconds: Annotated[int, Field(ge=10)] = 300
    """How often every service is looked at even when nothing happened, in seconds; two of them a second at most."""
    database_probe_seconds: Annotated[float, Field(gt=0)] = 30
    """How often a database that answers is asked again, in seconds; one every two seconds at most, five a second of
    those whose standbys are read from, and at once where pods of the service are not ready any more."""
    delivery_probe_seconds: Annotated[float, Field(ge=0)] = 300
    """How often the delivery of a service is verified while its pods stay the same, in seconds; one service every ten
    seconds at most. 0: never, such as where the operator can't reach the pods."""
    catalogue_probe_seconds: Annotated[float, Field(gt=0)] = 3600
    """How often the data of a service with a catalogue is looked at, in seconds; one service every ten seconds at
    most."""
    catalogue_publish_seconds: Annotated[float, Field(gt=0)] = 3600
    """How often the entries of a service in catalogues are looked at that were as they should be, in seconds: one read
    for each catalogue. What somebody changed is put right within that. One service every two seconds at most."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe log record that is written."""


def load(path: Path) -> OperatorSettings:
    """Read settings from a YAML file.

    Raises:
        OSError: The file can't be read.
        pydantic.ValidationError: A setting is unknown or has a wrong value.
    """
    return OperatorSettings.model_validate(yaml.safe_load(path.read_text()) or {})
