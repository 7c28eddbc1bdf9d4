"""``sensorthings up``: a whole city on this machine. The function is registered by the command line's entry module."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from localcluster import cluster
from localcluster.display import Display
from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from localcluster.cluster import Endpoints

EXIT_FAILED: Final = 1
DEFAULT_NAME: Final = "local"


class Output(StrEnum):
    """How the endpoints are written."""

    TEXT = "text"
    JSON = "json"


def up(
    name: Annotated[str, typer.Option(help="Name of the cluster; several stand side by side.")] = DEFAULT_NAME,
    *,
    node_only: Annotated[
        bool, typer.Option("--node-only", help="End with a node that is Ready; install no operator and no example.")
    ] = False,
    output: Annotated[Output, typer.Option(help="How to write the endpoints; json is one object.")] = Output.TEXT,
) -> None:
    """Bring up a real Kubernetes cluster on this machine, with the operator and a SensorThings service in it.

    Needs root on Debian 12 or newer. Everything is built from published sources once and cached. Called again it does
    what is missing, also after it was interrupted. Ends with 0, 1 when it failed, and 2 when it was called wrongly.
    """
    notes = Console(stderr=True)
    installation = None if node_only else cluster.Installation()
    try:
        with Display(notes) as display:
            endpoints = cluster.up(name, display, installation)
    except LocalClusterError as error:
        notes.print(f"Error: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(EXIT_FAILED) from error
    if output is Output.JSON:
        typer.echo(json.dumps(endpoints.as_dict(), indent=2))
    else:
        _show(name, endpoints, Console())


def _show(name: str, endpoints: Endpoints, console: Console) -> None:
    for title, value in (
        ("SensorThings API", endpoints.sensorthings),
        ("MQTT", endpoints.mqtt),
        ("MQTT over WebSocket", endpoints.websocket),
        ("Kubernetes", f"export KUBECONFIG={endpoints.kubeconfig} PATH={Path(endpoints.kubectl).parent}:$PATH"),
    ):
        if value:
            console.print(f"{title:<20} {value}", soft_wrap=True, markup=False, highlight=False)
    commands = next_commands(name, endpoints)
    console.print("\nTry next:", *commands, sep="\n  ", soft_wrap=True, markup=False, highlight=False)


def next_commands(name: str, endpoints: Endpoints) -> list[str]:
    """What to type next, as it works from the folder that the command was called in."""
    sensorthings = _shortest(Path(sys.argv[0]))
    named = "" if name == DEFAULT_NAME else f" --name {name}"
    commands = ["kubectl get pods --all-namespaces", f"{sensorthings} down{named}"]
    if endpoints.sensorthings:
        where = "" if name == DEFAULT_NAME else f" --url {endpoints.sensorthings} --mqtt {endpoints.mqtt}"
        player = _shortest(cluster.REPOSITORY / "examples" / "hamburg" / "play.py")
        commands[:0] = [
            f"curl '{endpoints.sensorthings}/Things'",
            f"{_shortest(Path(sys.executable))} {player}{where} --duration 60",
            f"{sensorthings} observe{where}    # in another terminal, meanwhile",
            "kubectl get sensorthingsservices --all-namespaces",
        ]
    return commands


def _shortest(path: Path) -> str:
    """The path as it is typed from here."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)
