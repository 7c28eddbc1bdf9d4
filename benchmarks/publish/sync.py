"""Entries in a real CKAN with a real Solr: calls of a settled hour, what a look costs, and the first publishing.

An hour is shortened: the probes are those of the operator, with a turn of ``_TURN_SECONDS`` in place of an hour's.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from benchmarks.report import bench_line
from sensorthings_operator.clients.ckan import Ckan
from sensorthings_operator.clients.ckan_entries import CkanEntries, Publication, PublishTarget
from sensorthings_operator.desired.catalogue import ckan as builder
from sensorthings_operator.desired.catalogue.entries import SERVICE_EXTRA, Entry
from sensorthings_operator.desired.reading import DataSummary
from sensorthings_operator.observe.publishing import publishing_probes
from tests.ckan.installation import CKAN, DCAT, SOLR, installation
from tests.ckan.portal import Portal
from tests.unit.catalogue.catalogued import LAYER, described

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensorthings_operator.conditions.observed import Answer

_SERVICES: Final = 10
_LAYERS: Final = 6
"""Of each of them."""
_MOST_LAYERS: Final = 64
"""Of the one that is looked at by itself: as many as a service may have."""
_TURN_SECONDS: Final = 30.0
_TURNS: Final = 3
_PATIENCE_SECONDS: Final = 300
_CALLS_GOAL: Final = 1.0
"""For each target in a settled hour."""
_LOOK_GOAL: Final = 1.25
_FIRST_GOAL: Final = 1.5


@dataclass(frozen=True)
class _Service:
    """One that publishes."""

    ckan: Ckan
    entries: tuple[Entry, ...]
    uid: str

    @property
    def target(self) -> PublishTarget:
        return PublishTarget("bench", self.uid, self.uid, (Publication(self.ckan, self.entries),))


def measured(runs: int, say: Callable[[str], None]) -> list[str]:
    """The lines."""
    say(f"  CKAN {CKAN}, ckanext-dcat {DCAT}, Solr {SOLR}")
    portal = Portal(installation())
    try:
        portal.start()
        return asyncio.run(_measured(portal, runs, say))
    finally:
        portal.stop()


async def _measured(portal: Portal, runs: int, say: Callable[[str], None]) -> list[str]:
    organization = "bench"
    ckan = Ckan(portal.url, organization, "token", portal.editor(organization))
    async with CkanEntries() as entries:
        return [
            await _first(portal, entries, ckan, say),
            await _look(portal, entries, ckan, runs, say),
            await _settled(portal, entries, ckan, say),
        ]


def _service(ckan: Ckan, layers: int) -> _Service:
    uid = str(uuid4())
    said = [LAYER.model_copy(update={"layer_name": f"layer-{number}"}) for number in range(layers)]
    return _Service(ckan, builder.entries(described(data=DataSummary(layers=tuple(said))), f"bench-{uid[:8]}"), uid)


async def _first(portal: Portal, entries: CkanEntries, ckan: Ckan, say: Callable[[str], None]) -> str:
    """All entries of a new service, against bare calls with the same fields."""
    ours, bare = _service(ckan, _MOST_LAYERS), _service(ckan, _MOST_LAYERS)
    seconds, answer = await _timed(entries.ask(ours.target, None))
    if not answer.holds:
        raise RuntimeError(answer.message)

    def make() -> None:
        for each in bare.entries:
            portal.call("package_create", _bare(bare, each), ckan.token)

    floor, _ = await _timed(asyncio.to_thread(make))
    say(f"  {_MOST_LAYERS} entries are made in {seconds:.1f} s, by bare calls in {floor:.1f} s")
    await entries.withdraw(ckan, bare.uid)
    return bench_line("publish-sync-first", seconds, "s", floor=floor, goal=_FIRST_GOAL)


async def _look(portal: Portal, entries: CkanEntries, ckan: Ckan, runs: int, say: Callable[[str], None]) -> str:
    """A look at entries that are as they should be, against the bare search."""
    service = _service(ckan, _MOST_LAYERS)
    before = await entries.ask(service.target, None)
    marked = f'extras_{SERVICE_EXTRA}:"{service.uid}"'
    query = {"fq": marked, "rows": 1000, "include_private": True, "include_drafts": True}
    looks, searches = list[float](), list[float]()
    for _ in range(runs):
        looks.append((await _timed(entries.ask(service.target, before)))[0])
        searches.append((await _timed(asyncio.to_thread(portal.call, "package_search", query, ckan.token)))[0])
    look, search = median(looks) * 1000, median(searches) * 1000
    say(f"  a look at {_MOST_LAYERS} entries takes {look:.0f} ms, the search alone {search:.0f} ms, median of {runs}")
    return bench_line("publish-sync-look", look, "ms", floor=search, goal=_LOOK_GOAL, digits=1)


async def _settled(portal: Portal, entries: CkanEntries, ckan: Ckan, say: Callable[[str], None]) -> str:
    """Calls in turns of the operator's own probes, once all is as it should be."""
    services = [_service(ckan, _LAYERS) for _ in range(_SERVICES)]
    changed = asyncio.Event()
    probes = publishing_probes(entries.ask, changed=lambda _: changed.set(), interval_seconds=_TURN_SECONDS)
    keys = {("bench", service.uid): service.target for service in services}
    try:
        for key, target in keys.items():
            probes.watch(key, target)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not all(_holds(probes.answer(key)) for key in keys):
                await changed.wait()
                changed.clear()
        # The second look comes at any time in the first turn; from then on each has its own.
        await asyncio.sleep(_TURN_SECONDS)
        portal.calls()
        await asyncio.sleep(_TURNS * _TURN_SECONDS)
        calls = Counter(portal.calls())
    finally:
        await probes.close()
    told = ", ".join(f"{action} {number}" for action, number in sorted(calls.items()))
    say(f"  {_SERVICES} services, {_TURNS} turns: {told or 'no calls'}")
    value = calls.total() / (_SERVICES * _TURNS)
    return bench_line("publish-sync-calls", value, "calls", goal=_CALLS_GOAL)


def _holds(answer: Answer | None) -> bool:
    return answer is not None and answer.holds


def _bare(service: _Service, entry: Entry) -> dict[str, Any]:
    fields = entry.fields
    extras = [{"key": key, "value": value} for key, value in fields.pop("extras").items()]
    mark = {"key": SERVICE_EXTRA, "value": service.uid}
    tags = [{"name": tag} for tag in fields["tags"]]
    return {
        **fields,
        "name": entry.name,
        "owner_org": service.ckan.organization,
        "tags": tags,
        "extras": [*extras, mark],
    }


async def _timed(asked: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    result = await asked
    return time.perf_counter() - started, result
