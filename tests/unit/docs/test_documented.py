"""Fails when a condition, a reason or a setting is not documented, or when the docs name one that is not there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.metrics import MetricWrapperBase

from sensorthings_operator import metrics
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions import PARTS
from sensorthings_operator.conditions.auth import AuthReason, UsersReason
from sensorthings_operator.conditions.backup import ARCHIVING_FAILS
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.conditions.catalogueendpoint import EndpointReason
from sensorthings_operator.conditions.connector import ConnectorReason
from sensorthings_operator.conditions.databasehosts import DatabaseAnswer, ReplicationReason
from sensorthings_operator.conditions.delivery import DeliveryReason
from sensorthings_operator.conditions.host import HostReason
from sensorthings_operator.conditions.portal import PortalReason
from sensorthings_operator.conditions.publishing import PublishingReason
from sensorthings_operator.conditions.reads import READS_AT_PRIMARY
from sensorthings_operator.conditions.references import NEEDS_SOMEBODY
from sensorthings_operator.conditions.routes import RoutesReason
from sensorthings_operator.conditions.unobserved import UnobservedReason
from sensorthings_operator.delivery import EVICTED
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.databasefigures import DatabaseFigures
from sensorthings_operator.observe.figures import ServiceFigures
from sensorthings_operator.observe.services import Services
from sensorthings_operator.reporting import REPAIRED

ROOT: Final = Path(__file__).parents[3]
PACKAGE: Final = ROOT / "operator" / "sensorthings_operator"
CONDITIONS: Final = (ROOT / "docs" / "conditions.md").read_text()
CONNECTORS: Final = (ROOT / "docs" / "connectors.md").read_text()
METRICS: Final = (ROOT / "docs" / "metrics.md").read_text()
SETTINGS: Final = (ROOT / "docs" / "settings.md").read_text()


_REASONS: Final = (
    AuthReason,
    CatalogueReason,
    DeliveryReason,
    EndpointReason,
    HostReason,
    PortalReason,
    PublishingReason,
    RoutesReason,
    UnobservedReason,
    UsersReason,
)


def _calls(function: str, position: int, folder: Path) -> Iterator[str]:
    """The literal arguments at a position of all calls of a function below a folder; {tier} stands for both modules."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function and len(node.args) > position:
                argument = node.args[position]
                yield from _literal(argument)


def _literal(argument: ast.expr) -> Iterator[str]:
    match argument:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]):
            yield from (f"{tier}{text}" for tier in ("HTTP", "MQTT"))


def _reasons() -> set[str]:
    found = set(_calls("Verdict", 1, PACKAGE))
    found |= set(_calls("SpecProblem", 0, PACKAGE))
    found |= {answer.value for answer in (*DatabaseAnswer, *ReplicationReason)}
    found |= {reason.value for reasons in _REASONS for reason in reasons}
    return found | NEEDS_SOMEBODY | {"NameTaken", "ApplyRefused", READS_AT_PRIMARY, ARCHIVING_FAILS}


def _documented(text: str) -> set[str]:
    """What stands in code marks in the first column of a table."""
    rows = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize("reason", sorted(_reasons()))
def test_reason_is_documented(reason: str) -> None:
    assert reason in _documented(CONDITIONS)


def test_no_reason_is_documented_that_is_not_there() -> None:
    types = {chain.type for chain in PARTS} | {"Ready", "Reconciling", "Stalled"}
    assert _documented(CONDITIONS) == _reasons() | types | {REPAIRED, EVICTED}


def test_reasons_of_connectors_are_documented() -> None:
    told = set(re.findall(r"`([A-Za-z]+)`", CONNECTORS))
    assert {reason.value for reason in ConnectorReason} <= told


def _settings(model: object, prefix: str = "") -> Iterator[str]:
    for name, value in dict(model).items():  # type: ignore[call-overload]
        alias = prefix + re.sub(r"_(\w)", lambda match: match[1].upper(), name)
        if hasattr(value, "model_fields_set"):
            yield from _settings(value, f"{alias}.")
        else:
            yield alias


def test_settings_are_documented() -> None:
    assert _documented(SETTINGS) == set(_settings(OperatorSettings()))


def _metrics() -> Iterator[str]:
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.collect()
            yield f"{family.name}_total" if family.type == "counter" else family.name
    services = Services()
    for figures in (ServiceFigures(services, OwnedStore({})), DatabaseFigures(services, lambda _: None)):
        yield from (family.name for family in figures.collect())


def test_metrics_are_documented() -> None:
    assert {name for name in _documented(METRICS) if name.startswith("sensorthings_")} == set(_metrics())
