"""A cluster of the tests' own, brought up and taken down by the commands that a person types.

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

from localcluster import plan, storage
from localcluster.cluster import kubectl as kubectl_of
from localcluster.leftovers import leftovers
from tests.e2e.kubernetes import Kubernetes
from tests.e2e.services import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.e2e.clients import Http

NAME: Final = "e2e"
SENSORTHINGS: Final = Path(sys.executable).with_name("sensorthings")
_UP_SECONDS: Final = 3000  # a cold machine compiles the cluster's parts first
_KEEP: Final = os.environ.get("E2E_KEEP") == "1"


def sensorthings(*arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """The command line as a person types it; what it says goes to the test's own output."""
    command = [str(SENSORTHINGS), *arguments]
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False, timeout=seconds)


@pytest.fixture(scope="session")
def endpoints() -> Iterator[dict[str, str]]:
    """What ``sensorthings up`` says where things are; the cluster stands until the end of the session."""
    if os.geteuid() != 0:
        pytest.skip("a cluster on this machine needs root")
    result = sensorthings("up", "--name", NAME, "--output", "json", seconds=_UP_SECONDS)
    assert result.returncode == 0, f"sensorthings up ended with {result.returncode}; what it said is above"
    yield json.loads(result.stdout)
    if not _KEEP:
        cluster = plan.find(NAME)
        ended = sensorthings("down", "--name", NAME, seconds=600)
        assert ended.returncode == 0, "sensorthings down failed"
        assert leftovers(cluster) == []


@pytest.fixture(scope="session")
def kubernetes(endpoints: dict[str, str]) -> Kubernetes:
    """The API of the cluster, and a way into its network."""
    cluster = plan.find(NAME)
    storage.recycle(cluster, kubectl_of(cluster))
    return Kubernetes.connect(Path(endpoints["kubectl"]), Path(endpoints["kubeconfig"]), cluster.netns_path)


@contextmanager
def service_of_its_own(kubernetes: Kubernetes) -> Iterator[Service]:
    """A service's name in a new namespace; the namespace's deletion is asked for at the end and not awaited."""
    namespace = f"e2e-{uuid4().hex[:8]}"
    kubernetes.create_namespace(namespace)
    try:
        yield Service(kubernetes, namespace)
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
    return report
