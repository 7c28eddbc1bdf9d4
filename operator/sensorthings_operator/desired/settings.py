"""The operator's own settings: what its administrator decides for all services.

Read from the YAML file that the chart mounts; the command line reads the same file for ``render``.
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field

from sensorthings_operator.api.base import Model


class Images(Model):
    """Which image plays which role. ``{version}`` stands for the service's spec.version."""

    frost_http: str = "docker.io/fraunhoferiosb/frost-server-http:{version}"
    """FROST-Server's HTTP module."""
    frost_mqtt: str = "docker.io/fraunhoferiosb/frost-server-mqtt:{version}"
    """FROST-Server's MQTT module."""
    mosquitto: str = "docker.io/library/eclipse-mosquitto:2.0.22"
    """The message bus; mosquitto 2 or later."""
    postgresql: str = "docker.io/postgis/postgis:15-3.4"
    """PostgreSQL with PostGIS: bash, initdb and postgres on the PATH, user 999."""


class OperatorSettings(Model):
    """Settings for all services of a cluster."""

    model_config = ConfigDict(extra="forbid")

    images: Images = Images()
    """Images by role."""
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """Pull policy of every container."""
    cluster_domain: str = "cluster.local"
    """DNS domain of the cluster."""
    watch_namespaces: list[str] = Field(default_factory=list)
    """Namespaces to serve; all of them where the list is empty."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    """Services reconciled at the same time."""
    resync_seconds: Annotated[int, Field(ge=10)] = 300
    """How often every service is looked at even when nothing happened, in seconds."""
    database_probe_seconds: Annotated[float, Field(gt=0)] = 30
    """How often a database that answers is asked again, in seconds."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe log record that is written."""


def load(path: Path) -> OperatorSettings:
    """Read settings from a YAML file.

    Raises:
        OSError: The file can't be read.
        pydantic.ValidationError: A setting is unknown or has a wrong value.
    """
    return OperatorSettings.model_validate(yaml.safe_load(path.read_text()) or {})
