"""The Pulumi projects in the order in which they come up, and which of them a target has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sensorthings_stacks.settings.city import CitySettings
from sensorthings_stacks.settings.cluster import ClusterSettings
from sensorthings_stacks.settings.database import DatabaseSettings
from sensorthings_stacks.settings.network import NetworkSettings
from sensorthings_stacks.settings.platform import PlatformSettings

if TYPE_CHECKING:
    from sensorthings_stacks.settings.base import Settings
    from sensorthings_stacks.settings.target import Target


@dataclass(frozen=True)
class Project:
    """A layer of a city."""

    layer: str
    """Its name, which is that of its folder."""
    settings: type[Settings]
    """What a city configures of it."""
    on_azure: bool
    """Whether it makes things of Azure, and nothing else."""

    @property
    def name(self) -> str:
        """Name of the Pulumi project, and of the namespace of its configuration."""
        return f"sensorthings-{self.layer}"


PROJECTS: Final = (
    Project("network", NetworkSettings, on_azure=True),
    Project("cluster", ClusterSettings, on_azure=True),
    Project("database", DatabaseSettings, on_azure=True),
    Project("platform", PlatformSettings, on_azure=False),
    Project("city", CitySettings, on_azure=False),
)


def of_target(target: Target) -> tuple[Project, ...]:
    """The layers of a city, in the order in which they come up."""
    return tuple(project for project in PROJECTS if target == "azure" or not project.on_azure)
