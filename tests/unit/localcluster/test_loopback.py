"""The proxy: both directions, half-closed connections, and targets that are not there."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcluster import loopback
from localcluster.errors import LocalClusterError
from localcluster.loopback import Address, Mapping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_a_mapping_is_read_as_it_is_written(near: int, far: int) -> None:
    mapping = Mapping(Address("127.0.0.1", near), Address("10.96.3.4", far))
    assert Mapping.parse(str(mapping)) == mapping


@pytest.mark.parametrize("text", ["", "127.0.0.1:80", "127.0.0.1:80=", ":1=a:2", "a:0=b:1", "a:65536=b:1", "a:x=b:1"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|invalid literal"):
        Mapping.parse(text)


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalClusterError, match=f"127.0.0.1:{port} cannot be listened on"):
            loopback.listen(Address("127.0.0.1", port))


@contextlib.asynccontextmanager
async def _proxied(target: Address) -> AsyncIterator[Address]:
    bound = loopback.listen(Address("127.0.0.1", 0))
    serving = asyncio.create_task(loopback.serve([(bound, target)]))
    try:
        yield Address("127.0.0.1", bound.getsockname()[1])
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def _answer_after_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads all there is, and only then answers: it needs half-closed connections."""
    received = await reader.read()
    writer.write(received[::-1])
    writer.close()
    await writer.wait_closed()


async def test_a_half_closed_connection_still_gets_its_answer() -> None:
    async with await asyncio.start_server(_answer_after_the_end, "127.0.0.1", 0) as server:
        target = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        async with _proxied(target) as near:
            reader, writer = await asyncio.open_connection(near.host, near.port)
            sent = bytes(range(256)) * 4096  # 1 MiB: more than any buffer on the way
            writer.write(sent)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 10) == sent[::-1]
            writer.close()
            await writer.wait_closed()


async def test_a_target_that_is_not_there_closes_the_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = Address("127.0.0.1", unused.getsockname()[1])
        async with _proxied(target) as near:
            reader, writer = await asyncio.open_connection(near.host, near.port)
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
            await writer.wait_closed()
