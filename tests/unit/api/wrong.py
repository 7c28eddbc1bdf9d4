"""Reads ``wrong.yaml``, the table of manifests that are wrong in one way each."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.unit.api.examples import CONNECTOR, SERVICE, SMALL_SERVICE, Manifest

_BASES: Final = {"service": SERVICE, "small service": SMALL_SERVICE, "connector": CONNECTOR}


@dataclass(frozen=True)
class Wrong:
    """One way to be wrong."""

    name: str
    manifest: Manifest
    path: str
    """Where it is wrong."""
    says: tuple[str, ...]
    """What the API server says there."""
    offline: tuple[str, ...]
    """What offline validation says there."""


def _changed(base: Manifest, setting: Mapping[str, Any], removing: list[str]) -> Manifest:
    manifest = deepcopy(base)
    for path in (*setting, *removing):
        *parents, last = path.split(".")
        target = manifest
        for parent in parents:
            target = target.setdefault(parent, {})
        if path in setting:
            target[last] = setting[path]
        else:
            del target[last]
    return manifest


def _wrong(row: Mapping[str, Any]) -> Wrong:
    setting, removing = row.get("set", {}), row.get("remove", [])
    return Wrong(
        name=row["name"],
        manifest=_changed(_BASES[row.get("base", "service")], setting, removing),
        path=row["path"] if "path" in row else next(iter([*setting, *removing])),
        says=tuple(row["says"]),
        offline=tuple(row.get("offline", row["says"])),
    )


WRONG: Final = [_wrong(row) for row in yaml.safe_load(Path(__file__).with_name("wrong.yaml").read_text())]
