"""``sensorthings backup``: its commands. Registered by the command line's entry module."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import yaml
from rich.console import Console
from rich.table import Table

from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.sensorthingsservice import PLURAL
from sensorthings_operator.cli.arrival import printable
from sensorthings_operator.cli.backup import requests
from sensorthings_operator.cli.doctor.cluster import service
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.sizes import size
from sensorthings_operator.cli.status.cluster import AnswerError, Cluster, ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensorthings_operator.cli.status.snapshot import Object

EXIT_FAILED: Final = 1
EXIT_NOT_WELL: Final = 3
_PAUSE_SECONDS: Final = 2.0
_DONE: Final = ("True", "RestoreFailed")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of a SensorThingsService.")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Its namespace; looked for in all if left out.")
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig; the current one if left out.")]
Kubeconfig = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="$KUBECONFIG or ~/.kube/config if left out.")
]
Wait = Annotated[bool, typer.Option(help="Wait until it is over.")]

app: Final = typer.Typer(help="Backups of a service's managed database.", no_args_is_help=True)


@app.command()
def now(
    name: Name,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    wait: Wait = True,
) -> None:
    """Make a backup at once, by the right to create Jobs."""
    _run(lambda: _job(_Place.of(kubeconfig, context, namespace, name), "backup", wait=wait))


@app.command()
def drill(
    name: Name,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    wait: Wait = True,
) -> None:
    """Restore the newest backup for practice at once, into a volume that goes afterwards."""
    _run(lambda: _job(_Place.of(kubeconfig, context, namespace, name), "drill", wait=wait))


@app.command("list")
def list_(
    name: Name,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the backups that are kept, as the operator saw them after the last one.

    Ends with 0 when the database is backed up, 1 when the command failed, and 3 when something is wrong.
    """
    _run(lambda: _list(_Place.of(kubeconfig, context, namespace, name), as_json=as_json))


@app.command()
def restore(  # noqa: PLR0913 - one parameter is one option of the command line
    name: Name,
    *,
    to: Annotated[
        str, typer.Option(metavar="TIME", help="Up to when, such as 2026-11-23T10:00:00Z; the newest if left out.")
    ] = "",
    as_: Annotated[str, typer.Option("--as", help="Name of the new database; r1, r2 ... if left out.")] = "",
    source: Annotated[
        str | None,
        typer.Option("--from", help="Whose backups; those of the database that serves if left out, '' for the first."),
    ] = None,
    show: Annotated[bool, typer.Option(help="Print what to put into the manifest, and change nothing.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    wait: Wait = True,
) -> None:
    """Restore into a new database beside the one that serves. It serves after `backup switch`.

    Where a GitOps tool applies the service, use --show: a change by hand would be taken back.
    """

    def act() -> None:
        place = _Place.of(kubeconfig, context, namespace, name)
        wanted = requests.moment(to, place.live) if to else ""
        patch = requests.restore(place.live, name=as_, source=source, to=wanted, claims=place.claims())
        _change(place, patch, show=show)
        if wait and not show:
            _tell(_awaited(place))

    _run(act)


@app.command()
def switch(
    name: Name,
    *,
    show: Annotated[bool, typer.Option(help="Print what to put into the manifest, and change nothing.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Have the restored database serve; the former one ends, and its volume is kept."""

    def act() -> None:
        place = _Place.of(kubeconfig, context, namespace, name)
        _change(place, requests.switch(place.live), show=show)
        if not show:
            _tell("The restored database serves once the pods have started anew: `sensorthings status --watch`.")

    _run(act)


class _Place:
    """One service in one cluster."""

    def __init__(self, cluster: Cluster, live: Object) -> None:
        self.cluster = cluster
        self.live = live
        self.name: str = live["metadata"]["name"]
        self.namespace: str = live["metadata"]["namespace"]

    @classmethod
    def of(cls, kubeconfig: Path | None, context: str | None, namespace: str | None, name: str) -> _Place:
        cluster = Cluster.connect(kubeconfig, context)
        place = cls(cluster, service(cluster, namespace, name))
        requests.managed(place.live)
        return place

    @property
    def path(self) -> str:
        return f"/apis/{API_VERSION}/namespaces/{self.namespace}/{PLURAL}/{self.name}"

    def jobs(self, plural: str, name: str = "") -> str:
        ending = f"/{name}" if name else ""
        return f"/apis/batch/v1/namespaces/{self.namespace}/{plural}{ending}"

    def claims(self) -> list[str]:
        """Names of the volumes' claims in its namespace; none where this user may not list them."""
        try:
            found = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims")
        except AnswerError:
            return []
        return [each["metadata"]["name"] for each in found["items"]]

    def refresh(self) -> Object:
        self.live = self.cluster.get(self.path)
        return self.live


def _job(place: _Place, component: str, *, wait: bool) -> None:
    name = f"{place.name}-{component}"
    try:
        cron_job = place.cluster.get(place.jobs("cronjobs", name))
    except AnswerError as error:
        raise _refused(error, f"CronJob {place.namespace}/{name}", "get") from error
    manifest = requests.job(cron_job, datetime.now(UTC))
    job = manifest["metadata"]["name"]
    try:
        place.cluster.create(place.jobs("jobs"), manifest)
    except AnswerError as error:
        raise _refused(error, f"Job {place.namespace}/{job}", "create") from error
    _tell(f"Job {job} is made.")
    if not wait:
        return
    while (ended := requests.outcome(place.cluster.get(place.jobs("jobs", job)))) is None:
        time.sleep(_PAUSE_SECONDS)
    well, message = ended
    if not well:
        remedy = f"See its log: kubectl logs -n {place.namespace} job/{job}"
        raise SensorThingsError(f"Job {job} failed: {message}", where=f"namespace {place.namespace}", remedy=remedy)
    _tell(f"Job {job} ended well.")


def _list(place: _Place, *, as_json: bool) -> None:
    found, told = requests.backups(place.live), requests.condition(place.live, "BackedUp")
    if as_json:
        typer.echo(json.dumps({"backup": found, "condition": told}, indent=2, ensure_ascii=False))
    else:
        _show(found, told)
    raise typer.Exit(0 if told.get("status") == "True" else EXIT_NOT_WELL)


def _show(found: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    console = Console(markup=False, highlight=False, soft_wrap=True)
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="")
    for title in ("BACKUP", "RESTORABLE FROM", "DATABASE", "STORED"):
        table.add_column(title, no_wrap=True)
    for each in found.get("backups", ()):
        cells = (each["label"], each["time"], size(each["sizeBytes"]), size(each["storedBytes"]))
        table.add_row(*map(printable, cells))
    if table.row_count:
        console.print(table)
    if "nextScheduleTime" in found:
        console.print(f"The next one is due at {printable(found['nextScheduleTime'])}")
    practised = found.get("lastDrill")
    if practised is not None:
        well = "succeeded" if practised["succeeded"] else f"failed: {practised.get('message', '')}"
        console.print(f"The restore for practice of {printable(practised['time'])} {printable(well)}")
    if told:
        console.print(f"BackedUp {told['status']}, {told['reason']}: {printable(told['message'])}")


def _change(place: _Place, patch: dict[str, Any], *, show: bool) -> None:
    if show:
        typer.echo(yaml.safe_dump(_without_none(patch), sort_keys=False), nl=False)
        return
    try:
        place.cluster.merge(place.path, patch)
    except AnswerError as error:
        raise _refused(error, f"SensorThingsService {place.namespace}/{place.name}", "patch") from error


def _without_none(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_none(member) for key, member in value.items() if member is not None}


def _awaited(place: _Place) -> str:
    """What the operator says of a restore when it is over."""
    while True:
        told = requests.condition(place.refresh(), "Restored")
        if told.get("status") in _DONE or told.get("reason") in _DONE:
            break
        time.sleep(_PAUSE_SECONDS)
    if told["status"] != "True":
        raise SensorThingsError(told["message"], where="condition Restored", remedy="It is tried again meanwhile.")
    return f"Restored: {told['message']}. Switch over with `sensorthings backup switch {place.name}`."


def _refused(error: AnswerError, what: str, verb: str) -> ClusterError:
    if error.status == 404:
        return ClusterError(f"There is no {what}\n  See the conditions: kubectl describe sta")
    return ClusterError(f"{what}: {error}\n  It takes the right to {verb} it.")


def _tell(text: str) -> None:
    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(text)


def _run(act: Callable[[], None]) -> None:
    try:
        act()
    except (ClusterError, SensorThingsError, AnswerError) as error:
        Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(f"Error: {error}", style="red")
        raise typer.Exit(EXIT_FAILED) from error
