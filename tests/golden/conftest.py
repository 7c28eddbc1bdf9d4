"""``--update-golden`` writes the expected files instead of comparing them."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of ``make generate``."""
    parser.addoption("--update-golden", action="store_true", help="write the golden manifests anew")


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether the expected files are written."""
    return bool(request.config.getoption("--update-golden", default=False))
