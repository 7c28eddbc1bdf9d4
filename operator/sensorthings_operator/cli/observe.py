"""``sensorthings observe``: shows the Observations of a service as they arrive over MQTT.

The function is registered by the command line's entry module.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer
from rich.console import Console

from sensorthings_operator.cli.addresses import DEFAULT_BROKER, DEFAULT_SERVICE, BrokerUrl, ServiceUrl, entity_id
from sensorthings_operator.cli.arrival import Arrival, heading
from sensorthings_operator.cli.errors import AnswerError, SensorThingsError
from sensorthings_operator.cli.options import CaCert, ClientCredentialsFile, ConnectTo, access, parsed
from sensorthings_operator.cli.sensorthings import DATASTREAM_QUERY, Datastream, SensorThings
from sensorthings_operator.cli.subscription import Subscription
from sensorthings_operator.desired.entities import key

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensorthings_operator.cli.access import Access

EXIT_FAILED: Final = 1
EXIT_NOTHING: Final = 3

_PAGE: Final = "500"  # Datastreams a request; the service may make it smaller


class Output(StrEnum):
    """How what arrives is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the person asked for; ``seconds`` and ``count`` end it where they are set."""

    service: ServiceUrl
    broker: BrokerUrl
    access: Access
    datastream: str | None
    topic: str | None
    count: int | None
    seconds: float | None


def observe(  # noqa: PLR0913 - one parameter is one option of the command line
    datastream: Annotated[
        str | None, typer.Argument(metavar="[DATASTREAM_ID]", help="Only this Datastream; all of them if left out.")
    ] = None,
    *,
    topic: Annotated[
        str | None, typer.Option(help="Subscribe to this MQTT topic instead, such as v1.1/Observations.")
    ] = None,
    url: Annotated[str, typer.Option(help="The service, down to the version.")] = DEFAULT_SERVICE,
    mqtt: Annotated[
        str, typer.Option(help="Its MQTT endpoint: mqtt://, mqtts://HOST:PORT, or ws://, wss://HOST:PORT/mqtt.")
    ] = DEFAULT_BROKER,
    cacert: CaCert = None,
    connect_to: ConnectTo = None,
    client_credentials: ClientCredentialsFile = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after this many.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="End after this many seconds.")] = None,
    output: Annotated[Output, typer.Option(help="How to write what arrives; json is one object a line.")] = Output.TEXT,
) -> None:
    """Show Observations as they arrive over MQTT.

    Ends with 0 (with --count: all arrived), 1 when it failed, 2 when it was called wrongly, and 3 when --timeout passed
    before anything, or before --count, arrived.
    """
    if datastream is not None and topic is not None:
        message = "give DATASTREAM_ID or --topic, not both"
        raise typer.BadParameter(message)
    service = parsed(ServiceUrl.parse, url, "--url")
    broker = parsed(BrokerUrl.parse, mqtt, "--mqtt")
    reached = access(cacert, connect_to, client_credentials)
    notes = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    show = _show_json if output is Output.JSON else _text(Console(markup=False, highlight=False, soft_wrap=True))
    try:
        arrived = asyncio.run(
            _observe(_Asked(service, broker, reached, datastream, topic, count, timeout), show, notes)
        )
    except SensorThingsError as error:
        notes.print(f"Error: {error}", style="red")
        raise typer.Exit(EXIT_FAILED) from error
    except KeyboardInterrupt:
        return
    wanted = count or 1
    if timeout is not None and arrived < wanted:
        notes.print(f"{f'{arrived} of {count}' if count else 'Nothing'} arrived within {timeout:g} s.")
        raise typer.Exit(EXIT_NOTHING)


async def _observe(asked: _Asked, show: Callable[[Arrival], None], notes: Console) -> int:
    """Subscribe and show; how many arrived."""
    known = {} if asked.topic else await _datastreams(asked)
    topics = [asked.topic] if asked.topic else list(known)
    arrived = 0
    async with Subscription(asked.broker, topics, access=asked.access) as subscription:
        notes.print(
            f"Subscribed to {topics[0] if len(topics) == 1 else f'{len(topics)} Datastreams'} at {asked.broker}"
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(asked.seconds):
                async for message in subscription:
                    show(Arrival.of(message, known.get(message.topic)))
                    arrived += 1
                    if arrived == asked.count:
                        break
    return arrived


async def _datastreams(asked: _Asked) -> dict[str, Datastream]:
    """The Datastreams to observe, by the topic of their Observations."""
    url = asked.service
    async with SensorThings(url, access=asked.access) as service:
        if asked.datastream is None:
            pages = service.collect("Datastreams", {**DATASTREAM_QUERY, "$top": _PAGE})
            every = [Datastream.model_validate(entity) async for entity in pages]
            found = [each for each in every if not each.is_of_delivery_check]
        else:
            found = [await _datastream(service, asked.datastream)]
    if not found:
        raise SensorThingsError(
            "There is no Datastream to observe", where=str(url), remedy="Create one, or name a topic with --topic."
        )
    return {url.observations_topic(datastream.id): datastream for datastream in found}


async def _datastream(service: SensorThings, only: str) -> Datastream:
    path = key("Datastreams", entity_id(only))
    query = {name: value for name, value in DATASTREAM_QUERY.items() if name != "$orderby"}
    try:
        return Datastream.model_validate(await service.read(path, query))
    except AnswerError as error:
        if error.status not in {400, 404}:
            raise
        raise SensorThingsError(
            f"There is no Datastream '{only}'",
            where=str(service.url.at(path)),
            remedy=f"List them: {service.url}/Datastreams?$select=id,name",
        ) from error


def _show_json(arrival: Arrival) -> None:
    typer.echo(orjson.dumps(arrival.record()))


def _text(console: Console) -> Callable[[Arrival], None]:
    """A writer of lines under one heading."""
    lines = iter([heading()])

    def show(arrival: Arrival) -> None:
        for line in lines:
            console.print(line)
        console.print(arrival.line())

    return show
