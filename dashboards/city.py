"""The dashboard of a city: all services of a namespace, and what is amiss with them."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import questions
from dashboards.page import finished, of_a_namespace, page
from dashboards.panels import DAY_STEPS, ZERO_IS_FINE, figure, graph, timeline

UID: Final = "sensorthings-city"


def dashboard() -> Model:
    """The whole dashboard."""
    about = "All SensorThingsServices of a city: which serve, what is amiss, and how many clients they have."
    rows = (
        ("$namespace at a glance", _glance()),
        ("What is amiss", _amiss()),
        ("Clients and certificates", _clients()),
    )
    return finished(of_a_namespace(page("city overview", UID, about)), rows)


def _glance() -> list[Builder[Panel]]:
    return [
        figure("Services", (questions.CITY_SERVICES,), description="SensorThingsServices of the city.", width=8),
        figure("Ready", (questions.CITY_READY,), description="Services that serve their clients.", width=8),
        figure(
            "Stalled",
            (questions.CITY_STALLED,),
            description="Services where nothing moves until somebody acts.",
            width=8,
            steps=ZERO_IS_FINE,
        ),
        timeline("Ready, by service", (questions.CITY_READINESS,), description="Clients are served as the spec wants."),
    ]


def _amiss() -> list[Builder[Panel]]:
    return [
        timeline(
            "Conditions that do not hold",
            (questions.CITY_AMISS,),
            description="By service; conditions that are not known are left out. docs/conditions.md says what to do.",
        ),
        graph(
            "Pods that are missing",
            (questions.CITY_PODS_MISSING,),
            description="Pods that are wanted and not ready. For a minute that is a rollout or the autoscaler.",
            width=12,
        ),
        graph(
            "Database servers",
            (questions.CITY_DATABASES,),
            description="1 where a server answered when it was last asked.",
            width=12,
        ),
    ]


def _clients() -> list[Builder[Panel]]:
    return [
        graph(
            "MQTT clients by pod",
            (questions.CITY_CONNECTIONS,),
            description="Connections that the gate let in and that are open.",
            width=12,
        ),
        figure(
            "Certificates",
            (questions.CITY_CERTIFICATES,),
            description="Days until the certificate expires with which an MQTT pod serves.",
            width=12,
            steps=DAY_STEPS,
        ),
    ]
