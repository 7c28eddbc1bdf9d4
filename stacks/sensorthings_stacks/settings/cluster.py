"""Settings of the cluster layer: its version, its machines, who administers it, and when it may be patched."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from sensorthings_stacks.settings.base import IPv4Range, Settings, VMSize


class NodePool(Settings):
    """Machines of one size over three zones, as many as the autoscaler wants."""

    vm_size: VMSize = "Standard_D4ds_v5"
    """Size of the machines. It must have a local disk, for the operating system."""
    min_nodes: Annotated[int, Field(ge=3, le=100)] = 3
    """The least number of nodes: one in each zone."""
    max_nodes: Annotated[int, Field(ge=3, le=100)] = 6
    """The greatest number of nodes."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_nodes > self.max_nodes:
            raise ValueError(f"minNodes ({self.min_nodes}) must not be greater than maxNodes ({self.max_nodes})")
        return self


class APIServer(Settings):
    """Who reaches the Kubernetes API."""

    access: Literal["Restricted", "Private"] = "Restricted"
    """Restricted: from authorizedRanges only. Private: from the virtual network only."""
    authorized_ranges: Annotated[list[IPv4Range], Field(max_length=200)] = Field(default_factory=list)
    """Public addresses that reach the API of access Restricted. The cluster's own address is added by itself."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.access == "Restricted") != bool(self.authorized_ranges):
            raise ValueError(
                "authorizedRanges belongs to access Restricted, and needs at least one range there: "
                "without one Azure opens the API to the whole internet"
            )
        if any(given.prefixlen < 8 for given in self.authorized_ranges):
            raise ValueError("a range of authorizedRanges has a prefix shorter than /8: name the offices' addresses")
        return self


class MaintenanceWindow(Settings):
    """When Azure may patch Kubernetes and the nodes: once a week."""

    day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] = "Sunday"
    """Day of the week."""
    start: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "02:00"
    """Time of day at which it begins, hours and minutes."""
    utc_offset: Annotated[str, Field(pattern=r"^[+-](0[0-9]|1[0-4]):[0-5][0-9]$")] = "+01:00"
    """Offset of that time from UTC. It does not follow summer time."""
    hours: Annotated[int, Field(ge=4, le=24)] = 4
    """How long it lasts, in hours."""


class ClusterSettings(Settings):
    """The city's cluster (AKS)."""

    kubernetes_version: Annotated[str, Field(pattern=r"^1\.[0-9]+$")]
    """Minor version of Kubernetes; patches come by themselves in the maintenance window."""
    system_pool: NodePool = NodePool()
    """Machines of the cluster's own components. A change of vmSize replaces the pool."""
    user_pool: NodePool = NodePool(vmSize="Standard_D8ds_v5", maxNodes=10)
    """Machines of everything else."""
    administrators: Annotated[list[UUID], Field(min_length=1, max_length=20)]
    """Object ids of the Entra groups that administer the cluster."""
    api_server: APIServer
    """Who reaches the Kubernetes API."""
    maintenance: MaintenanceWindow = MaintenanceWindow()
    """When Azure may patch Kubernetes and the nodes."""
    container_insights: Annotated[str, Field(pattern=r"^(/subscriptions/\S+)?$", max_length=512)] = ""
    """Id of the Log Analytics workspace that Azure's own monitoring writes to, for money. Where it is empty, it is
    off: Prometheus of the platform layer watches the cluster."""
