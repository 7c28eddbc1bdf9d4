"""Publishing to a fake CKAN, by the contract that the real one is held to; and what only a fake can be made to do."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.ckan import Ckan, CkanApi, CkanError
from sensorthings_operator.clients.ckan_entries import differs, patch_of
from sensorthings_operator.conditions.publishing import PublishingReason
from sensorthings_operator.desired.catalogue import ckan as builder
from sensorthings_operator.desired.reading import DataSummary
from tests.ckan.contract import EntriesContract
from tests.unit.catalogue.catalogued import LAYER, described
from tests.unit.catalogue.fake_ckan import FakeCkan


@pytest.fixture
def portal() -> Iterator[FakeCkan]:
    """A fake one."""
    fake = FakeCkan()
    with fake.served():
        yield fake


@pytest.fixture
def ckan(portal: FakeCkan) -> Ckan:
    """Where and as whom the operator is to publish."""
    return Ckan(portal.url, "office", "ckan-token", portal.editor("office"))


class TestFakeEntries(EntriesContract):
    """All of the contract."""


async def _asked(ckan: Ckan) -> CkanError:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(CkanError) as caught:
            await CkanApi(http, ckan).entries("a", "b")
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "reason", "says"),
    [
        (301, b"", PublishingReason.UNREACHABLE, "with a redirect"),
        (200, b"<html>", PublishingReason.UNREACHABLE, "does not answer as CKAN's action API does"),
        (200, b"[]", PublishingReason.UNREACHABLE, "does not answer as CKAN's action API does"),
        (200, b'{"result": {"results": "none"}}', PublishingReason.UNREACHABLE, "does not answer as CKAN's"),
        (404, b"nginx", PublishingReason.UNREACHABLE, "HTTP status 404"),
        (429, b"", PublishingReason.UNREACHABLE, "HTTP status 429"),
        (500, b"Internal Server Error", PublishingReason.UNREACHABLE, "HTTP status 500"),
        (500, b'{"error": {"message": "Search Connection Error"}}', PublishingReason.SEARCH_DOWN, "search index"),
        (401, b"", PublishingReason.TOKEN, "Secret ckan-token"),
        (409, b"not JSON", PublishingReason.REFUSED, "it does not say why"),
        (409, b'{"error": {"name": ["Too long"], "__type": "x"}}', PublishingReason.REFUSED, "name: Too long"),
    ],
)
async def test_what_goes_wrong_is_told(  # noqa: PLR0917 - one row
    portal: FakeCkan, ckan: Ckan, status: int, body: bytes, reason: PublishingReason, says: str
) -> None:
    portal.next_answer = status, body
    error = await _asked(ckan)
    assert error.reason is reason
    assert says in error.message
    assert ckan.token not in error.message


async def test_an_answer_without_an_end_is_not_read(portal: FakeCkan, ckan: Ckan) -> None:
    portal.next_answer = 200, b" " * (17 * 2**20)
    error = await _asked(ckan)
    assert error.reason is PublishingReason.UNREACHABLE
    assert "more than 16777216 bytes" in error.message


async def test_a_redirect_is_not_followed_with_the_token(portal: FakeCkan, ckan: Ckan) -> None:
    portal.next_answer = 302, b""
    await _asked(ckan)
    assert portal.calls() == ["package_search"]


async def test_nobody_at_the_address(ckan: Ckan) -> None:
    error = await _asked(replace(ckan, url="http://127.0.0.1:9"))
    assert error.reason is PublishingReason.UNREACHABLE
    assert "does not answer (ClientConnectorError)" in error.message


async def test_a_ca_that_is_none_is_told(ckan: Ckan) -> None:
    error = await _asked(replace(ckan, ca="no certificate"))
    assert (error.reason, error.message) == (
        PublishingReason.SECRET,
        "ca.crt of Secret ckan-token holds no certificates in PEM: correct it",
    )


def test_neither_token_nor_ca_is_printed(ckan: Ckan) -> None:
    assert ckan.token not in repr(replace(ckan, ca="private"))
    assert "private" not in repr(replace(ckan, ca="private"))


@given(st.text(min_size=1, max_size=40), st.text(max_size=300))
def test_every_name_is_one_that_ckan_takes(prefix: str, key: str) -> None:
    assert re.fullmatch(r"[a-z0-9_-]{2,100}", builder.name(prefix, key))


@given(st.text(max_size=120), st.text(max_size=120))
def test_two_layers_never_share_a_name(one: str, other: str) -> None:
    if one != other:
        assert builder.name("air", one) != builder.name("air", other)


@given(st.lists(st.text(max_size=150), max_size=8))
def test_every_tag_is_one_that_ckan_takes(words: list[str]) -> None:
    made = builder.tags(tuple(words))
    assert len(made) == len(set(made))
    assert all(re.fullmatch(r"[\w \-.]{2,100}", tag) and tag == tag.strip() for tag in made)


def _wanted(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Luft",
        "owner_org": "office",
        "tags": [{"name": "a"}],
        "extras": [{"key": "x", "value": "1"}],
        "resources": [{"name": "REST", "url": "https://a.example"}],
        **changes,
    }


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        ({}, False),
        ({"extras": [{"key": "x", "value": "1"}, {"key": "theirs", "value": "2"}]}, False),
        ({"groups": [{"name": "environment"}]}, False),
        ({"title": "Wasser"}, True),
        ({"organization": {"name": "other"}}, True),
        ({"organization": None}, True),
        ({"tags": []}, True),
        ({"extras": []}, True),
        ({"resources": None}, True),
    ],
)
def test_what_differs(change: dict[str, Any], differ: bool) -> None:
    live = {**_wanted(), "organization": {"name": "office"}, **change}
    assert differs(_wanted(), live) is differ


def test_a_patch_keeps_what_others_added() -> None:
    live = {
        "extras": [{"key": "x", "value": "0"}, {"key": "theirs", "value": "2"}],
        "resources": [{"id": "r-1", "name": "REST", "url": "https://old.example"}],
    }
    patch = patch_of(_wanted(), live)
    assert patch["extras"] == [{"key": "x", "value": "1"}, {"key": "theirs", "value": "2"}]
    assert patch["resources"] == [{"name": "REST", "url": "https://a.example", "id": "r-1"}]


def test_the_same_data_is_the_same_entry_and_other_data_another_content() -> None:
    (one,) = builder.entries(described(data=DataSummary(layers=(LAYER,))), "air")
    (same,) = builder.entries(described(data=DataSummary(layers=(LAYER,))), "air")
    more = LAYER.model_copy(update={"things": 17})
    (other,) = builder.entries(described(data=DataSummary(layers=(more,))), "air")
    assert one == same
    assert (one.key, one.name) == (other.key, other.name)
    assert one.content != other.content
    assert json.loads(one.content)["license_id"] == "http://dcat-ap.de/def/licenses/dl-by-de/2.0"


async def test_a_ckan_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, ckan: Ckan) -> None:
    over, closed = asyncio.Event(), asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr("sensorthings_operator.clients.ckan._TIMEOUT", aiohttp.ClientTimeout(total=0.2))
        error = await _asked(replace(ckan, url=f"http://127.0.0.1:{port}"))
        over.set()
        await closed.wait()
    assert error.reason is PublishingReason.UNREACHABLE
    assert "does not answer (TimeoutError)" in error.message
