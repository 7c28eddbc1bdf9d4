"""What becomes of targets over the passes: entries are kept, withdrawn at the end, and told of in the status."""

import asyncio
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from sensorthings_operator.apply.finalizer import RELEASE
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.publishing import PublishingReason
from tests.unit.catalogue.catalogued import CATALOGUE, catalogued
from tests.unit.catalogue.test_cataloguing import _Described
from tests.unit.operator.samples import body, observed
from tests.unit.operator.test_reconcile import SERVICE
from tests.unit.operator.virtual_time import on_virtual_time

URL = "https://opendata.city.example"
OTHER = "https://other.city.example"
NAMES = {"air-no2", "air-o-zone-more-"}


def target(url: str = URL, name: str = "city", **fields: Any) -> dict[str, Any]:
    """A target in the spec."""
    ckan = {"url": url, "organization": "office", "credentialsSecretRef": {"name": "ckan-token"}, **fields}
    return {"name": name, "type": "CKAN", "ckan": ckan}


class _Publishing(_Described):
    """A service with a target, whose Secret is there."""

    def __init__(self, **catalogue: Any) -> None:
        super().__init__(**{"targets": [target()], **catalogue})
        self.put_token()

    def put_token(self, token: str = "a-token") -> None:  # noqa: S107
        data = {"token": b64encode(f"{token}\n".encode()).decode()}
        self.api.put({"kind": "Secret", "metadata": {"name": "ckan-token", "namespace": "hamburg"}, "data": data})

    @property
    def live(self) -> dict[str, Any]:
        """The service."""
        return self.api.objects[SERVICE]

    def change(self, **catalogue: Any) -> None:
        """Another spec."""
        whole = {**CATALOGUE, "targets": [target()], **catalogue}
        self.live["spec"]["catalogue"] = {name: value for name, value in whole.items() if value is not None}
        self.live["metadata"]["generation"] += 1
        self.api.touch(self.live)

    async def passes(self, times: int = 6) -> None:
        """With time for the probes between them."""
        for _ in range(times):
            await self.look()
            await asyncio.sleep(20)

    def told(self, type_: str = "EntriesPublished") -> tuple[str, str, str]:
        """What the condition says."""
        found = next(each for each in self.live["status"]["conditions"] if each["type"] == type_)
        return found["status"], found["reason"], found["message"]

    def there(self, url: str = URL) -> set[str]:
        """Names of the entries, without their hashes."""
        return {name if name == "air-no2" else name[:-8] for name in self.ckan.entries.get(url, ())}

    def places(self) -> list[str]:
        """Where the status says that there may be entries."""
        return [each["url"] for each in self.live["status"].get("catalogue", {}).get("publications", ())]


@on_virtual_time
async def test_entries_are_made_and_settle() -> None:
    city = _Publishing()
    await city.passes()
    assert city.told() == ("True", "EntriesCurrent", "all")
    assert city.there() == NAMES
    assert city.live["status"]["catalogue"]["publications"] == [
        {"url": URL, "organization": "office", "secret": "ckan-token"}
    ]
    assert city.ckan.asked[-1].publications[0].ckan.token == "a-token"
    assert "a-token" not in str(city.live)
    asked, written = len(city.ckan.asked), len(city.api.writes())
    await city.passes()
    assert len(city.ckan.asked) == asked
    assert city.api.writes()[written:] == []
    await city.close()


@on_virtual_time
async def test_a_start_of_the_operator_takes_nobody_for_unpublished() -> None:
    city = _Publishing()
    await city.passes()
    written = len(city.api.writes())
    city.start()
    await city.look()
    assert city.told()[:2] == ("True", "EntriesCurrent")
    assert city.api.writes()[written:] == []
    await city.close()


@on_virtual_time
async def test_before_the_data_was_read_nothing_is_sent() -> None:
    city = _Publishing()
    city.data = Answer(False, "DataNotRead", "500")
    await city.passes(3)
    assert city.told()[:2] == ("Unknown", "EntriesAwaited")
    assert city.ckan.asked == []
    await city.close()


@on_virtual_time
async def test_what_the_spec_says_otherwise_waits_for_the_data_and_sweeps_nothing() -> None:
    city = _Publishing()
    await city.passes()
    city.change(datasets=[{"serviceName": "HH_STA_air", "unlisted": "Leave", "layers": [{"layerName": "no2"}]}])
    await city.look()
    assert city.there() == NAMES
    await city.passes()
    assert city.there() == {"air-no2"}
    assert city.told()[:2] == ("True", "EntriesCurrent")
    await city.close()


@on_virtual_time
async def test_a_target_that_is_named_no_more_is_left_empty() -> None:
    city = _Publishing(targets=[target(), target(OTHER, "other")])
    await city.passes()
    assert (city.there(), city.there(OTHER)) == (NAMES, NAMES)
    city.change(targets=[target(OTHER, "other")])
    await city.passes()
    assert (city.there(), city.there(OTHER)) == (set(), NAMES)
    assert city.places() == [OTHER]
    await city.close()


@on_virtual_time
async def test_a_catalogue_section_that_goes_takes_its_entries_along() -> None:
    city = _Publishing()
    await city.passes()
    del city.live["spec"]["catalogue"]
    city.live["metadata"]["generation"] += 1
    city.api.touch(city.live)
    city.ckan.down = True
    await city.passes()
    assert (city.places(), city.there()) == ([URL], NAMES)
    assert city.told()[:2] == ("False", "TargetUnreachable")
    city.ckan.down = False
    await asyncio.sleep(600)
    await city.passes()
    assert (city.places(), city.there()) == ([], set())
    assert "EntriesPublished" not in city.conditions()
    await city.close()


@on_virtual_time
async def test_a_missing_secret_is_told_and_looked_for_again() -> None:
    city = _Publishing()
    del city.api.objects["Secret", "ckan-token"]
    await city.passes()
    status, reason, told = city.told()
    assert (status, reason) == ("False", "TargetSecretUnusable")
    assert told == f"Secret ckan-token is not there: make it, with the key token, for {URL}"
    assert await city.look() == 30
    city.put_token()
    await city.passes()
    assert city.told()[:2] == ("True", "EntriesCurrent")
    await city.close()


@on_virtual_time
async def test_where_nothing_was_written_there_is_nothing_to_withdraw() -> None:
    city = _Publishing()
    del city.api.objects["Secret", "ckan-token"]
    await city.passes()
    assert city.places() == []
    city.change(targets=[])
    await city.passes()
    assert "EntriesPublished" not in city.conditions()
    city.change()
    await city.passes()
    _delete(city)
    await city.look()
    assert not RELEASE.is_held(city.live)
    await city.close()


@on_virtual_time
@pytest.mark.parametrize("token", ["", "zwei Zeilen\nä", "a\nb"])
async def test_a_secret_without_a_token_is_told(token: str) -> None:
    city = _Publishing()
    city.put_token(token)
    await city.passes(3)
    assert city.told()[:2] == ("False", "TargetSecretUnusable")
    assert city.ckan.asked == []
    await city.close()


@on_virtual_time
async def test_another_token_is_tried_at_once() -> None:
    city = _Publishing()
    await city.passes()
    asked = len(city.ckan.asked)
    city.put_token("another")
    await city.passes(2)
    assert [each.publications[0].ckan.token for each in city.ckan.asked[asked:]] == ["another"]
    await city.close()


@on_virtual_time
async def test_paused_nothing_is_sent() -> None:
    city = _Publishing()
    city.live["spec"]["paused"] = True
    await city.passes(3)
    assert city.told()[:2] == ("Unknown", "Paused")
    assert city.ckan.asked == []
    await city.close()


def _delete(city: _Publishing) -> None:
    city.live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    city.api.touch(city.live)


@on_virtual_time
async def test_a_deleted_service_withdraws_its_entries_first() -> None:
    city = _Publishing()
    await city.passes()
    assert RELEASE.is_held(city.live)
    city.ckan.down = True
    _delete(city)
    assert await city.look() == 5
    assert RELEASE.is_held(city.live)
    assert f"entries at {URL}: no answer" in city.told("Ready")[2]
    city.ckan.down = False
    await city.look()
    assert not RELEASE.is_held(city.live)
    assert city.there() == set()
    await city.close()


@on_virtual_time
async def test_a_deleted_service_does_not_wait_for_ever() -> None:
    city = _Publishing()
    await city.passes()
    city.ckan.down = True
    _delete(city)
    city.now += timedelta(minutes=11)
    await city.look()
    assert not RELEASE.is_held(city.live)
    await city.close()


@on_virtual_time
async def test_a_service_whose_secret_is_gone_says_so_at_its_end() -> None:
    city = _Publishing()
    await city.passes()
    del city.api.objects["Secret", "ckan-token"]
    _delete(city)
    await city.look()
    assert "Secret ckan-token is not there" in city.told("Ready")[2]
    await city.close()


@on_virtual_time
async def test_orphaned_entries_stay() -> None:
    city = _Publishing()
    await city.passes()
    city.live["spec"]["deletionPolicy"] = "Orphan"
    _delete(city)
    await city.look()
    assert not RELEASE.is_held(city.live)
    assert city.there() == NAMES
    await city.close()


@on_virtual_time
async def test_a_deleted_service_whose_spec_is_unreadable_goes_by_its_status() -> None:
    city = _Publishing()
    await city.passes()
    city.live["spec"]["catalogue"]["targets"] = [{"name": "city"}, "nonsense"]
    _delete(city)
    await city.look()
    assert city.there() == set()
    assert not RELEASE.is_held(city.live)
    await city.close()


@pytest.mark.parametrize("reason", sorted(set(PublishingReason) - {PublishingReason.CURRENT, PublishingReason.AWAITED}))
def test_ready_does_not_wait_for_what_is_wrong(reason: PublishingReason) -> None:
    service = catalogued({"targets": [target()]})
    seen = evaluate(observed(service=service, published=Answer(False, reason.value, "told")))
    assert (seen["EntriesPublished"].status, seen["EntriesPublished"].message) == ("False", "told")
    assert seen["Ready"] == evaluate(observed(service=catalogued()))["Ready"]
    assert "EntriesPublished" not in evaluate(observed(service=catalogued()))


def test_a_body_without_anything_has_no_entries() -> None:
    seen = evaluate(observed(service=catalogued({"targets": [target()]})))
    assert (seen["EntriesPublished"].status, seen["EntriesPublished"].reason) == ("Unknown", "EntriesAwaited")
    assert "catalogue" not in body()["spec"]
