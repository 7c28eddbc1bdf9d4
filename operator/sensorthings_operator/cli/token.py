"""``sensorthings token``: shows the token of a connector, revokes its tokens, and takes that back.

Whoever may read the connector's Secret may see the token; whoever may patch the Connector may revoke it. The token goes
to standard output, everything else to standard error.
"""

from __future__ import annotations

import binascii
import time
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from typer.core import TyperGroup

from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.connector import PLURAL
from sensorthings_operator.cli.status.cluster import AnswerError, Cluster, ClusterError
from sensorthings_operator.desired.connector.feed import (
    EVERYTHING,
    REVOKED_ANNOTATION,
    TOKEN,
    device_key,
    token_secret,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_FAILED: Final = 1

Name = Annotated[str, typer.Argument(metavar="CONNECTOR", help="Name of the Connector.")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Its namespace; the context's own if left out.")
]
Device = Annotated[str, typer.Option(help="One of its devices; the connector itself if left out.")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig; the current one if left out.")]
Kubeconfig = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="$KUBECONFIG or ~/.kube/config if left out.")
]


class _ShowsByDefault(TyperGroup):
    """``token NAME`` is ``token show NAME``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in what was left out."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


app: Final = typer.Typer(
    cls=_ShowsByDefault, help="Show the token of a connector, or revoke its tokens.", no_args_is_help=True
)


@app.command()
def show(
    name: Name,
    *,
    namespace: Namespace = None,
    device: Device = "",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print a token that is good now, by the right to read the connector's Secret."""
    _run(lambda: typer.echo(_shown(_Place.of(kubeconfig, context, namespace, name), device)))


@app.command()
def revoke(
    name: Name,
    *,
    namespace: Namespace = None,
    device: Device = "",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Mint no token any more for a connector, or for one of its devices, until ``restore``."""
    _run(lambda: _tell(_revoked(_Place.of(kubeconfig, context, namespace, name), device)))


@app.command()
def restore(
    name: Name,
    *,
    namespace: Namespace = None,
    device: Device = "",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take ``revoke`` back."""
    _run(lambda: _tell(_restored(_Place.of(kubeconfig, context, namespace, name), device)))


class _Place:
    """One Connector in one cluster."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.name = name

    @classmethod
    def of(cls, kubeconfig: Path | None, context: str | None, namespace: str | None, name: str) -> _Place:
        cluster = Cluster.connect(kubeconfig, context)
        return cls(cluster, namespace or cluster.namespace, name)

    @property
    def path(self) -> str:
        return f"/apis/{API_VERSION}/namespaces/{self.namespace}/{PLURAL}/{self.name}"

    @property
    def secret(self) -> str:
        return token_secret(self.name)

    def connector(self) -> dict[str, Any]:
        try:
            return self.cluster.get(self.path)
        except AnswerError as error:
            raise self._refused(error, f"Connector {self.namespace}/{self.name}", "get") from error

    def values(self) -> dict[str, str]:
        try:
            live = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/secrets/{self.secret}")
        except AnswerError as error:
            if error.status == 404:
                return {}
            raise self._refused(error, f"Secret {self.namespace}/{self.secret}", "get") from error
        return dict(live.get("data") or {})

    def annotate(self, value: str | None) -> None:
        try:
            self.cluster.annotate(self.path, {REVOKED_ANNOTATION: value})
        except AnswerError as error:
            raise self._refused(error, f"Connector {self.namespace}/{self.name}", "patch") from error

    def _refused(self, error: AnswerError, what: str, verb: str) -> ClusterError:
        if error.status == 404:
            return ClusterError(f"There is no {what}\n  Look with `kubectl get connectors -A`.")
        return ClusterError(f"{what} can't be asked for: {error}\n  It takes the right to {verb} it.")


def _shown(place: _Place, device: str) -> str:
    connector = place.connector()
    value = place.values().get(device_key(device) if device else TOKEN, "")
    expires = connector.get("status", {}).get("token", {}).get("expiresAt", "")
    if not value or expires <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()):
        raise ClusterError(f"{_whose(place, device)} has no token: {_why(connector, device)}")
    _tell(f"good until {expires}")
    try:
        return b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ClusterError(f"Secret {place.secret} holds no token\n  Delete it: it is made anew.") from error


def _revoked(place: _Place, device: str) -> str:
    connector = place.connector()
    if device and device not in _devices(connector):
        raise ClusterError(f"Connector {place.name} has no device {device}\n  It has: {_listed(connector)}.")
    place.annotate(",".join(sorted({*_revocations(connector), device or EVERYTHING})))
    expires = connector.get("status", {}).get("token", {}).get("expiresAt", "")
    end = (
        f"the last token is good until {expires}: FROST-Server checks its signature, and asks nobody" if expires else ""
    )
    return f"{_whose(place, device)} gets no token any more{f'; {end}' if end else ''}"


def _restored(place: _Place, device: str) -> str:
    connector = place.connector()
    before = _revocations(connector)
    left = sorted(before - {device or EVERYTHING})
    if len(left) == len(before):
        raise ClusterError(f"{_whose(place, device)} is not revoked\n  Revoked are: {', '.join(left) or 'none'}.")
    place.annotate(",".join(left) or None)
    return f"{_whose(place, device)} gets tokens again"


def _revocations(connector: dict[str, Any]) -> set[str]:
    given = connector["metadata"].get("annotations", {}).get(REVOKED_ANNOTATION, "")
    return {name.strip() for name in given.split(",") if name.strip()}


def _devices(connector: dict[str, Any]) -> list[str]:
    return [device["name"] for device in connector["spec"].get("devices", ())]


def _listed(connector: dict[str, Any]) -> str:
    return ", ".join(_devices(connector)) or "none"


def _whose(place: _Place, device: str) -> str:
    whose = f"Connector {place.namespace}/{place.name}"
    return f"Device {device} of {whose}" if device else whose


def _why(connector: dict[str, Any], device: str) -> str:
    if device and device not in _devices(connector):
        return f"there is no such device\n  It has: {_listed(connector)}."
    told = connector.get("status", {}).get("conditions", ())
    message = next((each["message"] for each in told if each["type"] == "TokenIssued"), "")
    return message or "the token service has not looked at it yet\n  Look whether its pod runs."


def _tell(text: str) -> None:
    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(text)


def _run(act: Callable[[], None]) -> None:
    try:
        act()
    except ClusterError as error:
        Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(f"Error: {error}", style="red")
        raise typer.Exit(_FAILED) from error
