"""One city as its files describe it: settings of each layer, and whatever is wrong with them one by one.

Secrets are encrypted in the files, or not there yet; text of the right length stands in for them, so that the rest is
checked all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sensorthings_operator.api.parse import quoted
from sensorthings_stacks.cities import files
from sensorthings_stacks.cities.projects import PROJECTS, Project
from sensorthings_stacks.settings.base import Settings, city_name
from sensorthings_stacks.settings.reading import ConfigurationError, Problem, empty, keys, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sensorthings_stacks.settings.target import Target

_Layer = TypeVar("_Layer", bound=Settings)
_LOCATION: Final = "azure-native:location"
_DEFAULT_PROVIDERS: Final = "pulumi:disable-default-providers"


@dataclass(frozen=True)
class Finding:
    """Something wrong with a city's files."""

    file: Path | None
    """Where it stands; None where it is of the city as a whole."""
    problem: Problem
    """What it is."""

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file is not None else ""
        return f"{where}{self.problem}"


@dataclass(frozen=True)
class City:
    """A city's configuration."""

    name: str
    """Its name."""
    files: Mapping[str, files.StackFile] = field(default_factory=dict)
    """Those of its files that can be read, by layer."""
    settings: Mapping[str, Settings] = field(default_factory=dict)
    """Settings of the layers of which nothing is wrong."""
    problems: Sequence[Finding] = ()
    """What is wrong."""
    missing_secrets: Sequence[Finding] = ()
    """Secrets that are not there yet."""

    @property
    def target(self) -> Target:
        """Where it runs, as its platform says; as its city layer does where there is none."""
        told = (self.given(layer, "target") for layer in ("platform", "city"))
        return "existing" if next((each for each in told if each is not None), "azure") == "existing" else "azure"

    def given(self, layer: str, key: str) -> Any:
        """A value of a file as it stands there; None where it does not."""
        file = self.files.get(layer)
        return None if file is None else file.values.get(f"sensorthings-{layer}:{key}")

    def layer(self, kind: type[_Layer]) -> _Layer | None:
        """The settings of a layer; None where something is wrong with them."""
        return next((each for each in self.settings.values() if isinstance(each, kind)), None)

    def location(self, layer: str) -> str | None:
        """The region of Azure that a layer's file names."""
        file = self.files.get(layer)
        given = None if file is None else file.values.get(_LOCATION)
        return given if isinstance(given, str) else None

    def path(self, layer: str) -> Path | None:
        """The file of a layer."""
        file = self.files.get(layer)
        return None if file is None else file.path


def read(folder: Path, name: str) -> City:
    """A city from the files in the folders of the projects."""
    found: dict[str, files.StackFile] = {}
    problems: list[Finding] = []
    try:
        city_name(name)
    except ValueError as error:
        problems.append(Finding(None, Problem("", None, str(error))))
    for project in PROJECTS:
        path = files.path_of(folder, project.layer, name)
        try:
            file = files.read(path)
        except files.UnreadableFile as error:
            problems.append(Finding(path, Problem("", None, str(error))))
            continue
        if file is not None:
            found[project.layer] = file
    settings: dict[str, Settings] = {}
    missing: list[Finding] = []
    for project in PROJECTS:
        if project.layer in found:
            file = found[project.layer]
            layer, wrong, absent = _settings(project, file.values)
            problems += [Finding(file.path, each) for each in wrong]
            missing += [Finding(file.path, each) for each in absent]
            if layer is not None:
                settings[project.layer] = layer
    return City(name, found, settings, tuple(problems), tuple(missing))


def _settings(project: Project, values: Mapping[str, Any]) -> tuple[Settings | None, list[Problem], list[Problem]]:
    """A layer's settings, what is wrong with them, and which secrets are not there yet."""
    wrong = [*_misplaced(project, values), *_providers(project, values)]
    given = {key.removeprefix(f"{project.name}:"): value for key, value in values.items()}
    # Encrypted as a whole: it is there, and that is all that can be known.
    opaque = {key for key, value in given.items() if _is_encrypted(value)}
    own = {key: _readable(value) for key, value in given.items() if key not in opaque}
    missing: dict[str, Problem] = {}
    # A secret's object may be missing as a whole, then each of its members is.
    while True:
        texts = {key: value if isinstance(value, str) else json.dumps(value, default=str) for key, value in own.items()}
        try:
            settings = parse(project.settings, texts.get)
        except ConfigurationError as error:
            absent = [problem for problem in error.problems if problem.missing_secret]
            if len(absent) < len(error.problems):
                others = [problem for problem in error.problems if not problem.missing_secret]
                return None, [*wrong, *others], [*missing.values(), *absent]
            for problem in absent:
                filled = empty(project.settings, problem.path)
                _put(own, problem.path.split("."), filled)
                if isinstance(filled, str) and problem.path.split(".")[0] not in opaque:
                    missing[problem.path] = problem
        else:
            return settings, wrong, list(missing.values())


def _is_encrypted(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _readable(value: Any) -> Any:
    """A value with text in the place of what Pulumi encrypted."""
    if _is_encrypted(value):
        return "a stand-in for the secret"
    if isinstance(value, dict):
        return {key: _readable(member) for key, member in value.items()}
    return [_readable(member) for member in value] if isinstance(value, list) else value


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        values = values[part]
    values[path[-1]] = value


def _misplaced(project: Project, values: Mapping[str, Any]) -> Iterator[Problem]:
    """Keys that Pulumi would carry along without a word, and values that YAML reads otherwise than they look."""
    known = keys(project.settings)
    for whole, value in values.items():
        namespace, _, key = whole.partition(":")
        if namespace.startswith("sensorthings-") and namespace != project.name:
            yield Problem(whole, None, f"is of another layer: the keys here begin with {project.name}:")
        elif namespace == project.name and key not in known:
            yield Problem(key, None, f"is not a key: keys here are {', '.join(known)}")
        elif namespace == project.name and known[key] == "string" and not isinstance(value, str | dict):
            yield Problem(key, quoted(value), "must be text: put it into quotation marks, YAML reads something else")


def _providers(project: Project, values: Mapping[str, Any]) -> Iterator[Problem]:
    if project.on_azure and not isinstance(values.get(_LOCATION), str):
        yield Problem(_LOCATION, None, "is required: the region of Azure, such as germanywestcentral")
    if not project.on_azure and not {"kubernetes", "*"} & set(values.get(_DEFAULT_PROVIDERS) or ()):
        told = "must be [kubernetes]: an object that names no cluster would go wherever kubectl points"
        yield Problem(_DEFAULT_PROVIDERS, None, told)
