"""Shows the steps of `up` and `down` on a terminal: what is being done, how long it takes and took last time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console


def seconds_text(seconds: float) -> str:
    """A duration for people: `0.4 s`, `12 s`, `5 min 6 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


class Display:
    """The progress of a run on a console: a bar that lives below lines of what is done.

    Where the console is no terminal there is no bar, only a line per step as it starts and as it is done.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._all: TaskID | None = None
        self._step: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, titles: Sequence[str], last: dict[str, float]) -> None:
        """See `steps.Progress`."""
        self._last = last
        known = sum(last.get(title, 0.0) for title in titles)
        note = f"took {seconds_text(known)} last time" if known else "first time"
        self._all = self._progress.add_task(f"{len(titles)} steps", total=len(titles), note=note)

    def started(self, title: str) -> None:
        """See `steps.Progress`."""
        last = self._last.get(title)
        note = "" if last is None else f"took {seconds_text(last)} last time"
        # A step knows no fraction of itself; the bar pulses until it is done.
        self._step = self._progress.add_task(title, total=None, note=note)
        if not self._console.is_terminal:
            self._console.print(f"{title} ..." + (f" ({note})" if note else ""), highlight=False)

    def detail(self, text: str) -> None:
        """See `steps.Progress`."""
        if self._step is not None:
            self._progress.update(self._step, note=text)

    def finished(self, title: str, seconds: float) -> None:
        """See `steps.Progress`."""
        if self._step is not None:
            self._progress.remove_task(self._step)
            self._step = None
        if self._all is not None:
            self._progress.advance(self._all)
        last = self._last.get(title)
        before = "" if last is None else f", last time {seconds_text(last)}"
        self._console.print(f"[green]done[/] {title} [dim]({seconds_text(seconds)}{before})[/]", highlight=False)
