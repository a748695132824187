"""Messages between the front and one media process: pickles with their length before them, over a pair of sockets that
nobody else can reach."""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any, Self

_LENGTH = struct.Struct("!I")


class Channel:
    """One end. Event loop only.

    `post` never waits: who uses it has few messages under way at a time (`forwarding.py` waits for every one's answer).
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        """The channel over one end of a `socket.socketpair`, which it closes in the end."""
        return cls(*await asyncio.open_connection(sock=end))

    def post(self, message: object) -> None:
        """Sends a message; one to an end that is closed is lost. Messages arrive in their order."""
        if not self._writer.is_closing():
            body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
            self._writer.write(_LENGTH.pack(len(body)) + body)

    async def messages(self) -> AsyncIterator[Any]:
        """What the other end posts, until it closes or its process ends."""
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                yield pickle.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def close(self) -> None:
        """Sends what has been posted, then closes this end. May be called twice."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:  # the other end was first
            return
