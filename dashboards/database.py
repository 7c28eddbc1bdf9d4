"""The dashboard of a service's database: its servers, who is the primary, how far standbys are behind, what is left."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import questions
from dashboards.page import finished, of_a_service, page
from dashboards.panels import figure, graph, timeline

UID: Final = "sensorthings-database"
_ONE: Final = ((None, "red"), (1, "green"), (2, "red"))
"""No primary: nothing can be written. Two: what is written to one of them will be lost."""


def dashboard() -> Model:
    """The whole dashboard."""
    about = "The database servers of a SensorThingsService, as the operator saw them when it last asked."
    rows = (("Database of $service", _glance()), ("Replication", _replication()), ("What is left", _room()))
    return finished(of_a_service(page("database pair", UID, about)), rows)


def _glance() -> list[Builder[Panel]]:
    return [
        figure(
            "Primaries",
            (questions.PRIMARIES,),
            description="Servers that take writes: one, and never two.",
            width=12,
            steps=_ONE,
        ),
        figure("Standbys", (questions.STANDBYS,), description="Servers that follow the primary.", width=12),
        timeline(
            "Conditions that hold",
            (questions.DATABASE_CONDITIONS,),
            description="Those of the service's status that are about its database.",
        ),
        timeline("Servers that answer", (questions.HOSTS_UP,), description="When they were last asked."),
        timeline(
            "Roles",
            (questions.ROLES,),
            description="What each server was: a failover shows as the end of one bar and the beginning of another.",
        ),
    ]


def _replication() -> list[Builder[Panel]]:
    return [
        graph(
            "Behind, in time",
            (questions.LAG_SECONDS,),
            description="How old what a standby shows is at most.",
            width=12,
            unit="s",
        ),
        graph(
            "Behind, in bytes",
            (questions.LAG_BYTES,),
            description="Write-ahead log of the primary that a standby has not replayed.",
            width=12,
            unit="bytes",
        ),
    ]


def _room() -> list[Builder[Panel]]:
    return [
        graph(
            "Connections",
            (questions.DATABASE_CONNECTIONS,),
            description="In use, and the limit that is nearest its end: the server's, the role's or the database's.",
            width=12,
        ),
        graph(
            "Size",
            (questions.DATABASE_SIZE,),
            description="Size of the database, without the write-ahead log.",
            width=12,
            unit="bytes",
        ),
    ]
