"""What is told of cities: their problems by file, the secrets that are not there yet, the commands to go on with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sensorthings_stacks.cities.projects import of_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sensorthings_operator.cli.city.folder import Checked
    from sensorthings_stacks.cities.city import City, Finding

ENVIRONMENT: Final = "UV_PROJECT_ENVIRONMENT=stacks/.venv uv sync --frozen --no-default-groups --group stacks"
"""Installs the Python packages of the programs, in the root of the repository."""


def shortest(path: Path) -> Path:
    """The path as it is typed from here."""
    absolute, here = path.absolute(), Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


def problems(checked: Checked) -> Iterator[str]:
    """A city's problems, by file."""
    name, found = checked.city.name, checked.problems
    if found:
        yield f"{name}: {len(found)} problem{'s' if len(found) > 1 else ''}"
        yield from _by_file(found)


def missing(city: City) -> Iterator[str]:
    """The secrets that a city lacks, and how each comes where it belongs."""
    if city.missing_secrets:
        yield f"{city.name} lacks secrets. Draw them, or type those that are there; the files keep them encrypted:"
        yield from (f"  {line}" for line in secret_commands(city))


def secret_commands(city: City) -> Iterator[str]:
    """A command for each secret that is not there yet."""
    for finding in city.missing_secrets:
        if finding.file is not None:
            folder = finding.file.parent
            path = f"sensorthings-{folder.name}:{finding.problem.path}"
            command = f"pulumi -C {shortest(folder)} config set --stack {city.name} --secret --path '{path}'"
            yield f"openssl rand -base64 30 | {command}"


def next_commands(city: City, folder: Path) -> Iterator[str]:
    """What is left to do after the files of a city are there."""
    if not (folder / ".venv").is_dir():
        yield f"{ENVIRONMENT}   # once, half a gigabyte"
    for project in of_target(city.target):
        yield f"pulumi -C {shortest(folder / project.layer)} stack init {city.name}"
    yield from secret_commands(city)
    for command in ("check", "preview", "up"):
        yield f"sensorthings city {command} {city.name}"


def _by_file(found: Iterable[Finding]) -> Iterator[str]:
    told: dict[Path | None, list[str]] = {}
    for finding in found:
        told.setdefault(finding.file, []).append(str(finding.problem).removeprefix(": "))
    for file, lines in told.items():
        indent = "  "
        if file is not None:
            yield f"  {shortest(file)}"
            indent = "    "
        yield from (f"{indent}{line}" for text in lines for line in text.splitlines())
