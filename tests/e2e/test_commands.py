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

from tests.e2e.clients import Http
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
        result = subprocess.run(
            self._shell(self.that_has(word)), text=True, capture_output=True, check=False, timeout=60
        )
        assert result.returncode == 0, f"{self.that_has(word)}: {result.stderr}"
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
def printed(endpoints: dict[str, str]) -> Printed:
    """``up`` again, on a cluster that is up already, as text."""
    assert endpoints
    result = sensorthings("up", "--name", NAME, seconds=300)
    assert result.returncode == 0
    exports = re.search(r"export KUBECONFIG=.*", result.stdout)
    assert exports, result.stdout
    _, _, after = result.stdout.partition("Try next:")
    return Printed(exports[0], [line.strip() for line in after.splitlines() if line.strip()])


def test_every_command_is_known_to_the_tests(printed: Printed) -> None:
    known = {"curl", "--duration", "observe", "sensorthingsservices", "pods", "down"}
    assert {printed.that_has(word) for word in known} == set(printed.commands)
    # The fixture's end types the same.
    assert shlex.split(printed.that_has("down"))[1:] == ["down", "--name", NAME]


def test_kubectl_shows_the_service_and_its_pods(printed: Printed) -> None:
    assert "traffic-lights" in printed.run("sensorthingsservices")
    assert "traffic-lights-http" in printed.run("pods")


def test_curl_gets_json(printed: Printed) -> None:
    assert "value" in json.loads(printed.run("curl"))


def test_what_the_player_plays_is_observed(printed: Printed, endpoints: dict[str, str]) -> None:
    host, port = endpoints["sensorthings"].split("/")[2].split(":")
    http = Http(host, int(port))
    with printed.running("--duration") as player:
        # The first one is POSTed when every Datastream is there.
        eventually("an Observation", lambda: http.get("Observations?$top=1").json["value"])
        with printed.running("observe") as observing:
            assert observing.stdout
            lines = [observing.stdout.readline() for _ in range(3)]
        assert player.poll() is None
    heading, *observations = lines
    assert "phenomenonTime" in heading
    assert all(re.search(r"\d ms ", line) for line in observations), lines
