"""The Lease: taken when free, expired or one's own; never held by two; lost before anybody else may take it."""

import asyncio
import copy
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.lease import DURATION_SECONDS, RENEW_DEADLINE_SECONDS, RETRY_SECONDS, Lease
from tests.unit.operator.virtual_time import on_virtual_time, run, until

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient
    from sensorthings_operator.clients.resources import Resource


class OneLease:
    """Stands for ``KubernetesClient``: an API server with one Lease, which refuses outdated writes."""

    def __init__(self) -> None:
        self.live: dict[str, Any] | None = None
        self.away: set[str] = set()
        """Identities that do not reach it."""
        self.writes = 0

    def of(self, identity: str) -> Lease:
        """The Lease as a candidate sees it."""
        client = cast("KubernetesClient", _Seen(self, identity))
        return Lease(client, namespace="system", name="operator", identity=identity)

    @property
    def holder(self) -> str | None:
        assert self.live is not None
        holder: str | None = self.live["spec"].get("holderIdentity")
        return holder


class _Seen:
    def __init__(self, server: OneLease, identity: str) -> None:
        self._server = server
        self._identity = identity

    async def _travel(self) -> None:
        await asyncio.sleep(0.05)
        if self._identity in self._server.away:
            raise ApiError(503, "ServiceUnavailable", "no answer")

    async def get(self, _: "Resource", __: str, name: str) -> dict[str, Any]:
        await self._travel()
        if self._server.live is None:
            raise NotFoundError(404, "NotFound", name)
        return copy.deepcopy(self._server.live)

    async def create(self, _: "Resource", __: str, manifest: dict[str, Any]) -> None:
        await self._travel()
        if self._server.live is not None:
            raise ApiError(409, "AlreadyExists", "exists")
        self._store({**copy.deepcopy(manifest), "metadata": {"resourceVersion": "1"}})

    async def merge(self, manifest: dict[str, Any], **_: Any) -> None:
        await self._travel()
        live = self._server.live
        assert live is not None
        version = live["metadata"]["resourceVersion"]
        if manifest["metadata"]["resourceVersion"] != version:
            raise ApiError(409, "Conflict", "the object has been modified")
        spec = {**live["spec"], **manifest["spec"]}
        self._store({"metadata": {"resourceVersion": str(int(version) + 1)}, "spec": spec})

    def _store(self, live: dict[str, Any]) -> None:
        self._server.live = live
        self._server.writes += 1


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
async def test_an_edit_by_hand_is_no_loss_and_another_holder_is() -> None:
    server = OneLease()
    one = server.of("one")
    await one.acquire()
    holding = asyncio.create_task(one.hold())
    for _ in range(20):
        await asyncio.sleep(0.7)
        assert server.live
        server.live["metadata"]["resourceVersion"] = str(int(server.live["metadata"]["resourceVersion"]) + 1)
    assert not holding.done()
    assert server.live
    server.live["spec"]["holderIdentity"] = "other"
    await until(holding, seconds=RETRY_SECONDS + 1)


@on_virtual_time
async def test_what_is_not_ours_is_not_released() -> None:
    server = OneLease()
    await server.of("one").acquire()
    writes = server.writes
    await server.of("other").release()
    assert (server.holder, server.writes) == ("one", writes)
    server.away.add("one")
    await server.of("one").release()


_EVENTS = st.lists(
    st.tuples(st.integers(0, 30_000), st.sampled_from(["a", "b", "c"]), st.sampled_from(["cut", "heal"])), max_size=12
)


@given(_EVENTS)
def test_two_never_act_at_once(events: list[tuple[int, str, str]]) -> None:
    """Whoever loses sight of the API server, and when: acting is between acquire and the end of hold."""
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
            (server.away.add if what == "cut" else server.away.discard)(identity)
        server.away.clear()
        await asyncio.sleep(60)
        assert len(acting) == 1, "one acts once all reach it"
        for task in tasks:
            task.cancel()

    run(story())
    assert most[0] == 1
