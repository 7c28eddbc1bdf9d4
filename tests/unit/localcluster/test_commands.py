"""What a failed command says to people."""

from __future__ import annotations

import pytest

from localcluster.commands import run
from localcluster.errors import LocalClusterError


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo w''hy; printf '\\033[0m' >&2; exit 3", "why"),  # as Maven, which resets a terminal it does not have
        ("echo result; echo w''hy >&2; exit 3", "why"),
        ("exit 3", "(it said nothing)"),
    ],
)
def test_a_failure_quotes_what_the_command_said_wherever_it_said_it(script: str, told: str) -> None:
    with pytest.raises(LocalClusterError) as failed:
        run(["sh", "-c", script], remedy="Do this.")
    assert told in failed.value.problem
    assert "code 3" in failed.value.problem
    assert failed.value.remedy == "Do this."


def test_of_a_long_output_its_end_is_quoted() -> None:
    with pytest.raises(LocalClusterError) as failed:
        run(["sh", "-c", "seq 100; echo w''hy >&2; exit 1"])
    assert "why" in failed.value.problem
    assert "\n50\n" not in failed.value.problem
