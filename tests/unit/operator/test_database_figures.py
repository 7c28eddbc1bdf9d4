"""What Prometheus is told of databases' servers."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sensorthings_operator.conditions.databasehosts import HostLook, Limits, Sender, Usage
from sensorthings_operator.conditions.databasejudging import judge
from sensorthings_operator.observe.databasefigures import DatabaseFigures
from sensorthings_operator.observe.services import Services
from tests.unit.operator.samples import body, look, silent, standby

_ORDER = ("host", "role", "version", "postgis", "sync", "state")


def _samples(*looks: HostLook) -> dict[tuple[str, ...], float]:
    services = Services()
    services.put(body())
    answer = judge(looks, "sensorthings", Limits(), None, began=0.0, now=0.0) if looks else None
    registry = CollectorRegistry()
    registry.register(DatabaseFigures(services, {("hamburg", "air"): answer}.get))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    found = [sample for family in families for sample in family.samples]
    assert {(sample.labels["namespace"], sample.labels["service"]) for sample in found} <= {("hamburg", "air")}
    return {
        (
            sample.name.removeprefix("sensorthings_database_host_"),
            *(sample.labels[name] for name in _ORDER if name in sample.labels),
        ): sample.value
        for sample in found
    }


def test_a_pair() -> None:
    primary = look(senders=(Sender("walreceiver", "10.0.0.7", "sync"),), usages=(Usage(10, 97), Usage(9, 10)))
    late = standby(position=900, replay_age_seconds=12, size_bytes=7)
    assert _samples(primary, late) == {
        ("up", "db-0:5432"): 1,
        ("up", "db-1:5432"): 1,
        ("info", "db-0:5432", "primary", "15.18", "3.3.2", ""): 1,
        ("info", "db-1:5432", "standby", "15.18", "3.3.2", "sync"): 1,
        ("lag_seconds", "db-1:5432"): 12,
        ("lag_bytes", "db-1:5432"): 100,
        ("connections", "db-0:5432", "used"): 9,
        ("connections", "db-0:5432", "limit"): 10,
        ("connections", "db-1:5432", "used"): 10,
        ("connections", "db-1:5432", "limit"): 97,
        ("size_bytes", "db-0:5432"): 10_000_000,
        ("size_bytes", "db-1:5432"): 7,
    }


def test_of_a_server_that_is_silent_nothing_else_is_told() -> None:
    samples = _samples(look(), silent("db-1:5432"))
    assert {key: value for key, value in samples.items() if "db-1:5432" in key} == {("up", "db-1:5432"): 0}


def test_a_lag_that_nobody_knows_is_no_figure() -> None:
    samples = _samples(look(), standby(position=900, replay_age_seconds=None))
    assert ("lag_bytes", "db-1:5432") in samples
    assert ("lag_seconds", "db-1:5432") not in samples
    assert ("lag_bytes", "db-1:5432") not in _samples(silent(), standby())


def test_nothing_is_told_before_the_first_answer() -> None:
    assert _samples() == {}
