"""A copy of the stacks' configuration, and a stand-in for Pulumi's command on the PATH."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
LAYERS = ("network", "cluster", "database", "platform", "city")


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    """The projects with the cities of this repository, without their programs; they may be changed."""
    folder = tmp_path / "stacks"
    for layer in LAYERS:
        (folder / layer).mkdir(parents=True)
        for path in (ROOT / "stacks" / layer).glob("Pulumi*.yaml"):
            shutil.copy(path, folder / layer)
    (folder / ".venv").mkdir()
    return folder


class StandIn:
    """What the stand-in for `pulumi` knows and was asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.write({"stacks": {}, "calls": [], "faults": {}, "plans": {}})

    def read(self) -> dict[str, Any]:
        """All of it."""
        state: dict[str, Any] = json.loads(self._path.read_text())
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Another state."""
        self._path.write_text(json.dumps(state))

    def set(self, **changes: dict[str, Any]) -> None:
        """Faults or plans to play."""
        self.write({**self.read(), **changes})

    def calls(self, verb: str) -> list[str]:
        """The layers for which something was asked, in order."""
        found = (call.split(": ") for call in self.read()["calls"])
        return [layer for layer, words in found if words == verb]


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A stand-in for Pulumi's command, the first on the PATH. It is named as such wherever it is talked of."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "pulumi"
    source = Path(__file__).with_name("standin.py").read_text()
    command.write_text(source.replace("#!/usr/bin/env python3", f"#!{sys.executable}", 1))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    state = tmp_path / "standin.json"
    monkeypatch.setenv("PULUMI_STANDIN", str(state))
    return StandIn(state)


def encrypt(stacks: Path, name: str) -> None:
    """Put what looks like Pulumi's encryption where a city's secrets are missing."""
    secrets: dict[str, dict[str, Any]] = {
        "hamburg": {
            "database": {"passwords": ("sensorthings", "replication", "rewind"), "keycloak": ("password",)},
            "platform": {},
            "city": {"realm": ("administratorPassword",)},
        },
        "munich": {"database": {"passwords": ("sensorthings", "replication", "rewind")}},
        "smalltown": {"city": {"database": ("password",)}},
    }
    for layer, keys in secrets[name].items():
        path = stacks / layer / f"Pulumi.{name}.yaml"
        content = yaml.safe_load(path.read_text())
        for key, members in keys.items():
            whole = f"sensorthings-{layer}:{key}"
            content["config"].setdefault(whole, {}).update({each: {"secure": "v1:AAAA:BBBB"} for each in members})
        path.write_text(yaml.safe_dump(content))
