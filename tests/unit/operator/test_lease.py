"""The Lease: taken when free, expired or one's own; never held by two; lost before anybody else may take it."""

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.lease import DURATION_SECONDS, RENEW_DEADLINE_SECONDS, RETRY_SECONDS, Lease
from tests.unit.operator.virtual_time import on_virtual_time, run, until

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient
    from sensorthings_operator.clients.resources import Resource

_CLIENT_PATIENCE_SECONDS = 30.0
"""After which ``KubernetesClient`` gives up a request."""
_ROUND_SECONDS = RETRY_SECONDS + 0.5
"""Within which a holder has tried once more, whatever it has to ask."""


class OneLease:
    """Stands for ``KubernetesClient``: an API server with one Lease, which refuses outdated writes."""

    def __init__(self) -> None:
        self.live: dict[str, Any] | None = None
        self.away: set[str] = set()
        """Identities that do not reach it."""
        self.mute: set[str] = set()
        """Identities that it hears, and whom its answers do not reach."""
        self.calls: list[str] = []
        """What it answered, in order."""
        self.version = 0

    def of(self, identity: str) -> Lease:
        """The Lease as a candidate sees it."""
        client = cast("KubernetesClient", _Seen(self, identity))
        return Lease(client, namespace="system", name="operator", identity=identity)

    @property
    def holder(self) -> str | None:
        assert self.live is not None
        holder: str | None = self.live["spec"].get("holderIdentity")
        return holder

    def store(self, spec: dict[str, Any]) -> None:
        """Whoever writes it: a resource version is given once, also to one that was deleted and made again."""
        self.version += 1
        self.live = {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}

    def edit(self, **spec: Any) -> None:
        """As somebody does by hand."""
        if self.live is not None:
            self.store({**self.live["spec"], **spec})


class _Seen:
    def __init__(self, server: OneLease, identity: str) -> None:
        self._server = server
        self._identity = identity

    async def get(self, _: "Resource", __: str, name: str) -> dict[str, Any]:
        await self._travel("get")
        if self._server.live is None:
            raise NotFoundError(404, "NotFound", name)
        return await self._answer()

    async def create(self, _: "Resource", __: str, manifest: dict[str, Any]) -> dict[str, Any]:
        await self._travel("create")
        if self._server.live is not None:
            raise ApiError(409, "AlreadyExists", "exists")
        self._server.store(copy.deepcopy(manifest["spec"]))
        return await self._answer()

    async def merge(self, manifest: dict[str, Any], **_: Any) -> dict[str, Any]:
        await self._travel("merge")
        live = self._server.live
        if live is None:
            raise NotFoundError(404, "NotFound", manifest["metadata"]["name"])
        if manifest["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        self._server.store({**live["spec"], **manifest["spec"]})
        return await self._answer()

    async def _travel(self, call: str) -> None:
        await asyncio.sleep(0.05)
        if self._identity in self._server.away:
            raise ApiError(503, "ServiceUnavailable", "no answer")
        self._server.calls.append(call)

    async def _answer(self) -> dict[str, Any]:
        answer = copy.deepcopy(self._server.live)
        assert answer is not None
        if self._identity in self._server.mute:
            await asyncio.sleep(_CLIENT_PATIENCE_SECONDS)
            raise TimeoutError
        return answer


@asynccontextmanager
async def holding(lease: Lease, server: OneLease) -> AsyncIterator["asyncio.Task[None]"]:
    """It is taken and held; of the calls those count that come afterwards."""
    await lease.acquire()
    server.calls.clear()
    task = asyncio.create_task(lease.hold())
    try:
        yield task
    finally:
        task.cancel()


@on_virtual_time
async def test_a_free_one_is_taken_and_a_released_one_at_once() -> None:
    server = OneLease()
    one, other = server.of("one"), server.of("other")
    await until(one.acquire(), seconds=1)
    waiting = asyncio.create_task(other.acquire())
    await asyncio.sleep(5)
    assert not waiting.done()
    await one.release()
    await until(waiting, seconds=RETRY_SECONDS + 1)
    assert server.holder == "other"
    assert server.live
    assert server.live["spec"]["leaseTransitions"] == 1


@on_virtual_time
async def test_the_same_identity_need_not_wait() -> None:
    """As a container that was killed and is started again in the same pod."""
    server = OneLease()
    await until(server.of("pod").acquire(), seconds=1)
    await until(server.of("pod").acquire(), seconds=1)


@on_virtual_time
async def test_one_that_nobody_renews_is_taken_over_after_its_time() -> None:
    server = OneLease()
    await server.of("killed").acquire()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await until(server.of("next").acquire(), seconds=60)
    assert DURATION_SECONDS < loop.time() - begun < DURATION_SECONDS + 2 * RETRY_SECONDS


@on_virtual_time
async def test_a_holder_that_renews_keeps_it_for_ever() -> None:
    server = OneLease()
    one = server.of("one")
    await one.acquire()
    holding = asyncio.create_task(one.hold())
    waiting = asyncio.create_task(server.of("other").acquire())
    await asyncio.sleep(3600)
    assert not holding.done()
    assert not waiting.done()
    assert server.holder == "one"
    for task in (holding, waiting):
        task.cancel()


@on_virtual_time
async def test_a_holder_that_reaches_nobody_gives_up_before_it_can_be_taken() -> None:
    server = OneLease()
    one = server.of("one")
    await one.acquire()
    loop = asyncio.get_running_loop()
    holding = asyncio.create_task(one.hold())
    await asyncio.sleep(7)
    server.away.add("one")
    begun = loop.time()
    await until(holding, seconds=60)
    assert loop.time() - begun < RENEW_DEADLINE_SECONDS + RETRY_SECONDS < DURATION_SECONDS


@on_virtual_time
async def test_a_renewal_is_one_call() -> None:
    server = OneLease()
    async with holding(server.of("one"), server):
        await asyncio.sleep(600)
        assert set(server.calls) == {"merge"}
        assert 600 / _ROUND_SECONDS < len(server.calls) <= 600 / RETRY_SECONDS
        assert server.live
        assert server.live["spec"]["renewTime"] > server.live["spec"]["acquireTime"]


@on_virtual_time
async def test_one_that_was_taken_over_is_renewed_by_one_call_too() -> None:
    server = OneLease()
    await server.of("killed").acquire()
    async with holding(server.of("next"), server):
        await asyncio.sleep(60)
        assert set(server.calls) == {"merge"}


@on_virtual_time
async def test_after_a_conflict_it_is_read_and_renewed_at_once() -> None:
    server = OneLease()
    async with holding(server.of("one"), server):
        server.edit()
        await asyncio.sleep(_ROUND_SECONDS)
        assert server.calls == ["merge", "get", "merge"]
        await asyncio.sleep(_ROUND_SECONDS)
        assert server.calls[3:] == ["merge"]


@on_virtual_time
async def test_after_a_lost_answer_it_is_read() -> None:
    """The write may have been stored or not: the version is not known any more."""
    server = OneLease()
    async with holding(server.of("one"), server) as task:
        server.away.add("one")
        await asyncio.sleep(_ROUND_SECONDS)
        server.away.clear()
        await asyncio.sleep(_ROUND_SECONDS)
        assert server.calls == ["get", "merge"]
        assert not task.done()


@on_virtual_time
async def test_an_edit_by_hand_is_no_loss_and_another_holder_is() -> None:
    server = OneLease()
    async with holding(server.of("one"), server) as task:
        for _ in range(100):
            await asyncio.sleep(0.73)
            server.edit()
        assert not task.done()
        server.edit(holderIdentity="other")
        writes = server.version
        await until(task, seconds=_ROUND_SECONDS)
        assert (server.holder, server.version) == ("other", writes)


@on_virtual_time
async def test_a_deleted_one_is_made_again() -> None:
    server = OneLease()
    async with holding(server.of("one"), server) as task:
        server.live = None
        await asyncio.sleep(_ROUND_SECONDS)
        assert server.calls == ["merge", "get", "create"]
        assert server.holder == "one"
        await asyncio.sleep(60)
        assert set(server.calls[3:]) == {"merge"}
        assert not task.done()


@on_virtual_time
async def test_a_deleted_one_that_another_made_is_lost() -> None:
    server = OneLease()
    async with holding(server.of("one"), server) as task:
        server.live = None
        await until(server.of("other").acquire(), seconds=1)
        await until(task, seconds=_ROUND_SECONDS)
        assert server.holder == "other"


@on_virtual_time
async def test_a_released_one_is_taken_anew_not_renewed() -> None:
    server = OneLease()
    one = server.of("one")
    await one.acquire()
    await one.release()
    assert server.holder is None
    await one.acquire()
    assert server.holder == "one"


@on_virtual_time
async def test_a_release_is_one_write_and_knows_what_was_written_meanwhile() -> None:
    server = OneLease()
    one = server.of("one")
    await one.acquire()
    server.calls.clear()
    await one.release()
    assert (server.holder, server.calls) == (None, ["merge"])
    await one.acquire()
    server.edit(leaseTransitions=7)
    await one.release()
    assert server.holder is None
    await one.acquire()
    server.edit(holderIdentity="other")
    await one.release()
    assert server.holder == "other"


@on_virtual_time
async def test_what_is_not_ours_is_not_released() -> None:
    server = OneLease()
    await server.of("one").acquire()
    writes = server.version
    await server.of("other").release()
    assert (server.holder, server.version) == ("one", writes)
    server.away.add("one")
    await server.of("one").release()


_EVENTS = st.lists(
    st.tuples(
        st.integers(0, 30_000), st.sampled_from(["a", "b", "c"]), st.sampled_from(["cut", "mute", "heal", "edit"])
    ),
    max_size=12,
)


@given(_EVENTS)
def test_two_never_act_at_once(events: list[tuple[int, str, str]]) -> None:
    """Whoever loses sight of the API server or its answers, whoever else edits the Lease, and when.

    Acting is between acquire and the end of hold.
    """
    server, acting, most = OneLease(), set[str](), [0]

    async def operator(identity: str) -> None:
        while True:
            lease = server.of(identity)
            await lease.acquire()
            acting.add(identity)
            most[0] = max(most[0], len(acting))
            await lease.hold()
            acting.discard(identity)

    async def story() -> None:
        tasks = [asyncio.create_task(operator(identity)) for identity in "abc"]
        for at, identity, what in sorted(events):
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, at / 1000 - loop.time()))
            _happens(server, identity, what)
        server.away.clear()
        server.mute.clear()
        await asyncio.sleep(_CLIENT_PATIENCE_SECONDS + 60)
        assert len(acting) == 1, "one acts once all reach it"
        for task in tasks:
            task.cancel()

    run(story())
    assert most[0] == 1


def _happens(server: OneLease, identity: str, what: str) -> None:
    match what:
        case "cut":
            server.away.add(identity)
        case "mute":
            server.mute.add(identity)
        case "heal":
            server.away.discard(identity)
            server.mute.discard(identity)
        case "edit":
            server.edit()
