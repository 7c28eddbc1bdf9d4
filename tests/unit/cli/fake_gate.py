"""A broker in this process that speaks MQTT 5 as far as ``sensorthings doctor`` does, and answers with given codes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14


@dataclass
class Gate:
    """Reason codes by what they answer; no answer where it is None. ``ends``: what it disconnects with after a PUBLISH.

    ``passwords``: of those that it lets in with 0; others get ``connack``. ``published``: topics and payloads.
    """

    connack: int | None = 0
    suback: int | None = 1
    puback: int | None = 0x87
    ends: int | None = None
    tls: ssl.SSLContext | None = None
    passwords: set[str] = field(default_factory=set)
    published: list[tuple[str, bytes]] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        self._writers: list[asyncio.StreamWriter] = []
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                first, size = await reader.readexactly(2)
                if size & 0x80:
                    size = (size & 0x7F) + 128 * (await reader.readexactly(1))[0]
                answer = self._answer(first >> 4, await reader.readexactly(size))
                if answer is not None:
                    writer.write(answer)
                if first >> 4 == DISCONNECT or (answer or b"").startswith(b"\xe0"):
                    break
        writer.close()

    def _answer(self, kind: int, body: bytes) -> bytes | None:
        if kind == CONNECT and self.connack is not None:
            known = any(body.endswith(password.encode()) for password in self.passwords)
            return bytes([0x20, 3, 0, 0 if known else self.connack, 0])
        if kind == SUBSCRIBE and self.suback is not None:
            return bytes([0x90, 4, *body[:2], 0, self.suback])
        if kind == PUBLISH:
            size = int.from_bytes(body[:2], "big")
            # After the topic its packet id, and the length of its properties, which is 0.
            self.published.append((body[2 : 2 + size].decode(), body[size + 5 :]))
            if self.ends is not None:
                return bytes([0xE0, 2, self.ends, 0])
            if self.puback is not None:
                return bytes([0x40, 4, *body[2 + size : size + 4], self.puback, 0])
        return None
