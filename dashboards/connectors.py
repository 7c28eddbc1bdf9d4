"""The dashboard of connectors and tokens: what feeds the services, and whether it has the tokens to do so."""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import questions
from dashboards.page import finished, page
from dashboards.panels import ZERO_IS_FINE, figure, graph

UID: Final = "sensorthings-connectors"


def dashboard() -> Model:
    """The whole dashboard."""
    about = "Connectors of all services, and the token service that keeps them in tokens."
    return finished(page("connectors and tokens", UID, about), (("At a glance", _glance()), ("Tokens", _tokens())))


def _glance() -> list[Builder[Panel]]:
    return [
        figure("Connectors", (questions.CONNECTORS,), description="Connectors that exist.", width=6),
        figure(
            "Waiting for a pass",
            (questions.CONNECTORS_WAITING,),
            description="Connectors that changed and were not looked at yet.",
            width=6,
            steps=((None, "green"), (100, "orange")),
        ),
        figure(
            "Good tokens",
            (questions.TOKENS_GOOD,),
            description="Tokens of connectors and devices that have not expired.",
            width=6,
        ),
        figure(
            "Not issued",
            (questions.TOKENS_REFUSED,),
            description="Tokens that the token service asked for and did not get in the time shown.",
            width=6,
            steps=ZERO_IS_FINE,
        ),
    ]


def _tokens() -> list[Builder[Panel]]:
    return [
        graph(
            "Asked for",
            (questions.TOKENS,),
            description="Tokens that Keycloak was asked for: Issued, or the reason of the condition TokenIssued.",
            width=12,
            unit="cps",
        ),
        graph(
            "At the door",
            (questions.DOOR,),
            description="Visitors at the token service's door, by HTTP status.",
            width=12,
            unit="reqps",
        ),
    ]
