"""A cluster of the tests' own. Most tests need the operator alone, so it comes up without the platform; those that ask
for parts of it come later, and those that ask for ``platform`` last, and get it the way a person does.

``E2E_KEEP=1`` leaves it up, and uses the one that is up: for quick iterations.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest
from rich.console import Console

from localcluster import cluster as local
from localcluster import plan, storage
from localcluster.cluster import kubectl as kubectl_of
from localcluster.display import Display
from localcluster.installation import Installation
from localcluster.leftovers import leftovers
from tests.e2e.kubernetes import Kubernetes
from tests.e2e.services import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.e2e.clients import Http

NAME: Final = "e2e"
SENSORTHINGS: Final = Path(sys.executable).with_name("sensorthings")
_UP_SECONDS: Final = 3000  # a cold machine compiles the cluster's parts first
_EXAMPLE_NAMESPACE: Final = "hamburg"
_KEEP: Final = os.environ.get("E2E_KEEP") == "1"


def sensorthings(*arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """The command line as a person types it; what it says goes to the test's own output."""
    command = [str(SENSORTHINGS), *arguments]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False, timeout=seconds)


@pytest.fixture(scope="session")
def _standing() -> Iterator[None]:
    """What is brought up stands until the end of the session, and then leaves nothing."""
    if os.geteuid() != 0:
        pytest.skip("a cluster on this machine needs root")
    yield
    if not _KEEP:
        cluster = plan.find(NAME)
        ended = sensorthings("down", "--name", NAME, seconds=600)
        assert ended.returncode == 0, "sensorthings down failed"
        assert leftovers(cluster) == []


@pytest.fixture(scope="session")
def endpoints(_standing: None) -> dict[str, str]:
    """Where a cluster with the operator, without add-ons and without a service, is reached."""
    installation = Installation(example=None, add_ons=())
    with Display(Console(stderr=True)) as display:
        return local.up(NAME, display, installation).as_dict()


@pytest.fixture(scope="session")
def platform(_standing: None) -> dict[str, str]:
    """What ``sensorthings up`` says where things are: the same cluster, with platform and example."""
    result = sensorthings("up", "--name", NAME, "--output", "json", seconds=_UP_SECONDS)
    assert result.returncode == 0, f"sensorthings up ended with {result.returncode}; what it said is above"
    said: dict[str, str] = json.loads(result.stdout)
    return said


def _connect(endpoints: dict[str, str]) -> Kubernetes:
    cluster = plan.find(NAME)
    return Kubernetes.connect(Path(endpoints["kubectl"]), Path(endpoints["kubeconfig"]), cluster.netns_path)


def _standing_cluster() -> Kubernetes:
    cluster = plan.find(NAME)
    return Kubernetes.connect(kubectl_of(cluster).binary, cluster.kubeconfig, cluster.netns_path)


@pytest.fixture(scope="session")
def kubernetes(endpoints: dict[str, str]) -> Kubernetes:
    """The API of the cluster, and a way into its network."""
    return _connect(endpoints)


@pytest.fixture(scope="session")
def city(platform: dict[str, str]) -> Kubernetes:
    """The same of the cluster with the platform."""
    return _connect(platform)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One cluster at a time, and what is installed in it after all that does without: it is in the way. What looks
    through all that was said comes last.
    """
    turns = {"node": 0, "acme": 2, "gateway": 3, "platform": 4, "planted": 5}

    def turn(item: pytest.Item) -> int:
        fixtures = getattr(item, "fixturenames", ())
        return max((turns[name] for name in turns if name in fixtures), default=1)

    items.sort(key=turn)


@contextmanager
def service_of_its_own(kubernetes: Kubernetes) -> Iterator[Service]:
    """A service's name in a new namespace; the namespace's deletion is asked for at the end and not awaited."""
    # The stock of volumes is for a few services at once, not for all of a run.
    cluster = plan.find(NAME)
    storage.recycle(cluster, kubectl_of(cluster))
    namespace = f"e2e-{uuid4().hex[:8]}"
    kubernetes.create_namespace(namespace)
    try:
        yield Service(kubernetes, namespace)
    except (Exception, pytest.fail.Exception):
        # A fixture's is described by the report; this is one of a test's own, which would be gone by then.
        for title, text in kubernetes.describe(namespace):
            print(f"--- {title} ---", text, sep="\n")  # noqa: T201 - pytest shows it
        raise
    finally:
        kubernetes.run("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def service(kubernetes: Kubernetes) -> Iterator[Service]:
    """A service in a namespace of its own; the test applies it."""
    with service_of_its_own(kubernetes) as made:
        yield made


@dataclass(frozen=True)
class Running:
    """A service that is Ready, and a Datastream in it."""

    service: Service
    http: Http
    datastream: int


@pytest.fixture(scope="module")
def running(kubernetes: Kubernetes) -> Iterator[Running]:
    """A running service that the tests of one module share."""
    with service_of_its_own(kubernetes) as service:
        http = service.start()
        yield Running(service, http, http.create_datastream())


_MEASURED: Final = pytest.StashKey[list[str]]()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a sentence about what a test saw but need not hold; they stand at the end of the run."""
    sentences = request.config.stash.setdefault(_MEASURED, [])
    return lambda sentence: sentences.append(f"{request.node.name}: {sentence}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write what was measured."""
    for sentence in config.stash.get(_MEASURED, []):
        terminalreporter.write_line(f"measured {sentence}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach to a failure what a person would look at."""
    report = yield
    used = item.funcargs.values() if report.failed and isinstance(item, pytest.Function) else []
    services = {
        each.service if isinstance(each, Running) else each for each in used if isinstance(each, Running | Service)
    }
    for service in services:
        report.sections += list(service.kubernetes.describe(service.namespace))
    if report.failed and "platform" in getattr(item, "fixturenames", ()):
        report.sections += list(_standing_cluster().describe(_EXAMPLE_NAMESPACE))
    return report
