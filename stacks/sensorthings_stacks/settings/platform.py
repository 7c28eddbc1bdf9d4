"""Settings of the platform layer: the versions of what stands on the cluster beside our operator, and its settings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from sensorthings_stacks.settings.base import ChartVersion, Settings


class Charts(Settings):
    """Versions of the Helm charts."""

    ingress_nginx: ChartVersion
    """ingress-nginx."""
    cert_manager: ChartVersion
    """cert-manager."""
    prometheus_stack: ChartVersion
    """kube-prometheus-stack: Prometheus, Alertmanager, Grafana."""


class OperatorImage(Settings):
    """Where the operator's image lies."""

    repository: Annotated[str, Field(min_length=1, max_length=255)] = "ghcr.io/sensorthings-city/operator"
    """Repository of the image."""
    tag: str = ""
    """Tag of the image; the chart's own version where it is empty."""


class OperatorSettings(Settings):
    """The SensorThings operator."""

    image: OperatorImage = OperatorImage()
    """Its image."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Its settings, as docs/settings.md lists them."""


class PlatformSettings(Settings):
    """What every service of the city needs."""

    charts: Charts
    """Versions of the Helm charts."""
    operator: OperatorSettings = OperatorSettings()
    """The SensorThings operator."""
