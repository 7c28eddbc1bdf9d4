"""What the settings of every layer share: frozen, camelCase in files, unknown keys refused."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


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


def misplaced(key: str, message: str) -> PydanticCustomError:
    """What a validator of a whole layer raises where one of its keys does not go with another."""
    return PydanticCustomError("misplaced", "{message}", {"key": key, "message": message})


_RESERVED: Final = frozenset(
    [
        "access",
        "azure",
        "bing",
        "bizspark",
        "biztalk",
        "cortana",
        "directx",
        "dotnet",
        "dynamics",
        "excel",
        "exchange",
        "forefront",
        "groove",
        "hololens",
        "hyperv",
        "kinect",
        "lync",
        "msdn",
        "o365",
        "office",
        "office365",
        "onedrive",
        "onenote",
        "outlook",
        "powerpoint",
        "sharepoint",
        "skype",
        "visio",
        "visualstudio",
        "xbox",
    ]
)
_RESERVED_ANYWHERE: Final = ("microsoft", "windows")
_RESERVED_AT_THE_START: Final = "login"
_NAME: Final = "2 to 12 lower-case letters and digits, a letter first"


def _unreserved(name: str) -> str:
    """Azure refuses these names of what has a DNS name: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-reserved-resource-name."""
    part = next((word for word in _RESERVED_ANYWHERE if word in name), None)
    if name in _RESERVED or part or name.startswith(_RESERVED_AT_THE_START):
        raise ValueError(f"must be {_NAME}, and no name that Azure reserves, as {part or name} is")
    return name


# Azure allows more for most resources. A key vault's name is the shortest: 24 characters with our prefix and suffix.
CityName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$", min_length=2, max_length=12), AfterValidator(_unreserved)]
"""Part of the names of all resources."""
_CITY_NAME: Final = TypeAdapter(CityName)


def city_name(given: str) -> str:
    """The name of a city, if it may be one.

    Raises:
        ValueError: It does not fit into the names of Azure's resources.
    """
    try:
        return _CITY_NAME.validate_python(given)
    except ValidationError as error:
        (problem,) = error.errors(include_url=False)[:1]
        told = problem["msg"].removeprefix("Value error, ") if problem["type"] == "value_error" else f"must be {_NAME}"
        raise ValueError(
            f"the name of a city stands in the names of all its resources: it {told} (given: {given})"
        ) from None


IPv4Range = Annotated[IPv4Network, Field(json_schema_extra={"type": "string", "format": "ipv4network"})]
"""An IPv4 range in CIDR notation."""
VMSize = Annotated[str, Field(pattern=r"^Standard_[A-Za-z0-9_]+$", max_length=64)]
"""A size of virtual machines, by Azure's name."""
ChartVersion = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", max_length=32)]
"""Version of a Helm chart."""
