"""Carries connections from the host's loopback into the node's network namespace. Run as a daemon by `up`:

    python -m localcluster.loopback --netns /run/netns/sta-local --map 127.0.0.1:8080=10.96.3.4:80 [--map ...]

The listening sockets are bound first, in the host's namespace, where they stay; then the process enters the node's,
and its own connections are made there. So the host needs no route to pods or Services, and nothing else on the
network reaches them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcluster.processes import Daemon, Placement

_CLONE_NEWNET = 0x40000000  # sched.h; os.setns comes with Python 3.12
_CHUNK = 64 * 1024  # bytes
_CONNECT_TIMEOUT = 10.0  # seconds
_START_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`. Raises ValueError when it is none."""
        host, _, port = text.rpartition(":")
        if not host or not 0 < int(port) < 65536:
            raise ValueError(f"{text!r} is not HOST:PORT")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Connections to `listen` on the host lead to `connect` in the namespace."""

    listen: Address
    connect: Address

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT=HOST:PORT`. Raises ValueError when it is none."""
        listen, _, connect = text.partition("=")
        return cls(Address.parse(listen), Address.parse(connect))

    def __str__(self) -> str:
        return f"{self.listen}={self.connect}"


def listen(address: Address) -> socket.socket:
    """A listening socket. Raises LocalClusterError when the port is taken."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address.host, address.port))
    except OSError as error:
        bound.close()
        raise LocalClusterError(
            f"Port {address} cannot be listened on: {error.strerror}.",
            f"See who has it with `ss --tcp --listening --processes 'sport = {address.port}'`, and stop that.",
        ) from None
    bound.listen(128)
    bound.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    return bound


def enter_netns(path: Path) -> None:
    """Move this thread, and those it starts later, into a network namespace. Raises OSError when it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(handle, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(handle)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction to its end, and pass the end on; the other direction may still flow."""
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _carry(target: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection: both directions until both ended, or one broke."""
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            far_reader, far_writer = await asyncio.open_connection(target.host, target.port)
    except (OSError, TimeoutError):
        # Closed without a word, as a port with nobody behind it: what is behind may be starting.
        await _close(writer)
        return
    try:
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_pump(reader, far_writer))
            directions.create_task(_pump(far_reader, writer))
    except* OSError:
        writer.transport.abort()
        far_writer.transport.abort()
    finally:
        await _close(writer)
        await _close(far_writer)


async def serve(listeners: Sequence[tuple[socket.socket, Address]]) -> None:
    """Carry every connection to the listeners to their targets, until cancelled."""
    async with contextlib.AsyncExitStack() as stack:
        waiting = []
        for bound, target in listeners:

            async def on_connect(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Address = target
            ) -> None:
                await _carry(target, reader, writer)

            server = await stack.enter_async_context(await asyncio.start_server(on_connect, sock=bound))
            waiting.append(server.serve_forever())
        await asyncio.gather(*waiting)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy daemon and what it carries.

    Args:
        daemon: Its process.
        netns: The namespace that it leads into.
        placement: Its cgroup.
        mappings: What it carries.
    """

    daemon: Daemon
    netns: Path
    placement: Placement
    mappings: tuple[Mapping, ...]

    def start(self) -> None:
        """Start it; restart it when it carries something else. Raises LocalClusterError when a port is taken."""
        wanted = [f"--map={mapping}" for mapping in self.mappings]
        pid = self.daemon.pid
        if pid is not None:
            if Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[-len(wanted) - 1 : -1] == wanted:
                return
            self.daemon.stop()
        for mapping in self.mappings:
            listen(mapping.listen).close()
        argv = [sys.executable, "-m", "localcluster.loopback", f"--netns={self.netns}", *wanted]
        self.daemon.start(argv, self.placement)
        for mapping in self.mappings:
            self._await_listening(mapping.listen)

    def _await_listening(self, address: Address) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            try:
                socket.create_connection((address.host, address.port), timeout=_START_TIMEOUT).close()
            except OSError as error:
                self.daemon.check()
                if time.monotonic() > deadline:
                    raise LocalClusterError(f"The proxy does not listen on {address}: {error}.") from None
                time.sleep(0.02)
            else:
                return


def main() -> None:
    """The daemon's entry point."""
    parser = argparse.ArgumentParser(description="Carries connections from this host into a network namespace.")
    parser.add_argument("--netns", type=Path, required=True)
    parser.add_argument("--map", type=Mapping.parse, action="append", required=True)
    arguments = parser.parse_args()
    listeners = [(listen(mapping.listen), mapping.connect) for mapping in arguments.map]
    enter_netns(arguments.netns)
    asyncio.run(serve(listeners))


if __name__ == "__main__":
    main()
