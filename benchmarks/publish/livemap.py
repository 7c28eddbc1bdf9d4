"""The live map: time to the first thing shown, and frames while a thousand signals change in a second.

The page, its server, the browser and the broker are real; a stand-in answers for the service, so that what is measured
is the page. The floor is a page of twenty lines in the same browser, in the same run: it asks for the same Things and
puts a dot where each is, or draws as many dots anew in each frame and does nothing else.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median, quantiles
from typing import TYPE_CHECKING, Final

from benchmarks.report import bench_line
from tests.portal import stage
from traffic_lights import traffic_lights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.portal.stage import Built, Stage

_SIGNALS_OF_A_THING: Final = 8
_SHOWN_GOAL: Final = 3.0
_FRAME_GOAL: Final = 1.5
_BARE: Final = """<!doctype html><title>bare</title><canvas width="1200" height="800"></canvas><script>
const things = fetch("/FROST-Server/v1.1/Things?$expand=Locations,Datastreams&$top=100");
things.then((answer) => answer.json()).then(({ value }) => {
  const places = value.map((thing) => thing.Locations[0].location.coordinates);
  const range = (axis) => places.map((place) => place[axis]);
  const [west, east] = [Math.min(...range(0)), Math.max(...range(0))];
  const [south, north] = [Math.min(...range(1)), Math.max(...range(1))];
  const context = document.querySelector("canvas").getContext("2d");
  for (const [x, y] of places) {
    context.fillRect(1200 * (x - west) / (east - west || 1), 800 * (north - y) / (north - south || 1), 4, 4);
  }
  document.body.dataset.shown = performance.now();
});
</script>"""
_DRAWING: Final = """<!doctype html><title>drawing</title><canvas width="1200" height="800"></canvas><script>
const context = document.querySelector("canvas").getContext("2d");
const draw = () => {
  context.clearRect(0, 0, 1200, 800);
  for (let at = 0; at < DOTS; at += 1) {
    context.fillRect((at * 37) % 1200, (at * 91) % 800, 4, 4);
  }
  requestAnimationFrame(draw);
};
draw();
</script>"""
_INTERVALS: Final = """(seconds) => new Promise((done) => {
  const times = [];
  const frame = (now) => {
    times.push(now);
    if (now - times[0] < seconds * 1000) { requestAnimationFrame(frame); } else { done(times); }
  };
  requestAnimationFrame(frame);
})"""
"""When the browser was ready for each frame, as the page's own script is told."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    runs: int
    seconds: float
    signals: int


@dataclass
class _Found:
    """What was measured, in milliseconds."""

    shown: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    drawing: list[float] = field(default_factory=list)
    heard: float = 0


def measured(sizes: Sizes, folder: Path, say: Callable[[str], None]) -> list[str]:
    """The BENCH lines."""
    folder.mkdir()
    found = asyncio.run(_measure(sizes, stage.build(folder), say))
    late = quantiles(found.frames, n=100)[98]
    bare_late = quantiles(found.drawing, n=100)[98]
    rate = 1000 / _mean(found.frames)
    say(f"frames of the page: p50 {median(found.frames):.1f} ms, p99 {late:.1f} ms; {rate:.1f} a second")
    say(f"frames of the floor: p50 {median(found.drawing):.1f} ms, p99 {bare_late:.1f} ms")
    say(f"changes that the page was told of: {found.heard:.0f} a second")
    return [
        bench_line("map-first-thing", median(found.shown), "ms", floor=median(found.bare), goal=_SHOWN_GOAL, digits=0),
        bench_line("map-frame", _mean(found.frames), "ms", floor=_mean(found.drawing), goal=_FRAME_GOAL, digits=1),
    ]


def _mean(intervals: list[float]) -> float:
    return sum(intervals) / len(intervals)


async def _measure(sizes: Sizes, built: Built, say: Callable[[str], None]) -> _Found:
    found = _Found()
    pages = {"/bare": _BARE, "/drawing": _DRAWING.replace("DOTS", str(sizes.signals))}
    model = traffic_lights(sizes.signals // _SIGNALS_OF_A_THING)
    async with stage.staged(built, model, directly=True, pages=pages) as city, stage.browser() as browser:
        origin = city.url.removesuffix("/map/")
        for _ in range(sizes.runs):
            found.bare.append(await _first(browser, f"{origin}/bare"))
            found.shown.append(await _first(browser, city.url))
        say(f"first thing shown: {_listed(found.shown)} ms; floor {_listed(found.bare)} ms")
        async with stage.visited(browser, f"{origin}/drawing") as visit:
            found.drawing = await _frames(visit.page, sizes.seconds)
        found.frames, found.heard = await _under_load(browser, city, sizes)
    return found


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


async def _first(browser: Browser, url: str) -> float:
    """Milliseconds from asking for the page to the first thing on it, with nothing in the browser's cache."""
    async with stage.visited(browser, url) as visit:
        return await visit.shown()


async def _frames(page: Page, seconds: float) -> list[float]:
    times: list[float] = await page.evaluate(_INTERVALS, seconds)
    return [later - earlier for earlier, later in pairwise(times)]


async def _under_load(browser: Browser, city: Stage, sizes: Sizes) -> tuple[list[float], float]:
    async with stage.visited(browser, city.url) as visit:
        await visit.live()
        warm = 3.0
        load = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.publish.signals", str(city.broker), str(sizes.signals), str(sizes.seconds + 2 * warm)),
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.sleep(warm)
            before = int(await visit.page.evaluate("document.body.dataset.changes"))
            frames = await _frames(visit.page, sizes.seconds)
            after = int(await visit.page.evaluate("document.body.dataset.changes"))
        finally:
            await load.wait()
        if visit.errors:
            message = f"the page has errors: {visit.errors}"
            raise RuntimeError(message)
        return frames, (after - before) / (sum(frames) / 1000)
