"""Writes as rows of a table, by SQL to several hosts of which the one that takes writes is looked for, as JDBC does.

Runs as a program of its own, in the client's network namespace: `python -m tests.stacks.machines.sql FILE CA HOST...`,
with the password in PGPASSWORD. One stream goes to whichever host takes writes, and one to each host by itself, which
shows when two of them do.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from sensorthings_stacks.machines.cluster import DATABASE, OWNER
from tests.stacks.machines.stream import Answer, streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

ANY: Final = "any"
"""Name of the stream that may go to each host."""
TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS written (writer text, number bigint, at timestamptz DEFAULT clock_timestamp())"
)
"""No key: a row that is there twice must be seen twice."""
_CONNECT: Final = 2  # seconds for each host
_PATIENCE: Final = 5  # seconds for an answer; then the connection is given up, as with JDBC's socketTimeout
_INSERT: Final = """
    INSERT INTO written (writer, number) VALUES ($1, $2)
    RETURNING host(inet_server_addr()), ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
"""


class Writer:
    """One connection, made anew after each failure."""

    def __init__(self, name: str, hosts: Sequence[str], trusted: ssl.SSLContext) -> None:
        self.name = name
        self._hosts, self._trusted = hosts, trusted
        self._connection: asyncpg.Connection[Any] | None = None

    async def write(self, number: int) -> Answer:
        """Insert a row and wait until it is committed. Raises whatever went wrong."""
        connection = self._connection or await self._connected()
        self._connection = connection
        row = asyncio.ensure_future(connection.fetchrow(_INSERT, self.name, number))
        done, _ = await asyncio.wait({row}, timeout=_PATIENCE)
        if row in done and row.exception() is None:
            server, timeline = row.result() or ("", 0)
            return Answer(server, timeline)
        error = row.exception() if row in done else None
        if len(self._hosts) == 1 and isinstance(error, asyncpg.PostgresError) and not connection.is_closed():
            # It answered, and there is no other to look for.
            raise error
        self._connection = None
        # A closed line, no request to cancel: that would end the wait for the standby and leave the row.
        connection.terminate()
        await asyncio.gather(row, return_exceptions=True)
        raise error or TimeoutError(f"no answer in {_PATIENCE} s")

    async def _connected(self) -> asyncpg.Connection[Any]:
        refused: Exception = OSError("no host")
        for host in self._hosts:
            try:
                async with asyncio.timeout(_CONNECT):
                    return await asyncpg.connect(
                        host=host,
                        user=OWNER,
                        database=DATABASE,
                        password=os.environ["PGPASSWORD"],
                        ssl=self._trusted,
                        target_session_attrs=SessionAttribute.primary if len(self._hosts) > 1 else SessionAttribute.any,
                    )
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                refused = error
        raise refused


async def main(output: Path, authority: str, hosts: Sequence[str]) -> None:
    """Write until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    trusted = ssl.create_default_context(cafile=authority)
    writers = [Writer(ANY, hosts, trusted), *(Writer(host, [host], trusted) for host in hosts)]
    pauses = [0.02, *(0.1 for _ in hosts)]
    plan: list[tuple[str, Callable[[int], Awaitable[Answer]], float]] = [
        (writer.name, writer.write, pause) for writer, pause in zip(writers, pauses, strict=True)
    ]
    with output.open("a") as file:
        await streams(plan, file, stop)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
