"""The dashboard of delivery: what is published and stored, what reaches subscribers, and what is refused on the way."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import asked, questions
from dashboards.page import finished, of_a_service, page
from dashboards.panels import YES_IS_GOOD, figure, graph
from dashboards.query import METRICS_SINCE

UID: Final = "sensorthings-delivery"


def dashboard() -> Model:
    """The whole dashboard."""
    about = "Observations by MQTT: stored before they are acknowledged, delivered to subscribers, refused or dropped."
    rows = (
        ("$service at a glance", _glance()),
        ("Published and delivered", _passed()),
        ("Clients, and what was refused to them", _clients()),
    )
    shut = ((f"FROST-Server's queues ({METRICS_SINCE} and later only)", _queues()),)
    return finished(of_a_service(page("delivery", UID, about)), rows, shut)


def _glance() -> list[Builder[Panel]]:
    return [
        figure(
            "Delivery verified",
            (questions.DELIVERY_VERIFIED,),
            description="The operator's own Observation arrived at every MQTT pod when it was last looked at.",
            width=12,
            words=YES_IS_GOOD,
        ),
        figure(
            "Bus",
            (asked.BUS_CONNECTED,),
            description="Without it nothing is pushed.",
            width=12,
            words=YES_IS_GOOD,
        ),
    ]


def _passed() -> list[Builder[Panel]]:
    return [
        graph(
            "Published",
            (questions.PUBLISHED,),
            description="Publications that the gate posted to FROST-Server, by what became of them: stored is what "
            "clients were told is kept.",
            width=12,
            unit="cps",
        ),
        graph(
            "Time until stored",
            questions.PUBLISH_SECONDS,
            description="How long FROST-Server took to answer: half of the publications, and 95 of 100, took less.",
            width=12,
            unit="s",
        ),
        graph(
            "Delivered",
            (questions.DELIVERED,),
            description="Messages that were written to clients.",
            width=12,
            unit="cps",
        ),
        graph(
            "Larger than the client takes",
            (questions.NOT_DELIVERED,),
            description="Messages that a client was not sent since it takes none as large.",
            width=12,
            unit="cps",
        ),
    ]


def _clients() -> list[Builder[Panel]]:
    return [
        graph("Clients", (questions.CLIENTS,), description="Open connections, by transport and version.", width=8),
        graph(
            "Refused",
            (questions.REFUSED,),
            description="What the gate refused, by packet and reason. gate/README.md lists the reasons.",
            width=8,
            unit="cps",
        ),
        graph(
            "Ended with their token",
            (questions.EXPIRED,),
            description="Connections that lived until their token expired.",
            width=8,
            unit="cps",
        ),
    ]


def _queues() -> list[Builder[Panel]]:
    return [
        graph(
            "Messages that wait",
            asked.QUEUES,
            description="In the queues from the bus and to the subscribers.",
            width=12,
        ),
        graph(
            "Messages that were dropped",
            asked.OVERRUNS,
            description="Queues that were full: subscribers miss Observations.",
            width=12,
            unit="cps",
        ),
    ]
