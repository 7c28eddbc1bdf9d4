"""The real Helm, with no cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from localcluster.parts import HELM, ensure
from release.plain import template

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[3]
OPERATOR: Final = ROOT / "charts" / "sensorthings-operator"
CRDS: Final = ROOT / "charts" / "sensorthings-crds"


def rendered(chart: Path, values: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """What `helm template` says of values."""
    command = [str(each) for each in template(chart)]
    given = yaml.safe_dump(dict(values))
    return subprocess.run(
        [*command, "--values=-"], input=given, capture_output=True, text=True, check=False, timeout=60
    )


def linted(*charts: Path) -> subprocess.CompletedProcess[str]:
    """What `helm lint` says of charts."""
    command = [str(ensure(HELM) / "helm"), "lint", "--strict", *map(str, charts)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
