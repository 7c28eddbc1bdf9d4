"""``sensorthings doctor``: a service's identity, checked. Registered by the command line's entry module."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer evaluates it
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from sensorthings_operator.cli.arrival import printable
from sensorthings_operator.cli.doctor.asking import Asked, look
from sensorthings_operator.cli.doctor.cluster import as_told, service
from sensorthings_operator.cli.doctor.findings import Finding, State, problem, record, well
from sensorthings_operator.cli.doctor.judging import judge
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.options import CaCert, ConnectTo, access, parsed
from sensorthings_operator.cli.status.cluster import Cluster, ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_WRONG: Final = 1
_STYLES: Final = {State.OK: "green", State.PROBLEM: "bold red", State.SKIPPED: "dim"}


class Output(StrEnum):
    """How the findings are written."""

    TEXT = "text"
    JSON = "json"


def doctor(  # noqa: PLR0913 - one parameter is one option of the command line
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a SensorThingsService.")],
    *,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Its namespace; looked for in all if left out.")
    ] = None,
    connector: Annotated[
        str | None,
        typer.Option(
            metavar="[NAMESPACE/]NAME", help="Look also at the token of this Connector; it takes the right to read it."
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Look also at the access token in this file.")
    ] = None,
    cacert: CaCert = None,
    connect_to: ConnectTo = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig; the current one if left out.")] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="$KUBECONFIG or ~/.kube/config if left out."),
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A line for each check, or an object.")
    ] = Output.TEXT,
) -> None:
    """Check who may read and write a service, from Keycloak to its endpoints, and say what is wrong and what to do.

    It creates nothing: what it sends to be stored is nothing that could be. A token is never shown.

    Ends with 0 when nothing is wrong, 1 when something is, and 2 when it was called wrongly.
    """
    if connector is not None and token_file is not None:
        message = "give --connector or --token-file, not both"
        raise typer.BadParameter(message)
    asked = Asked(
        access=access(cacert, connect_to, None),
        connector=None if connector is None else parsed(_connector, connector, "--connector"),
        token=None if token_file is None else (parsed(_read, token_file, "--token-file"), str(token_file)),
    )
    title = f"{namespace}/{name}" if namespace else name
    try:
        cluster = Cluster.connect(kubeconfig, context)
        live = service(cluster, namespace, name)
        title = f"{live['metadata']['namespace']}/{name}"
        findings = judge(look(cluster, live, asked))
    except ClusterError as error:
        told = as_told(error)
        findings = (problem("cluster", f"{told.what} ({told.where})", told.remedy),)
    except SensorThingsError as error:
        findings = (problem("service", f"{error.what} ({error.where})", error.remedy),)
    if output is Output.JSON:
        typer.echo(json.dumps(record(title, findings), indent=2, ensure_ascii=False))
    else:
        _show(findings)
    raise typer.Exit(0 if well(findings) else EXIT_WRONG)


def _connector(text: str) -> tuple[str, str]:
    """Namespace, empty where none is given, and name."""
    namespace, _, name = text.rpartition("/")
    if not name or "/" in namespace:
        message = f"'{text}' is not like counter or hamburg/counter"
        raise ValueError(message)
    return namespace, name


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        message = f"{file} can't be read: {error.strerror}"
        raise ValueError(message) from error
    except UnicodeDecodeError:
        message = f"{file} holds no token: it is no plain text"
        # Not the cause: it knows what stood in the file.
        raise ValueError(message) from None


def _show(findings: Sequence[Finding]) -> None:
    console = Console(markup=False, highlight=False, soft_wrap=True)
    width = max(len(each.check) for each in findings)
    for each in findings:
        head = Text.assemble((f"{each.state.value:<8}", _STYLES[each.state]), f" {each.check:<{width}}  ")
        console.print(head.append(printable(each.message)))
        if each.remedy:
            console.print(f"{'':<8} {'':<{width}}  remedy: {printable(each.remedy)}")
