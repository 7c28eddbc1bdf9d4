"""What publishing does to a CKAN, the same for a real one and for the fake of the unit tests.

Both have the names of ``Portal``: where it is, tokens, and a search index that can go.
"""

from __future__ import annotations

import json
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import uuid4

import pytest

from sensorthings_operator.clients.ckan import CkanError
from sensorthings_operator.clients.ckan_entries import CkanEntries, Publication, Published, PublishTarget
from sensorthings_operator.conditions.publishing import PublishingReason
from sensorthings_operator.desired.catalogue import ckan as builder
from sensorthings_operator.desired.catalogue.entries import DATASET_EXTRA, SERVICE_EXTRA, Entry
from sensorthings_operator.desired.reading import DataSummary, LayerSummary
from tests.unit.catalogue.catalogued import LAYER, OTHER, described

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sensorthings_operator.clients.ckan import Ckan

WELL: Final = (True, PublishingReason.CURRENT)


class Catalogue(Protocol):
    """A CKAN for tests."""

    admin: str

    @property
    def url(self) -> str: ...
    def call(self, action: str, body: dict[str, Any], token: str) -> Any: ...
    def start_solr(self) -> None: ...
    def stop_solr(self) -> None: ...
    def empty_index(self) -> None: ...
    def calls(self) -> list[str]: ...


class Publisher:
    """A service that publishes into an organization of its own, and what is there."""

    def __init__(self, portal: Catalogue, ckan: Ckan) -> None:
        self.portal = portal
        self.ckan = ckan
        self.prefix = f"air-{uuid4().hex[:8]}"
        self.uid = str(uuid4())
        self.layers: tuple[LayerSummary, ...] = (LAYER, OTHER)
        self.said: dict[str, Any] = {}
        self.repaired: list[str] = []
        self.answer: Published | None = None

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The operator's part, from its start to its end."""
        self.answer = None
        async with CkanEntries(repaired=lambda _, note: self.repaired.append(note)) as self.entries:
            yield

    @property
    def wanted(self) -> tuple[Entry, ...]:
        """What it publishes."""
        return builder.entries(described(self.said, data=DataSummary(layers=self.layers)), self.prefix)

    async def look(self, **changes: Any) -> tuple[bool, str]:
        """One look: whether all is well, and the reason."""
        publication = replace(Publication(self.ckan, self.wanted), **changes)
        target = PublishTarget("hamburg", "air", self.uid, (publication,))
        answer = await self.entries.ask(target, self.answer)
        assert isinstance(answer, Published)
        assert self.ckan.token not in repr((target, answer))
        self.answer = answer
        return answer.holds, answer.reason

    @property
    def told(self) -> str:
        """What the last look said."""
        assert self.answer is not None
        return self.answer.message

    def call(self, action: str, **body: Any) -> Any:
        """An action as an administrator of the CKAN."""
        return self.portal.call(action, body, self.portal.admin)

    def there(self) -> dict[str, dict[str, Any]]:
        """All entries of the organization, by their names."""
        query = {"fq": f"organization:{self.ckan.organization}", "rows": 1000, "include_private": True}
        return {each["name"]: each for each in self.call("package_search", **query)["results"]}

    def calls(self) -> list[str]:
        """Actions since this was asked last, where the CKAN counts them."""
        return self.portal.calls()


def extras(live: dict[str, Any]) -> dict[str, str]:
    """By their keys."""
    return {each["key"]: each["value"] for each in live["extras"]}


class EntriesContract:
    """The tests."""

    @pytest.fixture
    def publisher(self, portal: Catalogue, ckan: Ckan) -> Publisher:
        return Publisher(portal, ckan)

    async def test_each_dataset_gets_an_entry(self, publisher: Publisher) -> None:
        async with publisher.working():
            assert await publisher.look() == WELL
        there = publisher.there()
        assert there.keys() == {entry.name for entry in publisher.wanted}
        live = there[f"{publisher.prefix}-no2"]
        assert live["title"] == "Stickstoffdioxid"
        assert live["organization"]["name"] == publisher.ckan.organization
        assert {tag["name"] for tag in live["tags"]} == {"Luft", "Messwerte", "NO2"}
        assert extras(live)[SERVICE_EXTRA] == publisher.uid
        assert json.loads(extras(live)["theme"])[0].endswith("/data-theme/ENVI")
        assert [each["format"] for each in live["resources"]] == ["JSON"] * 4
        assert publisher.told == f"2 entries at {publisher.ckan.url}, organization {publisher.ckan.organization}"

    async def test_what_is_settled_costs_one_read(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
            before = publisher.there()
            publisher.calls()
            assert await publisher.look() == WELL
            assert publisher.calls() == ["package_search"]
            assert publisher.there() == before
        assert publisher.repaired == []

    async def test_a_start_of_the_operator_writes_nothing(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
        before = publisher.there()
        publisher.calls()
        async with publisher.working():
            assert await publisher.look() == WELL
        assert publisher.calls() == ["organization_list_for_user", "package_search"]
        assert publisher.there() == before

    async def test_what_changed_is_changed_and_nothing_else(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
            before = publisher.there()
            publisher.said = {
                "datasets": [
                    {
                        "serviceName": LAYER.service_name,
                        "layers": [
                            {
                                "layerName": "no2",
                                "title": {"de": "Stickoxid"},
                                "description": {"de": "NO2 in Bodennähe"},
                                "keywords": ["NO2"],
                            }
                        ],
                    }
                ]
            }
            assert await publisher.look() == WELL
        after = publisher.there()
        name = f"{publisher.prefix}-no2"
        assert after[name]["title"] == "Stickoxid"
        assert after[name]["id"] == before[name]["id"]
        assert [each["id"] for each in after[name]["resources"]] == [each["id"] for each in before[name]["resources"]]
        other = next(each for each in before if each != name)
        assert after[other] == before[other]
        assert publisher.repaired == [], "we changed it ourselves"

    async def test_a_dataset_that_goes_is_withdrawn(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
            publisher.layers = (LAYER,)
            assert await publisher.look() == WELL
        assert list(publisher.there()) == [f"{publisher.prefix}-no2"]

    async def test_a_catalogue_that_is_named_no_more_has_nothing_left(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
            assert await publisher.look(former=True, entries=()) == WELL
            assert publisher.answer is not None
            assert publisher.answer.withdrawn == {publisher.ckan.url}
            assert publisher.there() == {}
            await publisher.entries.withdraw(publisher.ckan, publisher.uid)

    async def test_entries_of_others_are_not_touched(self, publisher: Publisher) -> None:
        name = f"theirs-{uuid4().hex[:8]}"
        publisher.call("package_create", name=name, title="Ours", owner_org=publisher.ckan.organization)
        of_a_namesake = f"theirs-{uuid4().hex[:8]}"
        publisher.call(
            "package_create",
            name=of_a_namesake,
            owner_org=publisher.ckan.organization,
            extras=[{"key": SERVICE_EXTRA, "value": str(uuid4())}, {"key": DATASET_EXTRA, "value": "x"}],
        )
        before = publisher.there()
        async with publisher.working():
            await publisher.look()
            await publisher.look(former=True, entries=())
        assert publisher.there() == before

    async def test_a_name_that_is_taken_is_told_and_left_alone(self, publisher: Publisher) -> None:
        taken = f"{publisher.prefix}-no2"
        publisher.call("package_create", name=taken, title="Ours", owner_org=publisher.ckan.organization)
        async with publisher.working():
            assert await publisher.look() == (False, PublishingReason.NAME_TAKEN)
            assert f"has an entry {taken} that was not made for this service" in publisher.told
            assert "give the target another namePrefix" in publisher.told
            there = publisher.there()
            assert there[taken]["title"] == "Ours"
            assert len(there) == 2, "the other dataset has its entry"
            publisher.layers = ()
            await publisher.look()
            assert list(publisher.there()) == [taken], "what is not ours is not withdrawn"

    async def test_a_name_that_is_handed_over_is_taken_up(self, publisher: Publisher) -> None:
        publisher.layers = (LAYER,)
        (entry,) = publisher.wanted
        marks = [{"key": SERVICE_EXTRA, "value": publisher.uid}, {"key": DATASET_EXTRA, "value": entry.key}]
        theirs = {"key": "steward", "value": "Frau Meier"}
        publisher.call(
            "package_create", name=entry.name, owner_org=publisher.ckan.organization, extras=[*marks, theirs]
        )
        async with publisher.working():
            assert await publisher.look() == WELL
        live = publisher.there()[entry.name]
        assert live["title"] == "Stickstoffdioxid"
        assert extras(live)["steward"] == "Frau Meier", "what others added stays"

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"title": "Changed"}, id="title"),
            pytest.param({"notes": ""}, id="description"),
            pytest.param({"tags": [{"name": "other"}]}, id="tags"),
            pytest.param({"resources": []}, id="no resources"),
            pytest.param({"resources": [{"name": "other", "url": "https://elsewhere.example"}]}, id="resources"),
            pytest.param({"private": True}, id="hidden"),
            pytest.param({"license_id": "cc-by"}, id="licence"),
        ],
    )
    async def test_drift_is_repaired_and_told(self, publisher: Publisher, change: dict[str, Any]) -> None:
        publisher.layers = (LAYER,)
        async with publisher.working():
            await publisher.look()
            (before,) = publisher.there().values()
            publisher.call("package_patch", id=before["id"], **change)
            assert await publisher.look() == WELL
            (after,) = publisher.there().values()
            assert after["id"] == before["id"]
            for name in change:
                if name == "resources":
                    assert [each["url"] for each in after[name]] == [each["url"] for each in before[name]]
                elif name == "tags":
                    assert [each["name"] for each in after[name]] == [each["name"] for each in before[name]]
                else:
                    assert after[name] == before[name]
            (told,) = publisher.repaired
            assert told.startswith(f"brought back entry {before['name']} at {publisher.ckan.url}")
            publisher.calls()
            assert await publisher.look() == WELL
            assert publisher.calls() == ["package_search"]

    async def test_an_extra_that_somebody_took_away_comes_back(self, publisher: Publisher) -> None:
        publisher.layers = (LAYER,)
        async with publisher.working():
            await publisher.look()
            (before,) = publisher.there().values()
            kept = [each for each in before["extras"] if each["key"] in (SERVICE_EXTRA, DATASET_EXTRA)]
            publisher.call("package_patch", id=before["id"], extras=kept)
            assert await publisher.look() == WELL
        (after,) = publisher.there().values()
        assert extras(after) == extras(before)

    async def test_an_entry_that_somebody_deleted_comes_back(self, publisher: Publisher) -> None:
        publisher.layers = (LAYER,)
        async with publisher.working():
            await publisher.look()
            (before,) = publisher.there().values()
            publisher.call("package_delete", id=before["id"])
            assert publisher.there() == {}
            assert await publisher.look() == WELL
        (after,) = publisher.there().values()
        assert after["name"] == before["name"]
        assert publisher.repaired == [f"made entry {before['name']} at {publisher.ckan.url} anew: it was gone"]

    async def test_an_entry_without_its_mark_is_nobodys_of_ours(self, publisher: Publisher) -> None:
        publisher.layers = (LAYER,)
        async with publisher.working():
            await publisher.look()
            (before,) = publisher.there().values()
            publisher.call("package_patch", id=before["id"], extras=[], title="Ours now")
            assert await publisher.look() == (False, PublishingReason.NAME_TAKEN)
            publisher.layers = ()
            await publisher.look()
        (after,) = publisher.there().values()
        assert after["title"] == "Ours now"

    async def test_orphans_are_swept_by_the_mark(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
            marks = [{"key": SERVICE_EXTRA, "value": publisher.uid}, {"key": DATASET_EXTRA, "value": "long gone"}]
            name = f"{publisher.prefix}-old"
            publisher.call("package_create", name=name, owner_org=publisher.ckan.organization, extras=marks)
            assert name in publisher.there()
            assert await publisher.look() == WELL
        assert publisher.there().keys() == {entry.name for entry in publisher.wanted}

    async def test_another_prefix_names_the_same_entries_anew(self, publisher: Publisher) -> None:
        publisher.layers = (LAYER,)
        async with publisher.working():
            await publisher.look()
            (before,) = publisher.there().values()
            publisher.prefix = f"other-{uuid4().hex[:8]}"
            assert await publisher.look() == WELL
        (after,) = publisher.there().values()
        assert (after["id"], after["name"]) == (before["id"], f"{publisher.prefix}-no2")

    async def test_another_prefix_whose_name_is_taken_is_told_too(self, publisher: Publisher) -> None:
        publisher.layers = (LAYER,)
        async with publisher.working():
            await publisher.look()
            before, publisher.prefix = publisher.prefix, f"other-{uuid4().hex[:8]}"
            taken = f"{publisher.prefix}-no2"
            publisher.call("package_create", name=taken, title="Ours", owner_org=publisher.ckan.organization)
            assert await publisher.look() == (False, PublishingReason.NAME_TAKEN)
            assert f"has an entry {taken} that was not made for this service" in publisher.told
        there = publisher.there()
        assert there.keys() == {taken, f"{before}-no2"}, "the entry stays under the name that it had"
        assert there[taken]["title"] == "Ours"

    async def test_a_token_that_is_not_good_is_told_and_changes_nothing(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
        before = publisher.there()
        publisher.ckan = replace(publisher.ckan, token="not-a-token")
        publisher.layers = (LAYER,)
        async with publisher.working():
            assert await publisher.look() == (False, PublishingReason.TOKEN)
            assert f"lets nobody with the token of Secret {publisher.ckan.secret} make datasets" in publisher.told
        assert publisher.there() == before

    async def test_a_token_that_is_revoked_meanwhile_is_told_at_the_next_change(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
            before = publisher.there()
            publisher.ckan = replace(publisher.ckan, token="not-a-token")
            publisher.layers = (LAYER,)
            assert await publisher.look() == (False, PublishingReason.TOKEN)
        assert publisher.there() == before

    async def test_an_organization_that_is_not_there_is_told(self, publisher: Publisher) -> None:
        publisher.ckan = replace(publisher.ckan, organization="nobody")
        async with publisher.working():
            assert await publisher.look() == (False, PublishingReason.TOKEN)
            assert "organization nobody: is there such an organization" in publisher.told

    async def test_while_the_search_index_is_down_nothing_is_lost_or_made_twice(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
            before = publisher.there()
            publisher.said = {"keywords": ["Luft", "Neu"]}
            publisher.portal.stop_solr()
            try:
                for _ in range(2):
                    assert await publisher.look() == (False, PublishingReason.SEARCH_DOWN)
                    assert "has lost its search index (Solr)" in publisher.told
                with pytest.raises(CkanError, match="search index"):
                    await publisher.entries.withdraw(publisher.ckan, publisher.uid)
            finally:
                publisher.portal.start_solr()
            assert await publisher.look() == WELL
        after = publisher.there()
        assert {name: each["id"] for name, each in after.items()} == {name: each["id"] for name, each in before.items()}
        assert all("Neu" in {tag["name"] for tag in each["tags"]} for each in after.values())

    async def test_new_entries_wait_for_the_search_index_and_are_made_once(self, publisher: Publisher) -> None:
        async with publisher.working():
            publisher.portal.stop_solr()
            try:
                assert await publisher.look() == (False, PublishingReason.SEARCH_DOWN)
            finally:
                publisher.portal.start_solr()
            assert publisher.there() == {}
            assert await publisher.look() == WELL
            assert await publisher.look() == WELL
        assert publisher.there().keys() == {entry.name for entry in publisher.wanted}

    async def test_an_index_that_has_forgotten_makes_nothing_twice(self, publisher: Publisher) -> None:
        async with publisher.working():
            await publisher.look()
            ids = {name: each["id"] for name, each in publisher.there().items()}
            publisher.portal.empty_index()
            assert publisher.there() == {}
            assert await publisher.look() == WELL
            for name, id_ in ids.items():
                live = publisher.call("package_show", id=name)
                assert (live["id"], live["state"]) == (id_, "active")

    async def test_umlauts_and_signs_make_names_and_tags_that_are_taken(self, publisher: Publisher) -> None:
        odd = LAYER.model_copy(update={"layer_name": "Straße (Ampel)/Übersicht"})
        publisher.layers = (odd,)
        publisher.said = {"keywords": ["Ampel (LSA)", "Öl & Gas", "a"]}
        async with publisher.working():
            assert await publisher.look() == WELL, publisher.told
            publisher.calls()
            assert await publisher.look() == WELL
            assert publisher.calls() == ["package_search"]
        (live,) = publisher.there().values()
        assert {tag["name"] for tag in live["tags"]} == {"Ampel LSA", "Öl Gas"}

    async def test_as_many_datasets_as_a_service_may_have(self, publisher: Publisher) -> None:
        """What the search answers is long, and comes in pieces."""
        publisher.layers = tuple(LAYER.model_copy(update={"layer_name": f"layer-{n}"}) for n in range(64))
        async with publisher.working():
            assert await publisher.look() == WELL, publisher.told
            publisher.calls()
            assert await publisher.look() == WELL, publisher.told
            assert publisher.calls() == ["package_search"]
            assert len(publisher.there()) == 64
            publisher.layers = ()
            assert await publisher.look() == WELL, publisher.told
        assert publisher.there() == {}

    async def test_no_token_is_logged(self, publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        async with publisher.working():
            await publisher.look()
            publisher.ckan = replace(publisher.ckan, organization="nobody")
            await publisher.look()
        assert publisher.ckan.token not in caplog.text
