"""Renders the files in `templates/`: configuration of the node's daemons, and the manifests of what runs in the cluster
beside the operator.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent
_ENVIRONMENT = Environment(
    loader=FileSystemLoader([_FOLDER / "templates", _FOLDER / "addons" / "templates"]),
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


def digest(text: str) -> str:
    """Goes on a pod as an annotation, so that the pod is made anew when its configuration changes."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
