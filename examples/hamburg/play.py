"""Creates Hamburg's kind of traffic lights in a SensorThings service and plays their signal changes.

Run by people as ``uv run python examples/hamburg/play.py``; ``--help`` lists the options.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from sensorthings_operator.cli.addresses import DEFAULT_BROKER, DEFAULT_SERVICE, BrokerUrl, ServiceUrl
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.observe import Output
from sensorthings_operator.cli.options import CaCert, ClientCredentialsFile, ConnectTo, access, parsed
from sensorthings_operator.cli.sensorthings import SensorThings
from traffic_lights import Plan, Report, load, play, traffic_lights
from traffic_lights.report import remarks, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensorthings_operator.cli.access import Access


def main(  # noqa: PLR0913 - one parameter is one option of the command line
    *,
    url: Annotated[str, typer.Option(help="The service, down to the version.")] = DEFAULT_SERVICE,
    mqtt: Annotated[
        list[str],
        typer.Option(
            default_factory=lambda: [DEFAULT_BROKER],
            help="An MQTT endpoint to subscribe at, mqtt://, mqtts://, ws:// or wss://; may be repeated.",
        ),
    ],
    cacert: CaCert = None,
    connect_to: ConnectTo = None,
    client_credentials: ClientCredentialsFile = None,
    intersections: Annotated[int, typer.Option(min=1, max=5000, help="Things; each has eight signal groups.")] = 10,
    rate: Annotated[
        float | None, typer.Option(min=0.01, max=10000, help="Observations per second; real time if left out.")
    ] = None,
    duration: Annotated[float, typer.Option(min=1, max=86400, help="Seconds to play.")] = 30,
    qos: Annotated[int, typer.Option(min=0, max=2, help="Asked of the broker by the subscribers.")] = 1,
    output: Annotated[Output, typer.Option(help="How to write the report.")] = Output.TEXT,
) -> None:
    """Create the traffic lights, play signal changes, and report what was acknowledged and delivered, and how fast.

    Ends with 0 if all was acknowledged and delivered exactly once, 1 if not, and 2 when it was called wrongly.
    """
    service = parsed(ServiceUrl.parse, url, "--url")
    brokers = [parsed(BrokerUrl.parse, text, "--mqtt") for text in mqtt]
    reached = access(cacert, connect_to, client_credentials)
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    model = traffic_lights(intersections)
    plan = Plan(model, rate or model.pace, duration, qos)
    try:
        report = asyncio.run(_run(service, brokers, reached, plan, notes))
    except SensorThingsError as error:
        notes.print(f"Error: {error}", style="red")
        raise typer.Exit(1) from error
    if output is Output.JSON:
        typer.echo(orjson.dumps(report.record()))
    else:
        Console().print(table(report))
    for remark in remarks(report):
        notes.print(remark, style="yellow")
    raise typer.Exit(0 if report.exact else 1)


async def _run(
    service: ServiceUrl, brokers: Sequence[BrokerUrl], reached: Access, plan: Plan, notes: Console
) -> Report:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    async with SensorThings(service, access=reached) as session:
        loaded = await load(session, plan.model)
        notes.print(f"{len(loaded.datastreams)} Datastreams are there, {loaded.created} entities were created.")
        with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bar:
            task = bar.add_task(f"Playing {plan.rate:.1f} changes/s", total=round(plan.rate * plan.duration))
            show = functools.partial(_advance, bar, task)
            return await play(session, loaded.datastreams, plan, brokers, show)


def _advance(bar: Progress, task: TaskID, sent: int) -> None:
    bar.update(task, completed=sent)


if __name__ == "__main__":
    typer.run(main)
