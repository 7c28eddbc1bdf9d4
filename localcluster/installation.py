"""What `up` installs into a cluster. Used by its three ways: a node of this machine, kind, a cluster one has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster import addons

if TYPE_CHECKING:
    from localcluster.addons import AddOn

REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is installed into the cluster.

    Args:
        crds: Folder of the custom resource definitions.
        chart: Folder of the operator's Helm chart.
        example: Manifest of the service that is applied; its first service's endpoints are made reachable. None: the
            operator waits for services.
        add_ons: What a city's cluster has beside the operator; tests choose fewer with `addons.choose`.
    """

    crds: Path = REPOSITORY / "crds"
    chart: Path = REPOSITORY / "charts" / "sensorthings-operator"
    example: Path | None = REPOSITORY / "examples" / "hamburg" / "traffic-lights.yaml"
    add_ons: tuple[AddOn, ...] = addons.PLATFORM

    def has(self, add_on: AddOn) -> bool:
        """Whether an add-on is installed."""
        return any(each.name == add_on.name for each in self.add_ons)
