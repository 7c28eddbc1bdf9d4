"""The database cluster on machines of our own, booted for all tests here from the user-data that the stack renders."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from localcluster.errors import LocalClusterError
from tests.stacks.machines import rootfs
from tests.stacks.machines import trial as trials
from tests.stacks.machines.client import Client
from tests.stacks.machines.frost import Frost, running
from tests.stacks.machines.results import Results
from tests.stacks.machines.site import CLUSTER, NODE, STRANGER, TOOLS, Site, site
from tests.stacks.machines.virtual import FREEZERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stacks.machines.virtual import Machine

_RESULTS = pytest.StashKey[Results]()


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The network, the machines' disks and their secrets. Skipped by name where a tool or a right is missing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"machines need root and {', '.join(TOOLS)} (Debian: systemd-container, mmdebstrap); no {missing}")
    if not FREEZERS.is_dir():
        pytest.skip(f"machines need the freezer of cgroups of version 1, to stall; there is no {FREEZERS}")
    with site(tmp_path_factory.mktemp("machines"), rootfs.root()) as made:
        yield made


@pytest.fixture(scope="session")
def node(place: Site) -> Iterator[Client]:
    """A client with a node's address."""
    with place.segment.port("node", NODE) as namespace:
        yield Client(namespace, place)


@pytest.fixture(scope="session")
def stranger(place: Site) -> Iterator[Client]:
    """A client with an address of the network that is no node's."""
    with place.segment.port("stranger", STRANGER) as namespace:
        yield Client(namespace, place)


@pytest.fixture(scope="session")
def trio(place: Site, node: Client) -> Iterator[Site]:
    """All three machines, booted at the same time, once each of the two follows or leads."""
    with ExitStack() as stack:
        for member in CLUSTER.members:
            place.boot(member)
            stack.callback(place.power_off, member)
        yield place


@pytest.fixture
def well(trio: Site) -> Site:
    """The machines once one leads and the other is its synchronous standby: each test begins like that."""
    trio.until_well()
    return trio


@pytest.fixture(scope="session")
def frost(trio: Site, node: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frost]:
    """FROST-Server's HTTP module on the node, with both machines in its URL of the database."""
    trio.until_well()
    with running(tmp_path_factory.mktemp("frost"), node) as made:
        yield made


@pytest.fixture
def results(pytestconfig: pytest.Config) -> Results:
    """Where a test puts what it measured: the session ends with all of it."""
    return pytestconfig.stash.setdefault(_RESULTS, Results())


@pytest.fixture
def served(well: Site, frost: Frost) -> Frost:
    """FROST-Server with the machines well."""
    assert well.is_well()
    return frost


@pytest.fixture
def trial(
    request: pytest.FixtureRequest, node: Client, served: Frost, results: Results, tmp_path: Path
) -> Iterator[trials.Trial]:
    """POSTs beside the test, which are judged when the test has ended."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    with trials.trial(name, node, served, tmp_path / "records", results) as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was measured, also where a test failed."""
    lines = list(config.stash.get(_RESULTS, Results()).lines())
    if lines:
        terminalreporter.section("measured")
        terminalreporter.write("\n".join(lines) + "\n")


def _journal(machine: Machine) -> str:
    try:
        return machine.run("journalctl", "-b", "-n", "80", "--no-pager", timeout=20)
    except (LocalClusterError, OSError, IndexError, subprocess.SubprocessError) as error:
        return f"no journal: {error}"


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """A failure shows what the machines wrote."""
    funcargs = getattr(item, "funcargs", {})
    seen = funcargs.get("well") or funcargs.get("trio") or funcargs.get("place")
    if call.excinfo is None or seen is None:
        return
    if "frost" in funcargs:
        tail = funcargs["frost"].log.read_text(errors="replace").splitlines()[-40:]
        item.add_report_section(call.when, "log of FROST-Server", "\n".join(tail))
    for machine in seen.machines.values():
        tail = machine.console.read_text(errors="replace").splitlines()[-20:]
        item.add_report_section(call.when, f"console of {machine.name}", "\n".join(tail))
        if machine.is_there:
            item.add_report_section(call.when, f"journal of {machine.name}", _journal(machine))
