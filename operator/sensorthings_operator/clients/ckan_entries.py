"""Keeps the entries of services in the catalogues that they name. Used by the probe and by the finalizer.

One search tells all entries of a service by their mark. Whatever is then written is read from the database first: what
does not carry the mark there is somebody else's, and is never touched. A call whose answer was lost is no matter: the
next look finds what came of it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp

from sensorthings_operator import metrics
from sensorthings_operator.clients.ckan import Ckan, CkanApi, CkanError
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.publishing import PublishingReason
from sensorthings_operator.desired.catalogue.entries import DATASET_EXTRA, SERVICE_EXTRA, Entry

_LOG: Final = logging.getLogger(__name__)
_MOST_TOLD: Final = 3
"""Problems that a condition repeats."""

Live = Mapping[str, Any]


@dataclass(frozen=True)
class Publication:
    """What a service has in one catalogue."""

    ckan: Ckan
    entries: tuple[Entry, ...] = ()
    former: bool = False
    """The spec names it no more: all entries go."""


@dataclass(frozen=True)
class PublishTarget:
    """What a service publishes, and where."""

    namespace: str
    name: str
    uid: str
    publications: tuple[Publication, ...]


@dataclass(frozen=True)
class Published(Answer):
    """How that went."""

    withdrawn: frozenset[str] = field(default_factory=frozenset)
    """URLs of catalogues in which nothing of the service is left."""


Repaired = Callable[[PublishTarget, str], None]
"""Told of what was put right in a catalogue, in a sentence for people."""


class CkanEntries:
    """The entries of services in every CKAN; an async context manager."""

    def __init__(self, *, repaired: Repaired = lambda _target, _note: None) -> None:
        self._repaired = repaired
        self._sent: dict[tuple[str, str, str], str] = {}
        """What each entry was found or made to be last, by URL, uid and key: another one was changed by somebody."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def ask(self, target: PublishTarget, before: Answer | None) -> Answer:
        """Bring all of a service's entries to what they should be: how that went."""
        problems: list[CkanError] = []
        told: list[str] = []
        withdrawn: set[str] = set()
        for publication in target.publications:
            try:
                found = await self._keep(target, publication, thorough=before is None or not before.holds)
            except CkanError as error:
                found = [error]
            problems += found
            if found:
                continue
            if publication.former:
                withdrawn.add(publication.ckan.url)
            else:
                where = f"{publication.ckan.url}, organization {publication.ckan.organization}"
                told.append(f"{len(publication.entries)} entries at {where}")
        gone = frozenset(withdrawn)
        if problems:
            more = f"; and {len(problems) - _MOST_TOLD} more" if len(problems) > _MOST_TOLD else ""
            said = "; ".join(each.message for each in problems[:_MOST_TOLD])
            return Published(holds=False, reason=problems[0].reason.value, message=f"{said}{more}", withdrawn=gone)
        said = "; ".join(told) or "nothing is left"
        return Published(holds=True, reason=PublishingReason.CURRENT.value, message=said, withdrawn=gone)

    async def withdraw(self, ckan: Ckan, uid: str) -> None:
        """Delete all entries of a service.

        Raises:
            CkanError: Some may be left.
        """
        api = CkanApi(self._http, ckan)
        for live in await api.entries(SERVICE_EXTRA, uid):
            await self._remove(api, uid, live)

    async def _keep(self, target: PublishTarget, publication: Publication, *, thorough: bool) -> list[CkanError]:
        """What is refused of single entries.

        Raises:
            CkanError: The catalogue could not be worked on.
        """
        api = CkanApi(self._http, publication.ckan)
        if publication.former:
            await self.withdraw(publication.ckan, target.uid)
            return []
        if thorough and publication.ckan.organization not in await api.organizations():
            # CKAN answers reads also with a token that it does not know.
            raise api.refused_token()
        found = await api.entries(SERVICE_EXTRA, target.uid)
        problems: list[CkanError] = []
        stay: set[str] = set()
        for entry in publication.entries:
            live = _of(found, entry)
            stay |= set() if live is None else {str(live["id"])}
            try:
                await self._bring(api, target, entry, live)
            except CkanError as error:
                if not error.concerns_one_entry:
                    raise
                problems.append(error)
        for live in found:
            if live["id"] not in stay:
                await self._remove(api, target.uid, live)
        return problems

    async def _bring(self, api: CkanApi, target: PublishTarget, entry: Entry, listed: Live | None) -> None:
        """Make one entry what it should be."""
        place = (api.ckan.url, target.uid, entry.key)
        wanted = _fields(entry, target.uid, api.ckan.organization)
        if listed is None:
            await self._make(api, target, entry, wanted)
        elif differs(wanted, listed):
            live = await api.entry(str(listed["id"]))
            if live is None or not _is_ours(live, target.uid):
                # The index is behind what the database has.
                await self._make(api, target, entry, wanted)
            elif differs(wanted, live):
                await self._patch(api, target, entry, wanted, live)
                if self._sent.get(place) == entry.content:
                    self._tell(target, f"brought back entry {entry.name} at {api.ckan.url}: somebody had changed it")
        self._sent[place] = entry.content

    async def _make(self, api: CkanApi, target: PublishTarget, entry: Entry, wanted: dict[str, Any]) -> None:
        was_there = (api.ckan.url, target.uid, entry.key) in self._sent
        try:
            await api.create(wanted)
            _log(target, "made entry %s at %s", entry.name, api.ckan.url)
        except CkanError as error:
            if "owner_org" in error.fields:
                raise api.refused_token() from None
            if error.fields != ("name",):
                raise
            await self._take_up(api, target, entry, wanted)
        if was_there:
            self._tell(target, f"made entry {entry.name} at {api.ckan.url} anew: it was gone")

    async def _take_up(self, api: CkanApi, target: PublishTarget, entry: Entry, wanted: dict[str, Any]) -> None:
        """The name is in use: by an entry of this dataset that the index does not know, or by somebody else's."""
        live = await api.entry(entry.name)
        if live is None or not _is_ours(live, target.uid) or _extras(live).get(DATASET_EXTRA) != entry.key:
            raise _name_taken(api, target, entry)
        if differs(wanted, live):
            await self._patch(api, target, entry, wanted, live)

    async def _patch(
        self, api: CkanApi, target: PublishTarget, entry: Entry, wanted: dict[str, Any], live: Live
    ) -> None:
        try:
            await api.patch(str(live["id"]), patch_of(wanted, live))
        except CkanError as error:
            if error.fields == ("name",):
                raise _name_taken(api, target, entry) from None
            raise

    async def _remove(self, api: CkanApi, uid: str, listed: Live) -> None:
        live = await api.entry(str(listed["id"]))
        if live is None or live.get("state") == "deleted" or not _is_ours(live, uid):
            return
        await api.delete(str(live["id"]))
        self._sent.pop((api.ckan.url, uid, _extras(live).get(DATASET_EXTRA, "")), None)
        _LOG.info("deleted entry %s at %s", live.get("name"), api.ckan.url)

    def _tell(self, target: PublishTarget, note: str) -> None:
        metrics.DRIFT_REPAIRS.labels("CatalogueEntry").inc()
        _log(target, "%s", note)
        self._repaired(target, note)


def differs(wanted: Mapping[str, Any], live: Live) -> bool:
    """Whether anything of ours in an entry is not as it should be; what others added is no matter."""
    extras, tags = _extras(live), {str(tag.get("name")) for tag in live.get("tags") or ()}
    organization = (live.get("organization") or {}).get("name")
    plain = {name for name in wanted if name not in ("extras", "tags", "resources", "owner_org")}
    return (
        any(_value(live.get(name)) != _value(wanted[name]) for name in plain)
        or organization != wanted["owner_org"]
        or tags != {tag["name"] for tag in wanted["tags"]}
        or any(extras.get(each["key"]) != each["value"] for each in wanted["extras"])
        or _resources_differ(wanted["resources"], live.get("resources") or [])
    )


def patch_of(wanted: Mapping[str, Any], live: Live) -> dict[str, Any]:
    """What brings an entry back: extras of others stay, and resources keep their ids, which stand in addresses."""
    ours = {each["key"] for each in wanted["extras"]}
    others = [{"key": key, "value": value} for key, value in _extras(live).items() if key not in ours]
    ids = {each.get("name"): each.get("id") for each in live.get("resources") or ()}
    resources = [
        {**each, "id": ids.pop(each["name"])} if each["name"] in ids else dict(each) for each in wanted["resources"]
    ]
    return {**wanted, "extras": [*wanted["extras"], *others], "resources": resources}


def _name_taken(api: CkanApi, target: PublishTarget, entry: Entry) -> CkanError:
    return CkanError(
        PublishingReason.NAME_TAKEN,
        f"{api.ckan.url} has an entry {entry.name} that was not made for this service, and is left alone: give the "
        f"target another namePrefix, delete that entry, or hand it over by setting its extras {SERVICE_EXTRA} to "
        f"{target.uid} and {DATASET_EXTRA} to {entry.key}",
    )


def _fields(entry: Entry, uid: str, organization: str) -> dict[str, Any]:
    fields = entry.fields
    extras = {**fields.pop("extras"), SERVICE_EXTRA: uid, DATASET_EXTRA: entry.key}
    return {
        **fields,
        "name": entry.name,
        "owner_org": organization,
        "state": "active",
        "tags": [{"name": tag} for tag in fields["tags"]],
        "extras": [{"key": key, "value": value} for key, value in extras.items()],
    }


def _of(found: Sequence[Live], entry: Entry) -> Live | None:
    """The entry of a dataset; of two, the one whose name is right."""
    same = [live for live in found if _extras(live).get(DATASET_EXTRA) == entry.key]
    return next((live for live in same if live.get("name") == entry.name), same[0] if same else None)


def _resources_differ(wanted: Sequence[Mapping[str, Any]], live: Sequence[Mapping[str, Any]]) -> bool:
    if len(wanted) != len(live):
        return True
    return any(
        _value(there.get(name)) != _value(value)
        for each, there in zip(wanted, live, strict=True)
        for name, value in each.items()
    )


def _value(value: object) -> object:
    """CKAN has null where nothing was sent."""
    return "" if value is None else value


def _extras(live: Live) -> dict[str, str]:
    return {str(each.get("key")): str(each.get("value")) for each in live.get("extras") or ()}


def _is_ours(live: Live, uid: str) -> bool:
    return _extras(live).get(SERVICE_EXTRA) == uid


def _log(target: PublishTarget, text: str, *values: str) -> None:
    _LOG.info(text, *values, extra={"service": f"{target.namespace}/{target.name}"})
