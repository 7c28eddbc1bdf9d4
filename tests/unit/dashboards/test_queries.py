"""The queries: PromQL that parses, about metrics that somebody tells, of one service only."""

import re
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prometheus_client.metrics import MetricWrapperBase

from dashboards import queries
from dashboards.query import Query, Source
from sensorthings_operator import metrics
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.desired import envoy, sidecar
from sensorthings_operator.observe.databasefigures import DatabaseFigures
from sensorthings_operator.observe.figures import ServiceFigures
from sensorthings_operator.observe.services import Services

QUERIES: Final = queries()
_PREFIXES: Final = {
    Source.OPERATOR: ("sensorthings_",),
    Source.CADVISOR: ("container_",),
    Source.ENVOY: ("envoy_",),
    Source.GATE: ("mqtt_gate_",),
    Source.FROST_SERVER: ("http_request_", "sql_query_", "mqtt_manager_", "moquette_", "message_bus_"),
}
_NAMES: Final = st.from_regex(r"\A[a-z]([-a-z0-9]{0,38}[a-z0-9])?\Z") | st.sampled_from(
    ["air", "air-http", "air-mqtt", "air-bus", "air-http-bus", "air-http-x"]
)


def _selectors(query: Query, namespace: str = "hamburg", service: str = "air") -> list[Any]:
    """Every selector in a query, as a real parser reads it."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)

    promql_parser.walk(promql_parser.parse(query.filled(namespace=namespace, service=service)), visit)
    return found


def _matches(selector: Any, label: str, value: str) -> bool:
    """Whether a series whose label has this value is selected, as far as that label goes."""
    return all(_holds(matcher, value) for matcher in selector.matchers.matchers if matcher.name == label)


def _holds(matcher: Any, value: str) -> bool:
    exactly = matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.NotEqual)
    found = value == matcher.value if exactly else re.fullmatch(matcher.value, value) is not None
    denied = matcher.op in (promql_parser.MatchOp.NotEqual, promql_parser.MatchOp.NotRe)
    return found != denied


def _labels(selector: Any) -> set[str]:
    return {matcher.name for matcher in selector.matchers.matchers}


def _about_a_service() -> list[Query]:
    return [query for query in QUERIES if "$service" in query.expression or "${service}" in query.expression]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_it_is_promql_about_metrics_of_its_sources(query: Query) -> None:
    names = {selector.name for selector in _selectors(query)}
    allowed = tuple(prefix for source in query.sources for prefix in _PREFIXES[source])
    assert names
    assert [name for name in names if not name.startswith(allowed)] == []
    for source in query.sources:
        assert any(name.startswith(_PREFIXES[source]) for name in names), f"nothing in it is of {source}"


def test_a_parser_that_takes_anything_would_prove_nothing() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        promql_parser.parse("sum(rate(a[5m])")


def test_names_tell_queries_apart() -> None:
    names = [query.name for query in QUERIES]
    assert len(set(names)) == len(names)


def _told_by_the_operator() -> dict[str, set[str]]:
    """The metrics that the operator has, with the labels of each."""
    own = {m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)}
    told = {family.name: set(m._labelnames) for m in own for family in m.describe()}
    services = Services()
    for figures in (ServiceFigures(services, OwnedStore({})), DatabaseFigures(services, lambda _: None)):
        told |= {family.name: set(family._labelnames) for family in figures.collect()}
    return told


def _told_by_the_gate() -> dict[str, set[str]]:
    """The metrics that the gate has, with the labels of each, as its code declares them."""
    code = (Path(__file__).parents[3] / "gate/internal/status/metrics.go").read_text()
    declared = re.findall(
        r'Opts{Namespace: namespace, Name: "(\w+)".*?}(?:, \[\]string{([^}]*)})?\),$', code, re.MULTILINE
    )
    return {f"mqtt_gate_{name}": set(re.findall(r'"(\w+)"', labels)) for name, labels in declared}


def test_metrics_of_the_gate_are_those_that_it_has() -> None:
    told = _told_by_the_gate()
    assert len(told) == 8
    asked = [(q, s) for q in QUERIES if Source.GATE in q.sources for s in _selectors(q)]
    assert asked
    for query, selector in asked:
        family = re.sub(r"_(bucket|count|sum)$", "", selector.name)
        assert family in told, query.name
        kept = re.findall(r"by \(([^)]*)\) \(", query.expression)[:1]
        labels = {label.strip() for text in kept for label in text.split(",")}
        assert labels - {"pod", "le"} <= told[family], query.name


def test_metrics_of_the_operator_are_those_that_it_has() -> None:
    told = _told_by_the_operator()
    for query in QUERIES:
        for selector in _selectors(query) if Source.OPERATOR in query.sources else ():
            family = re.sub(r"_(total|bucket|count|sum)$", "", selector.name)
            assert family in told, query.name
            assert _labels(selector) <= told[family], query.name


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_labels_that_a_panel_shows_are_kept(query: Query) -> None:
    kept = set(re.findall(r"by \(([^)]*)\) \(", query.expression)[:1])
    shown = set(re.findall(r"{{(\w+)}}", query.legend))
    assert shown <= {label.strip() for labels in kept for label in labels.split(",")}


def test_listeners_and_clusters_are_those_of_the_sidecar() -> None:
    """What Envoy calls them on its metrics is what the configuration calls them: tried with Envoy 1.40.0."""
    resources = envoy.bootstrap(sidecar.LAYOUT)["static_resources"]
    known = {
        "envoy_listener_address": {listener["stat_prefix"] for listener in resources["listeners"]},
        "envoy_tcp_prefix": {listener["stat_prefix"] for listener in resources["listeners"]},
        "envoy_cluster_name": {cluster["name"] for cluster in resources["clusters"]},
    }
    for query in QUERIES:
        for selector in _selectors(query) if Source.ENVOY in query.sources else ():
            for label in _labels(selector) & known.keys():
                shown = {value for value in known[label] if _matches(selector, label, value)}
                assert len(shown) == 2, f"{query.name}: TCP and WebSocket, and not {shown}"


@given(_NAMES, _NAMES, st.from_regex(r"\A[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\Z"))
def test_nothing_of_another_service_is_shown(shown: str, other: str, suffix: str) -> None:
    assume(shown != other)
    pods = [f"{other}-http-{suffix}", f"{other}-mqtt-{suffix}", f"{other}-bus-0", f"{other}-db-0"]
    for query in _about_a_service():
        for selector in _selectors(query, service=shown):
            assert not _matches(selector, "namespace", "berlin"), query.name
            assert _labels(selector) & {"pod", "service"}, query.name
            if "pod" in _labels(selector):
                assert not any(_matches(selector, "pod", pod) for pod in pods), query.name
            if "service" in _labels(selector):
                assert not _matches(selector, "service", other), query.name


def test_nothing_of_another_namespace_is_shown_where_one_is_chosen() -> None:
    of_a_city = [query for query in QUERIES if "$namespace" in query.expression]
    assert of_a_city
    for query in of_a_city:
        for selector in _selectors(query):
            assert _matches(selector, "namespace", "hamburg"), query.name
            assert not _matches(selector, "namespace", "berlin"), query.name


@given(_NAMES, st.from_regex(r"\A[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\Z"))
def test_its_own_pods_are_shown(shown: str, suffix: str) -> None:
    pods = [f"{shown}-http-{suffix}", f"{shown}-mqtt-{suffix}", f"{shown}-bus-0"]
    for query in _about_a_service():
        for selector in _selectors(query, service=shown):
            assert _matches(selector, "namespace", "hamburg")
            if "pod" in _labels(selector):
                assert any(_matches(selector, "pod", pod) for pod in pods), query.name
