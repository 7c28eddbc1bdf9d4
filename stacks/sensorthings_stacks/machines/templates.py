"""Renders the scripts, units and settings that lie beside this package. A name that is missing is an error."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

_TEMPLATES: Final = Environment(
    loader=PackageLoader("sensorthings_stacks"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - shell scripts and configuration, no HTML; every value comes from a typed setting
)


def render(template: str, facts: dict[str, Any]) -> str:
    """A template of this package, by its name without `.j2`."""
    return _TEMPLATES.get_template(f"{template}.j2").render(facts)


def pins(name: str) -> str:
    """What a virtual environment on the machines is made of: versions and hashes."""
    return resources.files("sensorthings_stacks").joinpath("pins", f"{name}.txt").read_text(encoding="utf-8")
