"""Finds and reads the configuration of cities: ``Pulumi.NAME.yaml`` in the folder of each project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from sensorthings_operator.api.manifests import UniqueKeyLoader
from sensorthings_stacks.cities.projects import PROJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PREFIX: Final = "Pulumi."
_SUFFIX: Final = ".yaml"


class UnreadableFile(ValueError):  # noqa: N818 - it is the file that is unreadable
    """A file that can't be read, or holds no configuration; the message says why."""


@dataclass(frozen=True)
class StackFile:
    """The configuration of one layer of one city."""

    path: Path
    """Where it stands."""
    values: Mapping[str, Any]
    """What stands under ``config``, by its whole key."""


def path_of(folder: Path, layer: str, city: str) -> Path:
    """The file of a layer of a city."""
    return folder / layer / f"{_PREFIX}{city}{_SUFFIX}"


def cities(folder: Path) -> list[str]:
    """The names of all cities of a folder of projects, in alphabetical order."""
    found = (path for project in PROJECTS for path in (folder / project.layer).glob(f"{_PREFIX}*{_SUFFIX}"))
    return sorted({path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for path in found})


def read(path: Path) -> StackFile | None:
    """A layer's configuration; None where there is no such file.

    Raises:
        UnreadableFile: It can't be read, is no YAML, or holds something else.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"can't be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        raise UnreadableFile(f"is no YAML: {where}{error.problem}") from error
    except yaml.YAMLError as error:
        raise UnreadableFile(f"is no YAML: {' '.join(str(error).split())}") from error
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict) or not all(isinstance(key, str) and ":" in key for key in config):
        raise UnreadableFile("must hold an object `config` whose keys are PROJECT:KEY")
    return StackFile(path, config)
