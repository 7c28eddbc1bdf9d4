"""A small town on a real node: its platform and city layers come up, serve, and are had again when all is lost."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from localcluster import plan
from localcluster.errors import LocalClusterError
from localcluster.leftovers import leftovers
from tests.e2e.clients import MODEL
from tests.stacks.node import site
from tests.stacks.node.postgresql import HostDatabase
from tests.stacks.node.site import DATABASE_HOST, Site
from tests.stacks.standin import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def database() -> Iterator[HostDatabase]:
    """The town's database, on a host of its own."""
    if os.geteuid() != 0:
        pytest.skip("a cluster on this machine needs root")
    try:
        engine.pulumi()
    except LocalClusterError as error:
        pytest.skip(f"Pulumi's SDK for Go can't be had: {error}")
    made = HostDatabase(DATABASE_HOST)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def town(database: HostDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The town, up and Ready. A test may take it down and bring it up again."""
    cluster, archives = site.node_up()
    try:
        database.create(cluster)
        yield Site(cluster, archives, tmp_path_factory.mktemp("charts"), database)
    finally:
        database.end()
        site.node_down()
        assert leftovers(plan.find(site.NAME)) == []


@pytest.fixture(scope="module")
def served(town: Site) -> tuple[dict[str, float], str]:
    """Seconds that the parts of `up` took; the address of an Observation that was written afterwards."""
    marks = town.up()
    began = time.monotonic()
    thing = town.call("POST", "Things", MODEL)
    assert thing.status == 201, thing
    (stream,) = town.call("GET", f"{thing.location}/Datastreams?$select=id").json()["value"]
    observation = town.call("POST", f"Datastreams({stream['@iot.id']})/Observations", {"result": 42})
    assert observation.status == 201, observation
    marks["Observation"] = time.monotonic() - began
    return marks, observation.location


def _told(marks: dict[str, float]) -> str:
    return ", ".join(f"{what} {seconds:.0f} s" for what, seconds in marks.items())


def test_the_layers_end_with_a_served_observation(
    town: Site, served: tuple[dict[str, float], str], measured: Callable[[str], None]
) -> None:
    marks, observation = served
    measured(f"up: {_told(marks)}")
    answer = town.call("GET", observation)
    assert (answer.status, answer.json()["result"]) == (200, 42)
    certificate = town.kubectl.get("--namespace=town", "certificates.cert-manager.io")["items"][0]
    assert certificate["spec"]["issuerRef"]["name"] == "city"


def test_a_second_up_changes_nothing(town: Site, served: tuple[dict[str, float], str]) -> None:
    written = len(town.clouds.writes)
    outcomes = town.city.all("up")
    assert {layer: (outcome.changes, outcome.problems) for layer, outcome in outcomes.items()} == {
        "platform": ({}, []),
        "city": ({}, []),
    }
    assert len(town.clouds.writes) == written


def test_the_whole_town_is_had_again_from_configuration_and_backups(
    town: Site,
    served: tuple[dict[str, float], str],
    database: HostDatabase,
    tmp_path_factory: pytest.TempPathFactory,
    measured: Callable[[str], None],
) -> None:
    """Cluster, database and what the stacks' engine knew are gone. Kept are the configuration and the backups."""
    _, observation = served
    database.await_archived()
    database.lose()
    site.node_down()

    whole = time.monotonic()
    cluster, archives = site.node_up()
    marks = {"cluster": time.monotonic() - whole}
    began = time.monotonic()
    database.restore(cluster)
    marks["database"] = time.monotonic() - began
    again = Site(cluster, archives, tmp_path_factory.mktemp("charts-again"), database)
    marks |= again.up()
    answer = again.call("GET", observation)
    assert (answer.status, answer.json()["result"]) == (200, 42)
    measured(f"had again in {time.monotonic() - whole:.0f} s: {_told(marks)}")
