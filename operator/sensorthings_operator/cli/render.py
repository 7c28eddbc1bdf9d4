"""``sensorthings render``: shows the children of a manifest without a cluster, or what is wrong with it.

The function is registered by the command line's entry module.
"""

import json
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console

from sensorthings_operator.api.manifests import yaml_text
from sensorthings_operator.api.parse import InvalidSpec, Problem, member_path
from sensorthings_operator.api.sensorthingsservice import SensorThingsService
from sensorthings_operator.cli.documents import Document, UnreadableDocument, read
from sensorthings_operator.cli.validate import is_ours, validated
from sensorthings_operator.desired import children
from sensorthings_operator.desired.connector import children as connector_children
from sensorthings_operator.desired.connector.feed import Connector, Feed
from sensorthings_operator.desired.connector.grant import refusal
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings, load
from sensorthings_operator.desired.validation import validate

EXIT_INVALID: Final = 1
NO_UID: Final = "00000000-0000-0000-0000-000000000000"
"""Stands for the uid that an API server would give; owner references and seeds of hashes hold it."""


class Output(StrEnum):
    """How the children are written."""

    YAML = "yaml"
    JSON = "json"


def render(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of manifests; - is standard input.")],
    *,
    settings: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File with the settings of the operator."),
    ] = None,
    namespace: Annotated[str, typer.Option(help="Of manifests that name none.")] = "default",
    output: Annotated[Output, typer.Option(help="YAML documents, or a List as JSON.")] = Output.YAML,
) -> None:
    """Print the objects that the operator makes of a SensorThingsService, and of Connectors that name it, without a
    cluster.

    Manifests of other projects are passed over. Ends with 1 when a manifest is wrong or the file holds no
    SensorThingsService, and then prints nothing but what is wrong; with 2 when it was called wrongly.
    """
    if str(file) != "-" and (file.is_dir() or not file.exists()):
        message = f"there is no file {file}"
        raise typer.BadParameter(message, param_hint="FILE")
    try:
        operator = _settings(settings)
        services, connectors = _read(file, namespace)
        feeds = _feeds(services, connectors)
    except _Refused as error:
        _tell(error.lines)
        raise typer.Exit(EXIT_INVALID) from None
    _tell(f"{_told(each)} names a service that is not in {_name(file)}" for each in connectors if each.key not in feeds)
    made = [manifest for service in services for manifest in children(service, operator)]
    made += [manifest for feed in feeds.values() for manifest in connector_children(feed, operator)]
    sys.stdout.write(_json(made) if output is Output.JSON else _yaml(made))


class _Refused(Exception):  # noqa: N818 - carries lines for people, never seen outside
    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__()
        self.lines = tuple(lines)


def _settings(file: Path | None) -> OperatorSettings:
    if file is None:
        return OperatorSettings()
    try:
        return load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _Refused([f"Error: {file} can't be read: {' '.join(str(error).split())}"]) from error
    except ValidationError as error:
        wrong = [f"  {member_path('', *each['loc'])}: {each['msg']}" for each in error.errors(include_url=False)]
        raise _Refused([f"Error: {file} holds no settings of the operator", *wrong]) from error


def _tell(lines: Iterable[str]) -> None:
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line, style="red" if line.startswith("Error") else None)


def _read(file: Path, namespace: str) -> tuple[list[Service], list[Connector]]:
    """The services and connectors of a file, once all its manifests of our kinds are right."""
    try:
        documents = [document for document in read(file) if is_ours(document.manifest)]
    except UnreadableDocument as error:
        raise _Refused([f"Error: {_name(file)}: {error}"]) from error
    services, connectors, wrong = list[Service](), list[Connector](), list[str]()
    for document in documents:
        try:
            parsed = validated(document.manifest)
            if isinstance(parsed, SensorThingsService):
                services.append(_service(document.manifest["metadata"], parsed, namespace))
            else:
                connectors.append(Connector(**_identity(document.manifest["metadata"], namespace), spec=parsed.spec))
        except InvalidSpec as error:
            wrong += _explained(file, document, error.problems)
    if wrong:
        raise _Refused(wrong)
    if not services:
        raise _Refused([f"Error: {_name(file)} holds no SensorThingsService: there is nothing to render"])
    return services, connectors


def _feeds(services: Iterable[Service], connectors: Iterable[Connector]) -> dict[tuple[str, str], Feed]:
    """The connectors whose services are there, and let them in, by namespace and name."""
    by_key = {service.key: service for service in services}
    named = [Feed(each, by_key[each.service_key]) for each in connectors if each.service_key in by_key]
    refused = [(feed, told) for feed in named if (told := refusal(feed.connector, feed.service))]
    if refused:
        raise _Refused(f"Error: {_told(feed.connector)}: {told}" for feed, told in refused)
    return {feed.connector.key: feed for feed in named}


def _told(connector: Connector) -> str:
    return f"Connector {connector.namespace}/{connector.name}"


def _service(metadata: dict[str, Any], parsed: SensorThingsService, namespace: str) -> Service:
    problems = tuple(Problem(problem.path, None, problem.message) for problem in validate(parsed.spec))
    if problems:
        raise InvalidSpec(problems)
    return Service(**_identity(metadata, namespace), spec=parsed.spec)


def _identity(metadata: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {
        "name": metadata["name"],
        "namespace": metadata.get("namespace") or namespace,
        "uid": metadata.get("uid") or NO_UID,
        "generation": metadata.get("generation") or 1,
    }


def _explained(file: Path, document: Document, problems: tuple[Problem, ...]) -> list[str]:
    return [f"Error: {_name(file)}, {document}", *(f"  {problem}" for problem in problems)]


def _name(file: Path) -> str:
    return "standard input" if str(file) == "-" else str(file)


def _json(manifests: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}, indent=2, ensure_ascii=False) + "\n"


def _yaml(manifests: list[dict[str, Any]]) -> str:
    return "".join(f"---\n{yaml_text(manifest)}" for manifest in manifests)
