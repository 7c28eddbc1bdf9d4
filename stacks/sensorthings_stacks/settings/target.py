"""Where a city runs: on Azure, or on a cluster and a database that are there. Settings of the layers platform and city.

What the Azure layers export to these two stands in the configuration of a city on an existing cluster.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sensorthings_operator.api.base import Hostname
from sensorthings_stacks.settings.base import Settings, misplaced
from sensorthings_stacks.settings.database import Password

Target = Literal["azure", "existing"]


class ExistingCluster(Settings):
    """A Kubernetes cluster that is there."""

    context: Annotated[str, Field(min_length=1, max_length=253)]
    """Context of the kubeconfig that leads to it. Always named: the current context is nobody's choice."""
    kubeconfig: Annotated[str, Field(max_length=4096)] = ""
    """File of the kubeconfig; where it is empty, where kubectl looks for it."""


class ExistingDatabase(Settings):
    """A PostgreSQL with PostGIS that is there."""

    hosts: Annotated[list[Hostname], Field(min_length=1, max_length=9)]
    """Names of its machines, the primary first."""
    name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)] = "sensorthings"
    """Name of the database."""
    username: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)] = "sensorthings"
    """Role that FROST-Server logs in with."""
    password: Password
    """Its password."""
    certificate_authority: Annotated[str, Field(max_length=65536)] = ""
    """PEM of the authority that signed the machines' certificates. Where it is empty, connections are encrypted, and
    nothing is verified."""


class Targeted(Settings):
    """What the layers on the cluster share: which cluster it is."""

    target: Target = "azure"
    """azure: what the layers network, cluster and database made. existing: what stands under cluster and database."""
    cluster: ExistingCluster | None = None
    """The cluster of target existing."""

    @model_validator(mode="after")
    def _names_its_cluster(self) -> Self:
        needs(self, "cluster")
        return self


def needs(settings: Targeted, key: str) -> None:
    """Fail where a key of target existing is missing, or stands there although the target is azure."""
    given = getattr(settings, key) is not None
    if settings.target == "existing" and not given:
        raise misplaced(key, "is required where target is existing: there is no layer that would make it")
    if settings.target == "azure" and given:
        raise misplaced(key, "belongs to target existing: with target azure a layer makes it")
