"""The sentences about what was measured stand at the end of the run, as in the tests of the node."""

from tests.e2e.conftest import measured, pytest_terminal_summary

__all__ = ["measured", "pytest_terminal_summary"]
