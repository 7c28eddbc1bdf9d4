"""What the stacks' tests share. Without the dependency group `stacks` they are skipped, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

pytest.importorskip("pulumi", reason="the group stacks is not installed: make stacks")

from tests.stacks import programs

if TYPE_CHECKING:
    from tests.stacks.programs import Run

settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def layers() -> dict[str, Run]:
    """Every layer's program, run once for Hamburg."""
    return programs.all_layers()


@pytest.fixture(scope="session")
def munich() -> dict[str, Run]:
    """Every layer's program, run once for Munich."""
    return programs.all_layers("munich")


@pytest.fixture(scope="session")
def smalltown() -> dict[str, Run]:
    """The two layers of a city on a cluster that is there."""
    return programs.all_layers("smalltown", ("platform", "city"))


@pytest.fixture(scope="session")
def network(layers: dict[str, Run]) -> Run:
    """The network layer of Hamburg."""
    return layers["network"]


@pytest.fixture(scope="session")
def cluster(layers: dict[str, Run]) -> Run:
    """The cluster layer of Hamburg."""
    return layers["cluster"]


@pytest.fixture(scope="session")
def database(layers: dict[str, Run]) -> Run:
    """The database layer of Hamburg."""
    return layers["database"]


@pytest.fixture(scope="session")
def platform(layers: dict[str, Run]) -> Run:
    """The platform layer of Hamburg."""
    return layers["platform"]


@pytest.fixture(scope="session")
def city(layers: dict[str, Run]) -> Run:
    """The city layer of Hamburg."""
    return layers["city"]
