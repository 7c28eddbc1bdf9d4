"""Which kinds are served: one request for all who ask, and the last answer where there is none."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.discovery import LOOK_SECONDS, Discovery, served_kinds
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.resources import OPTIONAL_CHILDREN, Resource
from tests.unit.operator.virtual_time import on_virtual_time

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

_CERTIFICATES = next(resource for resource in OPTIONAL_CHILDREN if resource.kind == "Certificate")


def _document(*resources: Resource) -> dict[str, Any]:
    items = []
    for resource in resources:
        group, version = resource.api_version.split("/")
        kinds = [{"resource": resource.plural, "responseKind": {"group": "", "version": "", "kind": resource.kind}}]
        items.append({"metadata": {"name": group}, "versions": [{"version": version, "resources": kinds}]})
    return {"kind": "APIGroupDiscoveryList", "items": items}


class FakeClient:
    """Answers with a document and its ETag, or with an error."""

    def __init__(self) -> None:
        self.document = _document()
        self.error: Exception | None = None
        self.known: list[str] = []

    async def discover(self, known: str) -> tuple[str, dict[str, Any] | None]:
        self.known.append(known)
        await asyncio.sleep(0.1)
        if self.error is not None:
            raise self.error
        etag = str(len(self.document["items"]))
        return etag, None if known == etag else self.document


def _discovery(client: FakeClient) -> Discovery:
    return Discovery(cast("KubernetesClient", client))


@on_virtual_time
async def test_all_who_look_at_one_time_share_one_request() -> None:
    client = FakeClient()
    discovery = _discovery(client)
    for _ in range(3):
        answers = await asyncio.gather(*(discovery.serves(resource) for resource in OPTIONAL_CHILDREN))
        assert not any(answers)
        await asyncio.sleep(LOOK_SECONDS)
    assert client.known == ["", "0", "0"], "the first is read, the others are asked by its ETag"


@on_virtual_time
async def test_a_kind_that_comes_or_goes_is_seen_at_the_next_look() -> None:
    client = FakeClient()
    discovery = _discovery(client)
    seen = []
    for document in (_document(), _document(_CERTIFICATES), _document()):
        client.document = document
        seen.append(await discovery.serves(_CERTIFICATES))
        await asyncio.sleep(LOOK_SECONDS)
    assert seen == [False, True, False]


@on_virtual_time
async def test_without_an_answer_what_was_known_last_counts() -> None:
    client = FakeClient()
    client.document = _document(_CERTIFICATES)
    discovery = _discovery(client)
    assert await discovery.serves(_CERTIFICATES)
    client.error = ApiError(503, "", "starting")
    await asyncio.sleep(LOOK_SECONDS)
    assert await discovery.serves(_CERTIFICATES)
    assert len(client.known) == 2


@given(st.sets(st.sampled_from(OPTIONAL_CHILDREN)))
def test_what_is_in_the_document_is_served_and_nothing_else(resources: set[Resource]) -> None:
    assert served_kinds(_document(*resources)) == {(each.api_version, each.kind) for each in resources}


def test_a_group_whose_own_api_server_is_away_has_no_kinds() -> None:
    stale = {"version": "v1beta1", "freshness": "Stale", "resources": [{"resource": "pods"}]}
    assert served_kinds({"items": [{"metadata": {"name": "metrics.k8s.io"}, "versions": [stale]}]}) == frozenset()
