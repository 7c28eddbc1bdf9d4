"""``sensorthings up``: a whole city on this machine. The function is registered by the command line's entry module."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from localcluster import cluster, existing, kind
from localcluster.display import Display
from localcluster.errors import LocalClusterError
from localcluster.guide import Programs, next_commands
from localcluster.installation import REPOSITORY, Installation

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcluster.endpoints import Endpoints

EXIT_FAILED: Final = 1
DEFAULT_NAME: Final = "local"


class Output(StrEnum):
    """How the endpoints are written."""

    TEXT = "text"
    JSON = "json"


def up(  # noqa: PLR0913 - one parameter is one option of the command line
    name: Annotated[str, typer.Option(help="Name of the cluster; several stand side by side.")] = DEFAULT_NAME,
    *,
    node_only: Annotated[
        bool, typer.Option("--node-only", help="End with a node that is Ready; install nothing into it.")
    ] = False,
    context: Annotated[
        str | None, typer.Option(help="Make no cluster: install into the one of this context of a kubeconfig.")
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="With --context: the file it stands in.")
    ] = None,
    values: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="With --context: values of the operator's chart.")
    ] = None,
    with_kind: Annotated[
        bool, typer.Option("--kind", help="Make the cluster with kind, which takes Docker; without the platform.")
    ] = False,
    output: Annotated[Output, typer.Option(help="How to write the endpoints; json is one object.")] = Output.TEXT,
) -> None:
    """Bring up a real Kubernetes cluster on this machine, with a platform, the operator and a SensorThings service.

    Needs root on Debian 12 or newer. Everything is built from published sources once and cached. Called again it does
    what is missing, also after it was interrupted. The platform: metrics-server, cert-manager, ingress-nginx, Keycloak
    and Prometheus.

    With --context, operator and example are installed into a cluster that is there, and nothing else is touched. Its
    nodes must be able to pull the images. With --kind likewise, with the images built here: never tried with a real
    Docker. The example is exposed only where the cluster has what that takes.

    Ends with 0, 1 when it failed, and 2 when it was called wrongly.
    """
    _require_sense(context, with_kind, of_a_node=name != DEFAULT_NAME or node_only, files=(kubeconfig, values))
    if node_only and with_kind:
        message = "--node-only makes a node of this machine: leave --kind away"
        raise typer.BadParameter(message)
    notes = Console(stderr=True)
    remark = partial(notes.print, markup=False, highlight=False, soft_wrap=True)
    try:
        with Display(notes) as display:
            if context is not None:
                target = existing.Target(context=context, kubeconfig=kubeconfig, values=values)
                endpoints = existing.up(target, display, Installation(), remark)
            elif with_kind:
                endpoints = kind.up(name, display, Installation(), remark)
            else:
                endpoints = cluster.up(name, display, None if node_only else Installation())
    except LocalClusterError as error:
        remark(f"Error: {error}", style="red")
        raise typer.Exit(EXIT_FAILED) from error
    if output is Output.JSON:
        typer.echo(json.dumps(endpoints.as_dict(), indent=2))
    else:
        down = "" if context is not None else "down" if name == DEFAULT_NAME else f"down --name {name}"
        _show(endpoints, down, partial(Console().print, markup=False, highlight=False, soft_wrap=True))


def _require_sense(
    context: str | None, with_kind: bool, *, of_a_node: bool, files: tuple[Path | None, Path | None]
) -> None:
    wrong = ""
    if context is None and any(files):
        wrong = "--kubeconfig and --values belong to --context"
    elif context is not None and (of_a_node or with_kind):
        wrong = "--context makes no cluster: leave --name, --node-only and --kind away"
    if wrong:
        raise typer.BadParameter(wrong)


def _show(endpoints: Endpoints, down: str, write: Callable[..., None]) -> None:
    for title, value in (
        ("SensorThings API", endpoints.sensorthings),
        ("MQTT", endpoints.mqtt),
        ("MQTT over WebSocket", endpoints.websocket),
        ("Live map", endpoints.map),
        ("Keycloak", endpoints.keycloak),
        ("Prometheus", endpoints.prometheus),
        ("Trusted by", endpoints.ca),
        ("Kubernetes", endpoints.kubeconfig),
    ):
        if value:
            write(f"{title:<20} {value}")
    if endpoints.address:
        write(
            f"The names lead to {endpoints.address}: say so with --resolve and --connect-to as below, or in /etc/hosts."
        )
    sensorthings = _shortest(Path(sys.argv[0]))
    player = _shortest(REPOSITORY / "examples" / "hamburg" / "play.py")
    programs = Programs(sensorthings, _shortest(Path(sys.executable)), player)
    write("\nTry next:", *next_commands(endpoints, programs, f"{sensorthings} {down}" if down else ""), sep="\n  ")


def _shortest(path: Path) -> str:
    """The path as it is typed from here."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)
