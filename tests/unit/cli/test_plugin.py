"""kubectl finds the command line as its plugin, and each script calls itself by the name that was typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from localcluster.parts import KUBERNETES, ensure

_SCRIPTS: Final = Path(sys.executable).parent


def _said(*command: str | Path) -> str:
    path = f"{_SCRIPTS}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TERM": "dumb", "COLUMNS": "120"}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kubectl_lists_the_plugin() -> None:
    said = _said(ensure(KUBERNETES) / "kubectl", "plugin", "list")
    assert str(_SCRIPTS / "kubectl-sensorthings") in said.split()


def test_kubectl_runs_it_under_its_own_name() -> None:
    said = _said(ensure(KUBERNETES) / "kubectl", "sensorthings", "status", "--help")
    assert "Usage: kubectl sensorthings status" in said


def test_the_plugin_has_the_same_commands_as_the_script() -> None:
    script = _said(_SCRIPTS / "sensorthings", "--help")
    plugin = _said(ensure(KUBERNETES) / "kubectl", "sensorthings", "--help")
    assert "Usage: sensorthings [OPTIONS]" in script
    assert plugin.splitlines()[2:] == script.splitlines()[2:]
