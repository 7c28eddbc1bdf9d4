"""Runs the layers' programs under mocks and holds what they asked for. Used by the tests of this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

STACKS: Final = Path(__file__).parents[2] / "stacks"
LAYERS: Final = ("network", "cluster", "database", "platform", "city")
"""In the order in which they come up."""
PASSWORDS: Final = {
    "sensorthings": "frost-$trong:\\password'1",
    "replication": "repl:pass\\word'-%1-long",
    "rewind": 'rewind"pass#word {-%s-long',
    "keycloak": "key`cloak: $(pass)\\word-long",
}
"""Held by nobody's real database. Their odd characters are what shells, psql and .pgpass give a meaning to."""
_OF_THE_CITY: Final = {role: password for role, password in PASSWORDS.items() if role != "keycloak"}
SECRETS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "hamburg": {
        "database": {"passwords": _OF_THE_CITY, "keycloak": {"password": PASSWORDS["keycloak"]}},
        "platform": {
            "keycloak": {"administratorPassword": "keycloak-admin-is-long"},
            "grafana": {
                "administratorPassword": "grafana-admin-is-long",
                "login": {"clientSecret": "grafana-client-is-long"},
            },
        },
        "city": {"realm": {"administratorPassword": "keycloak-admin-is-long"}},
    },
    "munich": {"database": {"passwords": _OF_THE_CITY}},
    "smalltown": {"city": {"database": {"password": PASSWORDS["sensorthings"]}}},
}
"""What the cities' files leave to `pulumi config set --secret`, by city and layer."""
_SECRET_MARK: Final = "4dabf18193072939515e22adb298388d"
"""Key by which Pulumi's wire format tells a special value from a map."""


@dataclass(frozen=True)
class Resource:
    """What a program asked for, in the names of the wire: camelCase."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    tags: dict[str, str] | None
    parent: str
    dependencies: list[str]
    protect: bool
    retain_on_delete: bool
    ignore_changes: list[str]
    provider: str

    @property
    def plain(self) -> Any:
        """The inputs with secrets laid open."""
        return unwrapped(self.inputs)


@dataclass(frozen=True)
class Run:
    """One run of one program."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of_type(self, ending: str) -> list[Resource]:
        """Resources whose type ends so, such as `compute:Disk`."""
        return [resource for resource in self.resources if resource.type.endswith(ending)]

    def the(self, ending: str) -> Resource:
        """The only resource of a type."""
        (resource,) = self.of_type(ending)
        return resource


@cache
def project(layer: str) -> dict[str, Any]:
    """A layer's Pulumi.yaml."""
    loaded: dict[str, Any] = yaml.safe_load((STACKS / layer / "Pulumi.yaml").read_text())
    return loaded


@cache
def configuration(layer: str, stack: str = "hamburg") -> dict[str, Any]:
    """A stack's configuration with its project's defaults, keys in full, as Pulumi joins them. Don't change it."""
    content = project(layer)
    name = content["name"]
    defaults = {f"{name}:{key}": entry["default"] for key, entry in content["config"].items() if "default" in entry}
    loaded: dict[str, Any] = yaml.safe_load((STACKS / layer / f"Pulumi.{stack}.yaml").read_text())
    given = {**defaults, **loaded["config"]}
    for key, value in SECRETS.get(stack, {}).get(layer, {}).items():
        given[f"{name}:{key}"] = _merged(given.get(f"{name}:{key}", {}), value)
    return given


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: _merged(one.get(key), value) for key, value in other.items()}}
    return other


def execute(layer: str, config: dict[str, Any], references: dict[str, Any], stack: str = "hamburg") -> Run:
    """Run a layer's program. Raises ProgramError with what it wrote when it fails."""
    name = project(layer)["name"]
    order = {
        "project": name,
        "stack": stack,
        "folder": str(STACKS / layer),
        # Pulumi passes text as it is and everything else as JSON.
        "config": {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()},
        "secret_keys": [f"{name}:{key}" for key in SECRETS.get(stack, {}).get(layer, {})],
        "references": references,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.stacks.recorder"],
        input=json.dumps(order),
        cwd=STACKS.parent,
        env={**os.environ, "PYTHONPATH": str(STACKS), "PYTHONWARNINGS": "error::UserWarning"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode != 0:
        raise ProgramError(done.stderr)
    record = json.loads(done.stdout)
    return Run([Resource(**each) for each in record["resources"]], record["outputs"])


class ProgramError(Exception):
    """A program that failed."""


def all_layers(stack: str = "hamburg", layers: Sequence[str] = LAYERS) -> dict[str, Run]:
    """Run every layer in order, each with the outputs of those before it."""
    runs: dict[str, Run] = {}
    references: dict[str, Any] = {}
    for layer in layers:
        runs[layer] = execute(layer, configuration(layer, stack), references, stack)
        references |= reference(layer, runs[layer], stack)
    return runs


def reference(layer: str, run: Run, stack: str = "hamburg") -> dict[str, Any]:
    """What a StackReference to that run answers, by its name."""
    secrets = [name for name, value in run.outputs.items() if is_secret(value)]
    answer = {"outputs": unwrapped(run.outputs), "secretOutputNames": secrets}
    return {f"city/{project(layer)['name']}/{stack}": answer}


def is_secret(value: Any) -> bool:
    """Whether a value of the wire is marked as secret."""
    return isinstance(value, dict) and _SECRET_MARK in value


def unwrapped(value: Any) -> Any:
    """A value of the wire with secrets laid open."""
    if is_secret(value):
        return unwrapped(value["value"])
    if isinstance(value, dict):
        return {key: unwrapped(member) for key, member in value.items()}
    if isinstance(value, list):
        return [unwrapped(member) for member in value]
    return value


def in_the_open(value: Any) -> list[str]:
    """Every text of a value of the wire that is not inside a secret."""
    if is_secret(value):
        return []
    if isinstance(value, dict):
        return [text for member in value.values() for text in in_the_open(member)]
    if isinstance(value, list):
        return [text for member in value for text in in_the_open(member)]
    return [value] if isinstance(value, str) else []
