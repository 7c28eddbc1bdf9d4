"""The dashboard of the fleet: all services of all cities that one operator keeps, and whether it keeps up."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import asked, questions
from dashboards.page import finished, page
from dashboards.panels import figure, graph

UID: Final = "sensorthings-fleet"
_ONE: Final = ((None, "red"), (1, "green"), (2, "red"))
"""No leader: nothing is kept. Two: they act against each other."""


def dashboard() -> Model:
    """The whole dashboard."""
    about = "All SensorThingsServices that an operator keeps, and the operator itself."
    rows = (("At a glance", _glance()), ("Services", _services()), ("Operator", _operator()))
    return finished(page("fleet", UID, about), rows)


def _glance() -> list[Builder[Panel]]:
    return [
        figure("Services", (asked.SERVICES,), description="SensorThingsServices that exist.", width=6),
        figure("Ready", (questions.FLEET_READY,), description="Services that serve their clients.", width=6),
        figure(
            "Operators that act",
            (questions.LEADERS,),
            description="Those that hold the Lease: one.",
            width=6,
            steps=_ONE,
        ),
        figure(
            "Waiting for a pass",
            (asked.QUEUE_DEPTH,),
            description="Services that changed and were not looked at yet.",
            width=6,
            steps=((None, "green"), (100, "orange")),
        ),
    ]


def _services() -> list[Builder[Panel]]:
    return [
        graph("By namespace", (questions.FLEET_NAMESPACES,), description="Services of each namespace.", width=8),
        graph(
            "Conditions that do not hold",
            (questions.FLEET_AMISS,),
            description="How many services have a condition that is False, by its type.",
            width=8,
        ),
        graph("Pods", (questions.FLEET_PODS,), description="Pods of all services, wanted and ready.", width=8),
    ]


def _operator() -> list[Builder[Panel]]:
    return [
        graph("Passes", (asked.PASSES,), description="Finished passes, by their result.", width=12, unit="ops"),
        graph(
            "Duration of a pass",
            asked.PASS_SECONDS,
            description="Half of the passes, and 95 of 100, took less.",
            width=12,
            unit="s",
        ),
        graph(
            "Calls to the Kubernetes API",
            (questions.API_KINDS,),
            description="By verb and kind. A service at rest costs a read now and then, and no write.",
            width=12,
            unit="reqps",
        ),
        graph(
            "Time since a pass last failed",
            (questions.ERRORS,),
            description="By the error. The operator's log of that time says over which service.",
            width=12,
            unit="s",
        ),
    ]
