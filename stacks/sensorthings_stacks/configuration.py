"""Reads a project's configuration once, whole, before anything is created. The first line of every program."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pulumi

from sensorthings_stacks.settings.base import Settings
from sensorthings_stacks.settings.reading import parse

if TYPE_CHECKING:
    from pydantic import SecretStr

_Layer = TypeVar("_Layer", bound=Settings)


def read(layer: type[_Layer]) -> _Layer:
    """The settings of the program that runs.

    Raises:
        ConfigurationError: Something is missing, unknown, of the wrong type or not allowed.
    """
    config, stack = pulumi.Config(), pulumi.get_stack()
    remedy = f"Pulumi.{stack}.yaml holds it, Pulumi.yaml says what each key means."
    return parse(layer, config.get, remedy)


def secret(value: SecretStr) -> pulumi.Output[str]:
    """A password for a resource: Pulumi encrypts it wherever it goes."""
    return pulumi.Output.secret(value.get_secret_value())
