"""Text messages over the data channel of one session.

Faults answered: aiortc 1.16 buffers outgoing messages without bound when the other side does not
read; it keeps whatever a peer sends of messages that never end, though it has told a window; and it
lets an exception of a message handler end its transport.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiortc import InvalidStateError, RTCDataChannel, RTCSctpTransport
from aiortc.rtcsctptransport import DataChunk

from stream_retouch.rtc.private import replace

logger = logging.getLogger(__name__)

LABEL = "control"
MAX_BUFFERED_BYTES = 1 << 20


class ControlChannel:
    """Listens to every channel of a peer; answers on the one named "control". Event loop only."""

    def __init__(self) -> None:
        self._channels: list[RTCDataChannel] = []
        self.on_open: Callable[[], None] | None = None
        """Called with every channel that opens."""
        self.on_message: Callable[[str], None] | None = None
        """Called with every text message; binary ones are ignored."""

    def add(self, channel: RTCDataChannel) -> None:
        """Takes a channel that the peer has opened, whatever its label."""
        self._channels.append(channel)
        channel.on("message", self._received)
        channel.on("close", lambda: self._channels.remove(channel))
        if self.on_open is not None:
            self.on_open()

    def send(self, text: str) -> bool:
        """Sends to the peer; False when no channel is open or the peer does not read."""
        channel = self._chosen()
        if channel is None or channel.bufferedAmount > MAX_BUFFERED_BYTES:
            return False
        try:
            channel.send(text)
        except (ConnectionError, InvalidStateError, ValueError) as error:
            logger.debug("a message was not sent: %s", error)
            return False
        return True

    def _chosen(self) -> RTCDataChannel | None:
        ready = [channel for channel in self._channels if channel.readyState == "open"]
        return min(ready, key=lambda channel: channel.label != LABEL, default=None)

    def _received(self, message: str | bytes) -> None:
        if self.on_message is None or not isinstance(message, str):
            return
        try:
            self.on_message(message)
        except Exception:  # a border: the transport must survive its user
            logger.exception("handling a control message failed")


def hold_to_window(transport: RTCSctpTransport) -> None:
    """Makes `transport` drop what goes beyond the window that it tells (RFC 9260 §6.2): 1 MiB for
    messages that are not complete. An honest peer never sends that."""

    async def receive(chunk: DataChunk) -> None:
        if len(chunk.user_data) <= transport._advertised_rwnd:
            await stock(chunk)

    stock = replace(transport, "_receive_data_chunk", receive)
