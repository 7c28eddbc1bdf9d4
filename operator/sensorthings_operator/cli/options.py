"""Options that ``sensorthings observe`` and ``examples/hamburg/play.py`` share, and how what was typed is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sensorthings_operator.cli.access import Access, parse_address, read_credentials
from sensorthings_operator.cli.tls import Authority

if TYPE_CHECKING:
    from collections.abc import Callable

_Given = TypeVar("_Given", str, Path)
_Read = TypeVar("_Read")

CaCert = Annotated[
    Path | None,
    typer.Option("--cacert", metavar="FILE", help="Trust the CAs in this PEM file instead of the system's."),
]
ConnectTo = Annotated[
    str | None,
    typer.Option(
        "--connect-to",
        metavar="ADDRESS",
        help="Connect to this IP address instead of looking host names up; TLS and the Host header keep the name.",
    ),
]
ClientCredentialsFile = Annotated[
    Path | None,
    typer.Option(
        "--client-credentials",
        metavar="FILE",
        help="JSON with token_url, client_id, client_secret; the token goes with HTTP requests and as MQTT password.",
    ),
]


def parsed(parse: Callable[[_Given], _Read], given: _Given, option: str) -> _Read:
    """What a parser makes of an option.

    Raises:
        typer.BadParameter: with the parser's sentence; ends the command with 2.
    """
    try:
        return parse(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def access(cacert: Path | None, connect_to: str | None, client_credentials: Path | None) -> Access:
    """The options together.

    Raises:
        typer.BadParameter: one of them is wrong; ends the command with 2.
    """
    return Access(
        authority=None if cacert is None else parsed(Authority.read, cacert, "--cacert"),
        connect_to=None if connect_to is None else parsed(parse_address, connect_to, "--connect-to"),
        credentials=None
        if client_credentials is None
        else parsed(read_credentials, client_credentials, "--client-credentials"),
    )
