"""Settings of the network layer: the city's address plan and its DNS names."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from sensorthings_operator.api.base import DNS_LABEL, PublicHostname
from sensorthings_stacks.settings.base import IPv4Range, Settings

_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918."""
_SMALLEST: Final = {"cluster": 24, "database": 28, "bastion": 26, "pods": 20, "services": 24}
"""The longest prefix of each range that leaves room to grow. AKS gives each node a /24 of the pods' range."""

_SUBNETS: Final = frozenset({"cluster", "database", "bastion"})


class Addresses(Settings):
    """The address plan of a city. No two ranges overlap, so that cities can be peered later."""

    network: IPv4Range = IPv4Network("10.20.0.0/16")
    """The virtual network."""
    cluster: IPv4Range = IPv4Network("10.20.0.0/20")
    """Subnet of the cluster's nodes, within the virtual network."""
    database: IPv4Range = IPv4Network("10.20.16.0/24")
    """Subnet of the database machines, within the virtual network."""
    bastion: IPv4Range | None = None
    """Subnet of Azure Bastion, within the virtual network: the administrators' way to the database machines and to the
    API of a private cluster. Where it is absent, there is no such way."""
    pods: IPv4Range = IPv4Network("10.244.0.0/16")
    """The overlay in which pods have their addresses, outside the virtual network."""
    services: IPv4Range = IPv4Network("10.96.0.0/16")
    """Addresses of Kubernetes Services, outside the virtual network."""

    @model_validator(mode="after")
    def _are_private(self) -> Self:
        for name, given in self._ranges():
            if not any(given.subnet_of(private) for private in _PRIVATE):
                raise ValueError(f"{name} ({given}) must lie within {', '.join(map(str, _PRIVATE))}")
        return self

    @model_validator(mode="after")
    def _leave_room(self) -> Self:
        for name, longest in _SMALLEST.items():
            given: IPv4Network | None = getattr(self, name)
            if given is not None and given.prefixlen > longest:
                raise ValueError(f"{name} ({given}) is too small: a /{longest} at least")
        return self

    @model_validator(mode="after")
    def _nest(self) -> Self:
        for name, given in self._subnets():
            if not given.subnet_of(self.network):
                raise ValueError(f"{name} ({given}) must lie within network ({self.network})")
        return self

    @model_validator(mode="after")
    def _are_apart(self) -> Self:
        subnets = self._subnets()
        apart = [(name, given) for name, given in self._ranges() if name not in dict(subnets)]
        for (one, first), (other, second) in (*combinations(apart, 2), *combinations(subnets, 2)):
            if first.overlaps(second):
                raise ValueError(f"{one} ({first}) and {other} ({second}) overlap: every range must be its own")
        return self

    def _ranges(self) -> list[tuple[str, IPv4Network]]:
        given = [(name, getattr(self, name)) for name in type(self).model_fields]
        return [(name, each) for name, each in given if each is not None]

    def _subnets(self) -> list[tuple[str, IPv4Network]]:
        return [(name, given) for name, given in self._ranges() if name in _SUBNETS]


class NetworkSettings(Settings):
    """The city's network, its public address and its names."""

    addresses: Addresses = Addresses()
    """The address plan."""
    dns_zone: PublicHostname
    """The DNS zone to make for the city, such as hamburg.example."""
    hosts: Annotated[
        list[Annotated[str, Field(pattern=DNS_LABEL, max_length=63)]],
        Field(min_length=1, max_length=50),
    ] = Field(default_factory=lambda: ["iot"])
    """Names within the zone that lead to the cluster's public address."""
