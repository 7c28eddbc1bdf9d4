"""``sensorthings status``: a service and its parts. The function is registered by the command line's entry module."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer evaluates it
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sensorthings_operator.cli.status.assembly import overview
from sensorthings_operator.cli.status.cluster import Cluster, ClusterError, NotInstalledError
from sensorthings_operator.cli.status.text import Drawing

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from sensorthings_operator.cli.status.model import Overview

EXIT_FAILED: Final = 1
EXIT_NOT_READY: Final = 3
EXIT_NOT_THERE: Final = 4

_SECONDS: Final = 2.0
"""Between two looks at the cluster."""


class Output(StrEnum):
    """How the status is written."""

    TEXT = "text"
    JSON = "json"


def status(  # noqa: PLR0913 - one parameter is one option of the command line
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of a SensorThingsService; all of them if left out.")
    ] = None,
    *,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Its namespace; all namespaces if left out.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig; the current one if left out.")] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="$KUBECONFIG or ~/.kube/config if left out."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it, until Ctrl-C.")] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A tree, or an object; with --watch one a line, for each change.")
    ] = Output.TEXT,
) -> None:
    """Show a service, and its parts down to the pods: what is, what is wrong, and what to do. Changes nothing.

    Ends with 0 when every service shown is Ready, 1 when it failed, 2 when it was called wrongly, 3 when one is not
    Ready, and 4 when none is there. With --watch, by what was shown last.
    """
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    try:
        cluster = Cluster.connect(kubeconfig, context)
        look = _Look(cluster, namespace, name)
        seen = _watched(look, output) if watch else _once(look, output)
    except ClusterError as error:
        notes.print(f"Error: {error}", style="red")
        raise typer.Exit(EXIT_NOT_THERE if isinstance(error, NotInstalledError) else EXIT_FAILED) from error
    if not seen.services and not watch:
        notes.print(f"There is no SensorThingsService{look.place()}.")
    raise typer.Exit(0 if seen.ready else EXIT_NOT_READY if seen.services else EXIT_NOT_THERE)


class _Look:
    """What was asked for, to be looked at again and again."""

    def __init__(self, cluster: Cluster, namespace: str | None, name: str | None) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name

    def __call__(self) -> Overview:
        return overview(self._cluster.read(self._namespace, self._name))

    def place(self) -> str:
        """What was asked for, after a noun."""
        named = f" '{self._name}'" if self._name else ""
        return f"{named} in {f'namespace {self._namespace}' if self._namespace else 'any namespace'}"


def _once(look: _Look, output: Output) -> Overview:
    seen = look()
    if output is Output.JSON:
        typer.echo(json.dumps(seen.record(), indent=2, ensure_ascii=False))
    else:
        console = _console()
        console.print(_drawn(seen, console))
    return seen


def _watched(look: _Look, output: Output) -> Overview:
    """Show, until Ctrl-C; what was shown last. Where the cluster does not answer any more, that is said."""
    console = _console()
    if output is Output.JSON or not console.is_terminal:
        return _follow(look, _Lines(console, output))
    with Live(console=console, auto_refresh=False) as live:
        return _follow(look, _Screen(console, live, look.place()))


def pause() -> None:
    """Wait before the next look."""
    time.sleep(_SECONDS)


def _follow(look: _Look, show: Callable[[Overview, str | None], None]) -> Overview:
    """Look, and show what was seen last and why nothing newer is, until interrupted. The first look must succeed."""
    seen = look()
    show(seen, None)
    try:
        while True:
            pause()
            try:
                seen, stale = look(), None
            except ClusterError as error:
                stale = str(error)
            show(seen, stale)
    except KeyboardInterrupt:
        return seen


class _Screen:
    """Draws in place."""

    def __init__(self, console: Console, live: Live, place: str) -> None:
        self._console, self._live, self._place = console, live, place
        self._answered = datetime.now(UTC)

    def __call__(self, seen: Overview, stale: str | None) -> None:
        drawn = _drawn(seen, self._console) if seen.services else Text(f"No SensorThingsService{self._place} yet.")
        if stale is None:
            self._answered = datetime.now(UTC)
            self._live.update(drawn, refresh=True)
        else:
            warning = Text(f"As of {self._answered:%H:%M:%S} UTC; since then: {stale}", style="red")
            self._live.update(Group(warning, drawn), refresh=True)


class _Lines:
    """Writes what changed, one after the other: for files, pipes and programs."""

    def __init__(self, console: Console, output: Output) -> None:
        self._console, self._output = console, output
        self._last: Overview | None = None
        self._notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)

    def __call__(self, seen: Overview, stale: str | None) -> None:
        if stale is not None:
            self._notes.print(stale, style="red")
        if seen == self._last:
            return
        self._last = seen
        if self._output is Output.JSON:
            typer.echo(json.dumps(seen.record(), ensure_ascii=False))
        else:
            self._console.print(_drawn(seen, self._console))


def _drawn(seen: Overview, console: Console) -> RenderableType:
    return Drawing(datetime.now(UTC), unicode=console.encoding.startswith("utf")).overview(seen)


def _console() -> Console:
    return Console(markup=False, highlight=False)
