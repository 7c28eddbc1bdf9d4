"""The bare service that the gate and writes with tokens are measured on."""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

from benchmarks.edge.service import PLAIN
from localcluster import images, install
from localcluster.images import pinned
from sensorthings_operator.desired.settings import OperatorSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

URL: Final = "http://127.0.0.1:{port}/FROST-Server/v1.1"


def body(spec: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The SensorThingsService."""
    return {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "SensorThingsService",
        "metadata": {"name": "floor", "namespace": "floor"},
        "spec": {**PLAIN, **(spec or {})},
    }


def settings() -> OperatorSettings:
    """The operator's, with the images of this checkout."""
    archives = images.build_all(lambda _: None, install.IMAGES)
    found = install.chart_values(archives, pinned.FROST)["settings"]["images"]
    return OperatorSettings.model_validate({"images": found})


def p50(milliseconds: list[float]) -> float:
    """The median."""
    return median(milliseconds)


def p99(milliseconds: list[float]) -> float:
    """The 99th percentile."""
    return quantiles(milliseconds, n=100)[98]
