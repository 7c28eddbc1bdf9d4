"""``sensorthings database status``: a table of the servers. Registered by the command line's entry module."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer evaluates it
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from sensorthings_operator.cli.arrival import printable
from sensorthings_operator.cli.database.figures import Server, told
from sensorthings_operator.cli.doctor.cluster import service
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.sizes import size
from sensorthings_operator.cli.status.cluster import Cluster, ClusterError
from sensorthings_operator.conditions.database import DATABASE_REACHABLE
from sensorthings_operator.conditions.replication import DATABASE_REPLICATED
from sensorthings_operator.desired.settings import OperatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensorthings_operator.cli.status.snapshot import Object

EXIT_FAILED: Final = 1
EXIT_NOT_WELL: Final = 3
_CONDITIONS: Final = (DATABASE_REACHABLE.type, DATABASE_REPLICATED.type)

app: Final = typer.Typer(help="The servers of a service's database.", no_args_is_help=True)


class Output(StrEnum):
    """How the servers are written."""

    TEXT = "text"
    JSON = "json"


@app.callback()
def database() -> None:
    """Without it, typer would take the only command for the whole."""


@app.command()
def status(  # noqa: PLR0913 - one parameter is one option of the command line
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a SensorThingsService.")],
    *,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Its namespace; looked for in all if left out.")
    ] = None,
    operator_namespace: Annotated[str, typer.Option(help="Where the operator runs.")] = OperatorSettings().namespace,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig; the current one if left out.")] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="$KUBECONFIG or ~/.kube/config if left out."),
    ] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="A table, or an object.")] = Output.TEXT,
) -> None:
    """Show the servers of a database: role, version, lag, connections, as the operator saw them at its last look.

    It reads the operator's metrics through the API server, by the right to get pods/proxy; without that right it shows
    the roles in the service's status.

    Ends with 0 when the database is reachable and its standbys follow, 1 when it failed, 2 when it was called wrongly,
    and 3 when something is wrong with it.
    """
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    try:
        cluster = Cluster.connect(kubeconfig, context)
        live = service(cluster, namespace, name)
        found, note = _found(cluster, operator_namespace, live)
    except (ClusterError, SensorThingsError) as error:
        notes.print(f"Error: {error}", style="red")
        raise typer.Exit(EXIT_FAILED) from error
    if note is not None:
        notes.print(str(note), style="yellow")
    conditions = [each for each in live.get("status", {}).get("conditions", ()) if each["type"] in _CONDITIONS]
    if output is Output.JSON:
        typer.echo(json.dumps(_record(found, conditions), indent=2, ensure_ascii=False))
    else:
        _show(found, conditions)
    well = bool(conditions) and all(each["status"] == "True" for each in conditions)
    raise typer.Exit(0 if well else EXIT_NOT_WELL)


def _found(cluster: Cluster, namespace: str, live: Object) -> tuple[tuple[Server, ...], SensorThingsError | None]:
    try:
        return told(cluster, namespace, live), None
    except SensorThingsError as error:
        hosts = live.get("status", {}).get("database", {}).get("hosts", ())
        return tuple(Server(each["host"], role=each["role"]) for each in hosts), error


def _record(found: Iterable[Server], conditions: Iterable[dict[str, Any]]) -> dict[str, Any]:
    fields = ("type", "status", "reason", "message")
    return {
        "servers": [server.record() for server in found],
        "conditions": [{name: condition[name] for name in fields} for condition in conditions],
    }


def _show(found: Iterable[Server], conditions: Iterable[dict[str, Any]]) -> None:
    console = Console(markup=False, highlight=False, soft_wrap=True)
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="")
    for title in ("HOST", "ROLE", "VERSION", "LAG", "SYNC", "CONNECTIONS", "SIZE"):
        table.add_column(title, no_wrap=True)
    for server in found:
        table.add_row(*_cells(server))
    if table.row_count:
        console.print(table)
    for each in conditions:
        console.print(f"{each['type']} {each['status']}, {each['reason']}: {printable(each['message'])}")


def _cells(server: Server) -> tuple[str, ...]:
    role = "does not answer" if server.answers is False else server.role
    return (
        printable(server.host),
        printable(role) or "-",
        printable(server.version) or "-",
        _lag(server),
        printable(server.sync) or "-",
        "-" if server.connections is None else f"{server.connections:.0f} of {server.connection_limit or 0:.0f}",
        "-" if server.size_bytes is None else size(server.size_bytes),
    )


def _lag(server: Server) -> str:
    if server.lag_bytes is None:
        return "-"
    seconds = "unknown" if server.lag_seconds is None else f"{server.lag_seconds:.1f} s"
    return f"{seconds}, {size(server.lag_bytes)}"
