"""What the settings of every layer share: frozen, camelCase in files, unknown keys refused."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Settings(BaseModel):
    """A frozen object of the configuration; its fields' docstrings are its documentation."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        extra="forbid",
        validate_by_name=False,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


# Azure allows more for most resources. A key vault's name is the shortest: 24 characters with our prefix and suffix.
CityName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$", min_length=2, max_length=12)]
"""Part of the names of all resources."""
IPv4Range = Annotated[IPv4Network, Field(json_schema_extra={"type": "string", "format": "ipv4network"})]
"""An IPv4 range in CIDR notation."""
VMSize = Annotated[str, Field(pattern=r"^Standard_[A-Za-z0-9_]+$", max_length=64)]
"""A size of virtual machines, by Azure's name."""
ChartVersion = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", max_length=32)]
"""Version of a Helm chart."""
