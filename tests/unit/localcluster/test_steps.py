"""Running steps: in order, with durations that are remembered, and with the failed step named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcluster.errors import LocalClusterError
from localcluster.steps import Step, read_durations, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Recorder:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.last: dict[str, float] = {}

    def begin(self, titles: Sequence[str], last: dict[str, float]) -> None:
        self.told.append(f"begin {len(titles)}")
        self.last = last

    def started(self, title: str) -> None:
        self.told.append(f"started {title}")

    def detail(self, text: str) -> None:
        self.told.append(f"detail {text}")

    def finished(self, title: str, seconds: float) -> None:
        assert seconds >= 0
        self.told.append(f"finished {title}")


def test_steps_run_in_order_and_tell_what_they_are_at(tmp_path: Path) -> None:
    recorder = Recorder()
    run([Step("one", lambda detail: detail("x")), Step("two", lambda _: None)], recorder, tmp_path / "d.json")
    assert recorder.told == ["begin 2", "started one", "detail x", "finished one", "started two", "finished two"]


def test_durations_are_remembered_even_when_a_later_step_fails(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "d.json"

    def fail(_: object) -> None:
        raise LocalClusterError("the disk is full", "free some")

    with pytest.raises(LocalClusterError, match="two: the disk is full\nfree some"):
        run([Step("one", lambda _: None), Step("two", fail), Step("three", lambda _: None)], Recorder(), path)
    assert set(read_durations(path)) == {"one"}
    again = Recorder()
    run([Step("two", lambda _: None)], again, path)
    assert set(again.last) == {"one"}
    assert set(read_durations(path)) == {"one", "two"}


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1'])
def test_damaged_durations_are_unknown_durations(tmp_path: Path, content: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(content)
    assert read_durations(path) == {}
