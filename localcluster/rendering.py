"""Renders the files in `templates/`: configuration of the node's daemons, and the manifests of the cluster's own
services.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - the output is configuration, never HTML
    keep_trailing_newline=True,
)


def render(name: str, **values: object) -> str:
    """The text of a template; a value that it names and is not given raises jinja2.UndefinedError."""
    return _ENVIRONMENT.get_template(name).render(**values)


def manifests(name: str, **values: object) -> list[dict[str, Any]]:
    """The Kubernetes objects of a template that is YAML."""
    return [document for document in yaml.safe_load_all(render(name, **values)) if document]
