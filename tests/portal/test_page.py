"""What people see: the Things, what changes, and what becomes of the page when something fails."""

from __future__ import annotations

import asyncio
import io
import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageChops

from tests.portal.stage import Built, Stage, Visit, staged, visited
from traffic_lights import traffic_lights

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Browser, Route

_RED: Final = (0xF0, 0x48, 0x3E)
_GREEN: Final = (0x2F, 0xD1, 0x7A)


async def _dots(visit: Visit, colour: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Where the map is of a colour, between the panels at its sides."""
    shot = await visit.page.screenshot(clip={"x": 340, "y": 0, "width": 500, "height": 700})
    bands = Image.open(io.BytesIO(shot)).convert("RGB").split()
    near = [
        band.point([255 * (abs(had - wanted) <= 8) for had in range(256)])
        for band, wanted in zip(bands, colour, strict=True)
    ]
    alike = ImageChops.darker(ImageChops.darker(near[0], near[1]), near[2])
    return [(340 + at % alike.width, at // alike.width) for at, value in enumerate(alike.tobytes()) if value]


def _middle(dots: list[tuple[int, int]]) -> tuple[float, float]:
    assert dots, "nothing of that colour is on the map"
    return (sum(x for x, _ in dots) / len(dots), sum(y for _, y in dots) / len(dots))


async def _choose(visit: Visit) -> None:
    """Click the one Thing there is."""
    await visit.page.mouse.click(*_middle(await _dots(visit, _RED)))
    await visit.page.wait_for_selector("#details:not([hidden])")


async def test_it_shows_every_thing_page_by_page(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(120)) as stage, visited(browser, stage.url) as visit:
        await visit.shown()
        assert await visit.live() == 960
        assert await visit.page.inner_text("#things") == "120"
        assert await visit.page.inner_text("#streams") == "960"
        await visit.says("#legend li", "960")
        assert await _dots(visit, _RED)
        assert visit.errors == []
        asked = [path for path in stage.data.requests if "/Things?" in path]
        assert [re.search(r"skip=(\d+)", path) is not None for path in asked] == [False, True]


async def test_it_asks_nobody_but_the_service(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(2)) as stage, visited(browser, stage.url) as visit:
        await visit.live()
        origins = {urlsplit(url).netloc for url in visit.asked if not url.startswith("data:")}
        assert origins == {urlsplit(stage.url).netloc}
        assert visit.errors == [], "the page's own security policy is in its way"


async def test_the_first_request_is_sent_before_the_script_is_there(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(2)) as stage, visited(browser, stage.url) as visit:
        await visit.live()
        first = [path for path in stage.data.requests if "/Things?" in path]
        assert len(first) == 1, "what was preloaded was asked for again"
        assert not any("preload" in error for error in visit.errors)


async def test_a_change_is_on_the_map_within_a_second(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(1)) as stage, visited(browser, stage.url) as visit:
        await visit.live()
        assert await _dots(visit, _GREEN) == []
        await _choose(visit)
        begun = time.monotonic()
        await stage.observe(1, 3)
        await visit.says("#details li", "Grün", seconds=1)
        assert time.monotonic() - begun < 1
        assert await _dots(visit, _GREEN)
        await visit.says("#legend li", "Grün1")


async def test_an_older_observation_changes_nothing(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(1)) as stage, visited(browser, stage.url) as visit:
        await visit.live()
        await _choose(visit)
        await stage.observe(2, 2)
        await visit.says("#details li:nth-child(2)", "Gelb")
        old = '{"result": 3, "phenomenonTime": "2020-01-01T00:00:00Z/2020-01-01T00:01:00Z"}'
        await stage.publisher.publish("v1.1/Datastreams(2)/Observations", old)
        await stage.publisher.publish("v1.1/Datastreams(2)/Observations", "{not JSON")
        await stage.observe(3, 3)
        await visit.says("#details li:nth-child(3)", "Grün")
        assert "Gelb" in await visit.page.inner_text("#details li:nth-child(2)")
        assert visit.errors == []


async def test_a_broker_that_knows_no_mqtt_5_is_spoken_to_in_3(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(1)) as stage:
        stage.edge.oldest = True
        async with visited(browser, stage.url) as visit:
            assert await visit.live() == 8
            assert stage.edge.versions == [5, 4]
            await stage.observe(1, 3)
            await visit.says("#legend li", "Grün1", seconds=1)


async def test_what_happened_while_it_was_cut_off_is_read_afterwards(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(1)) as stage, visited(browser, stage.url) as visit:
        await visit.live()
        await stage.edge.cut()
        await visit.page.wait_for_selector('#state[data-state="connecting"]')
        await visit.says("#state", "The connection is lost")
        stage.data.observe(1, 3)
        stage.edge.broken = False
        await visit.page.wait_for_selector('#state[data-state="live"]')
        await visit.says("#legend li", "Grün1")


async def test_it_says_when_the_service_does_not_answer_and_goes_on_by_itself(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(1)) as stage:
        stage.data.failing = 2
        async with visited(browser, stage.url) as visit:
            await visit.says("#state", "HTTP 503")
            assert await visit.live() == 8
            await visit.says("#state", "Live · 8 signals")


async def test_names_are_text_whatever_is_in_them(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(1), title="</script><b>A & B</b>") as stage:
        stage.data.things[0]["name"] = "<img src=x onerror=alert(1)>"
        stage.data.things[0]["Datastreams"][0]["name"] = "<i>first</i>"
        async with visited(browser, stage.url) as visit:
            await visit.live()
            await _choose(visit)
            assert await visit.page.inner_text("h1") == "</script><b>A & B</b>"
            assert await visit.page.inner_text("#details h2") == "<img src=x onerror=alert(1)>"
            assert "<i>first</i>" in await visit.page.inner_text("#details li:first-child")
            await stage.publisher.publish(
                "v1.1/Datastreams(1)/Observations", '{"result": "<s>x</s>", "phenomenonTime": "2030-01-01T00:00:00Z"}'
            )
            await visit.says("#details li:first-child", "<s>x</s>")
            assert visit.errors == []


async def test_of_more_than_a_connection_may_have_those_in_view_come_first(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(130)) as stage, visited(browser, stage.url) as visit:
        assert await visit.live() == 1000
        await visit.says("#state", "Live · 1000 of 1040 signals")
        await visit.says("#legend li", "1,040")
        asked = len(stage.data.requests)
        # Of the uppermost row of ten the first five are followed, and shine; the last Thing stays below the pointer.
        dots = await _dots(visit, _RED)
        uppermost = min(y for _, y in dots)
        row = [(x, y) for x, y in dots if y < uppermost + 20]
        reach = (max(y for _, y in row) - uppermost) / 2
        first, fifth = min(x for x, _ in row) + reach, max(x for x, _ in row) - reach
        await visit.page.mouse.move(fifth + 5 * (fifth - first) / 4, uppermost + reach)
        for _ in range(4):
            await visit.page.mouse.wheel(0, -400)
            await visit.page.wait_for_timeout(300)
        await _until(lambda: len(stage.data.requests) > asked)
        await visit.live()
        await stage.observe(1040, 3)
        await visit.says("#legend li", "Grün1")
        (x, y), last = stage.edge.extents[-1], stage.data.model.intersections[-1].position
        assert (x, y) == pytest.approx(last, abs=0.02)


async def test_a_thing_moves_where_it_is_followed(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(1), followLocations=True) as stage, visited(browser, stage.url) as visit:
        await visit.live()
        before = _middle(await _dots(visit, _RED))
        x, y = traffic_lights(1).intersections[0].position
        await stage.move(1, (x + 0.0005, y))
        await visit.page.wait_for_timeout(500)
        after = _middle(await _dots(visit, _RED))
        assert after[0] > before[0] + 10
        assert after[1] == pytest.approx(before[1], abs=2)


async def test_a_background_is_fetched_from_where_the_spec_says(built: Built, browser: Browser) -> None:
    tiles = {"url": "https://tiles.city.example/{z}/{x}/{y}.png", "attribution": "<b>The city</b>"}
    picture = io.BytesIO()
    Image.new("RGB", (256, 256), "white").save(picture, "PNG")
    async with staged(built, traffic_lights(1), background=tiles) as stage, visited(browser, "about:blank") as visit:

        async def answer(route: Route) -> None:
            await route.fulfill(body=picture.getvalue(), content_type="image/png")

        await visit.page.route("https://tiles.city.example/**", answer)
        await visit.page.goto(stage.url)
        await visit.live()
        assert any(re.fullmatch(r"https://tiles.city.example/\d+/\d+/\d+\.png", url) for url in visit.asked)
        assert "<b>The city</b>" in await visit.page.inner_text(".leaflet-control-attribution")
        assert visit.errors == []


@pytest.mark.parametrize(("locale", "said"), [("de-DE", "Live · 8 Signale"), ("fr-FR", "Live · 8 signals")])
async def test_it_speaks_german_or_english(built: Built, browser: Browser, locale: str, said: str) -> None:
    async with staged(built, traffic_lights(1)) as stage, visited(browser, stage.url, locale=locale) as visit:
        await visit.says("#state", said)


async def test_a_page_that_nobody_looks_at_listens_to_nothing(built: Built, browser: Browser) -> None:
    async with staged(built, traffic_lights(1)) as stage, visited(browser, "about:blank") as visit:
        await visit.page.clock.install()
        await visit.page.goto(stage.url)
        await visit.live()
        await _seen(visit, hidden=True)
        await visit.page.clock.fast_forward(61_000)
        await _sockets(stage, 0)
        stage.data.observe(1, 3)
        await _seen(visit, hidden=False)
        await visit.says("#legend li", "Grün1")
        await _sockets(stage, 1)


async def _seen(visit: Visit, *, hidden: bool) -> None:
    await visit.page.evaluate(
        "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


async def _sockets(stage: Stage, wanted: int) -> None:
    await _until(lambda: len(stage.edge.sockets) == wanted)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
