"""Daemons: started once, known again, stopped for certain, and never mistaken for another process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcluster.errors import LocalClusterError
from localcluster.processes import ON_THE_HOST, Daemon, Placement, parse_stat


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon("sleeper", tmp_path / "run", tmp_path / "log")


@given(
    st.integers(1, 4194304),
    st.text(st.characters(exclude_characters="\n\0", codec="utf-8"), max_size=15),
    st.sampled_from("RSDZT"),
    st.integers(0, 2**63),
)
def test_a_stat_line_is_read_whatever_the_command_is_named(pid: int, name: str, state: str, start: int) -> None:
    zeros = " ".join(["0"] * 18)
    assert parse_stat(f"{pid} ({name}) {state} {zeros} {start} 0 0") == (pid, state, start)


def test_it_is_started_once_and_stopped(daemon: Daemon) -> None:
    daemon.start(["sleep", "60"], ON_THE_HOST)
    pid = daemon.pid
    daemon.start(["sleep", "60"], ON_THE_HOST)
    assert daemon.pid == pid
    assert pid is not None
    daemon.stop()
    assert not daemon.alive()
    assert not Path(f"/proc/{pid}").exists()


def test_it_is_detached(daemon: Daemon) -> None:
    daemon.start(["sleep", "60"], ON_THE_HOST)
    assert daemon.pid is not None
    assert os.getsid(daemon.pid) == daemon.pid
    assert Path(f"/proc/{daemon.pid}/cwd").resolve() == Path("/")
    daemon.stop()


def test_one_that_ignores_sigterm_is_killed(daemon: Daemon) -> None:
    daemon.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done"], ON_THE_HOST)
    while "ready" not in daemon.last_words():
        assert daemon.alive()
    daemon.stop(patience=0.1)
    assert not daemon.alive()


def test_a_reused_pid_is_left_alone(daemon: Daemon) -> None:
    """The pid file means a process with our own pid that began earlier: stopping it must not end this one."""
    daemon.pids.mkdir()
    stat = Path("/proc/self/stat").read_text().split()
    stat[21] = str(int(stat[21]) - 1)
    daemon.pidfile.write_text(f"{Path('/proc/sys/kernel/random/boot_id').read_text()}{' '.join(stat)}\n")
    assert not daemon.alive()
    daemon.stop()
    assert not daemon.pidfile.exists()


def test_a_pid_of_an_earlier_boot_is_left_alone(daemon: Daemon) -> None:
    daemon.pids.mkdir()
    daemon.pidfile.write_text(f"00000000-0000-0000-0000-000000000000\n{Path('/proc/self/stat').read_text()}")
    assert not daemon.alive()
    daemon.stop()


@pytest.mark.parametrize("content", ["", "garbage", "boot\n12 (cut", "boot\n"])
def test_a_damaged_pid_file_means_nothing_runs(daemon: Daemon, content: str) -> None:
    daemon.pids.mkdir()
    daemon.pidfile.write_text(content)
    assert daemon.pid is None


def test_one_that_ended_says_why(daemon: Daemon) -> None:
    daemon.start(["sh", "-c", "echo no such thing >&2; exit 3"], ON_THE_HOST)
    while daemon.alive():
        pass
    with pytest.raises(LocalClusterError, match="no such thing"):
        daemon.check()


def test_a_namespace_is_entered_by_prefix() -> None:
    both = Placement(net=Path("/run/netns/a"), mount=Path("/b"))
    assert both.enter() == ["nsenter", "--net=/run/netns/a", "--mount=/b", "--"]
    assert ON_THE_HOST.enter() == []
