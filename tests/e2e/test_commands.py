"""The commands that ``sensorthings up`` prints at its end do what a new user hopes for, typed as they are printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import NAME, sensorthings
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Printed:
    """What ``up`` printed."""

    exports: str
    commands: list[str]

    def that_has(self, word: str) -> str:
        """The one command with this word in it."""
        (command,) = [each for each in self.commands if word in shlex.split(each, comments=True)]
        return command

    def run(self, word: str) -> str:
        """Type that command; its output."""
        return self.type(self.that_has(word))

    def type(self, command: str) -> str:
        """Type a command, or several; the output."""
        result = subprocess.run(self._shell(command), text=True, capture_output=True, check=False, timeout=60)
        assert result.returncode == 0, f"{command}: {result.stderr}"
        return result.stdout

    @contextmanager
    def running(self, word: str) -> Iterator[subprocess.Popen[str]]:
        """Type that command, and end it with the block."""
        process = subprocess.Popen(
            self._shell(self.that_has(word)), text=True, stdout=subprocess.PIPE, start_new_session=True
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)

    def _shell(self, command: str) -> list[str]:
        return ["bash", "-c", f"{self.exports}\n{command}"]


@pytest.fixture(scope="module")
def printed(platform: dict[str, str]) -> Printed:
    """``up`` again, on a cluster that is up already, as text."""
    assert platform
    result = sensorthings("up", "--name", NAME, seconds=300)
    assert result.returncode == 0
    exports = re.search(r"export KUBECONFIG=.*", result.stdout)
    assert exports, result.stdout
    _, _, after = result.stdout.partition("Try next:")
    return Printed(exports[0], [line.strip() for line in after.splitlines() if line.strip()])


_FIRST = (
    "TOKEN=",
    "curl",
    "curl",
    "play.py",
    "observe",
    "export KUBECONFIG",
    "status",
    "sensorthingsservices",
    "pods",
    "down",
)


def test_every_command_is_known_to_the_tests(printed: Printed) -> None:
    assert len(printed.commands) == len(_FIRST)
    assert all(any(word in command for command in printed.commands) for word in _FIRST)
    # The fixture's end types the same.
    assert shlex.split(printed.that_has("down"))[1:] == ["down", "--name", NAME]


def test_kubectl_shows_the_service_and_its_pods(printed: Printed) -> None:
    assert "traffic-lights" in printed.run("sensorthingsservices")
    assert "traffic-lights-http" in printed.run("pods")


def test_status_shows_the_service(printed: Printed) -> None:
    assert "traffic-lights" in printed.run("status")


def _curl(printed: Printed, *, writes: bool) -> str:
    (command,) = [each for each in printed.commands if each.startswith("curl") and ("--include" in each) is writes]
    return command


def test_curl_gets_json_from_a_server_that_it_trusts(printed: Printed) -> None:
    assert "value" in json.loads(printed.type(_curl(printed, writes=False)))


def test_curl_writes_with_the_token_that_it_got_and_not_without(printed: Printed) -> None:
    (token,) = [each for each in printed.commands if each.startswith("TOKEN=")]
    write = _curl(printed, writes=True)
    assert re.match(r"HTTP/\S+ 401", printed.type(write))
    assert re.match(r"HTTP/\S+ 201", printed.type(f"{token}\n{write}"))


def test_what_the_player_plays_is_observed(printed: Printed) -> None:
    observations = _curl(printed, writes=False).replace("/Things", "/Observations'?$top=1&$orderby=id%20desc'")

    def newest() -> object:
        return json.loads(printed.type(observations))["value"]

    before = newest()
    with printed.running("--duration") as player:
        # The first one is POSTed when every Datastream is there.
        eventually("an Observation", lambda: newest() != before)
        with printed.running("observe") as observing:
            assert observing.stdout
            lines = [observing.stdout.readline() for _ in range(3)]
        assert player.poll() is None
    assert "phenomenonTime" in lines[0]
    assert all(re.search(r"\d ms ", line) for line in lines[1:]), lines
