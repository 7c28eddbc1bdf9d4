"""Writes as rows of a table, by SQL to one host, whatever it is: so two hosts that take them at once are found.

PostgreSQL tells which server acknowledged a row and on which timeline; FROST-Server does not.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from sensorthings_stacks.machines.cluster import DATABASE, OWNER
from tests.stacks.machines.stream import Answer

if TYPE_CHECKING:
    import ssl

TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS written (writer text, number bigint, at timestamptz DEFAULT clock_timestamp())"
)
"""No key: a row that is there twice must be seen twice."""
_CONNECT: Final = 2  # seconds
_PATIENCE: Final = 5  # seconds for an answer; then the connection is given up, as with JDBC's socketTimeout
_INSERT: Final = """
    INSERT INTO written (writer, number) VALUES ($1, $2)
    RETURNING host(inet_server_addr()), ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
"""


class Writer:
    """One connection to a host, made anew when it was lost."""

    def __init__(self, host: str, trusted: ssl.SSLContext) -> None:
        self._host, self._trusted = host, trusted
        self._connection: asyncpg.Connection[Any] | None = None

    async def write(self, number: int) -> Answer:
        """Insert a row and wait until it is committed. Raises whatever went wrong."""
        connection = self._connection or await self._connected()
        self._connection = connection
        row = asyncio.ensure_future(connection.fetchrow(_INSERT, self._host, number))
        done, _ = await asyncio.wait({row}, timeout=_PATIENCE)
        if row in done and row.exception() is None:
            server, timeline = row.result() or ("", 0)
            return Answer(server, timeline)
        error = row.exception() if row in done else None
        if isinstance(error, asyncpg.PostgresError) and not connection.is_closed():
            # It answered, such as a standby does.
            raise error
        self._connection = None
        # A closed line, no request to cancel: that would end the wait for the standby and leave the row.
        connection.terminate()
        await asyncio.gather(row, return_exceptions=True)
        raise error or TimeoutError(f"no answer in {_PATIENCE} s")

    async def _connected(self) -> asyncpg.Connection[Any]:
        async with asyncio.timeout(_CONNECT):
            return await asyncpg.connect(
                host=self._host,
                user=OWNER,
                database=DATABASE,
                password=os.environ["PGPASSWORD"],
                ssl=self._trusted,
            )
