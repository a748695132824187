"""The life of one WebRTC connection with a client, from the offer to the end, whatever it carries.

`Peer`, `Publisher` and `Viewer` say what it carries by the methods whose names begin with
``_media_``; the rest is the same for all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aioice.ice import Connection
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import OperationError

from stream_retouch.errors import SdpError, ServiceUnavailable, UnsupportedOffer
from stream_retouch.rtc.candidates import (
    addresses_for,
    connections_of,
    gather_on,
    transports_of,
    why_none,
)
from stream_retouch.rtc.liveness import Liveness
from stream_retouch.rtc.options import PeerOptions
from stream_retouch.rtc.packet_border import guard
from stream_retouch.rtc.ports import advertised
from stream_retouch.rtc.sdp import check_offer, without_mdns
from stream_retouch.rtc.trickle import Fragment, add_candidates, is_restart

logger = logging.getLogger(__name__)


class Link:
    """One connection. Event loop only, except where a method says otherwise."""

    def __init__(self, options: PeerOptions) -> None:
        """Opens nothing yet.

        Raises:
            SettingsError: `options.host` is no address.
        """
        self._options = options
        self._addresses = addresses_for(options.host)
        self.on_closed: Callable[[], None] | None = None
        """Called once when the session ends other than by `close`: the peer left, failed or died.
        The session releases everything by itself then; `close` waits until it has."""
        self.end_reason: str | None = None
        """Why the session ended, a sentence with the remedy; None while it lives."""
        self._pc: RTCPeerConnection | None = None
        self._liveness: Liveness | None = None
        self._connect_timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether media and messages can flow now."""
        return self._pc is not None and self._pc.connectionState == "connected"

    # What it carries.

    def _media_check(self, offer: str) -> None:
        """Refuses an offer that this kind of connection cannot answer, with SdpError."""
        check_offer(offer)

    def _media_before_offer(self, pc: RTCPeerConnection) -> None:
        """Adds what is carried to `pc`, which has not seen the offer yet."""

    def _media_negotiated(self, pc: RTCPeerConnection) -> None:
        """Takes over the parts of `pc`, which knows the offer and has not started."""

    def _media_answered(self, pc: RTCPeerConnection) -> None:
        """Begins to read and to write; the answer stands."""

    def _media_answer(self, answer: str) -> str:
        """The answer as it is given to the client."""
        return answer

    def _media_connected(self) -> None:
        """The connection has come about."""

    def _media_ending(self) -> None:
        """The end has begun; stop what must not run on meanwhile. Never waits."""

    async def _media_release(self, pc: RTCPeerConnection | None) -> None:
        """Ends everything, `pc` too. May be cancelled when it takes too long."""
        if pc is not None:
            await pc.close()

    def _media_released(self, completely: bool) -> None:
        """The last thing that is called, whether or not all was released in time."""

    # Its life.

    async def answer(self, offer_sdp: str) -> str:
        """The answer to a client's offer, all candidates included.

        Raises:
            SdpError: the offer is not usable, or this session has answered already.
            ServiceUnavailable: no port for media can be opened on the host's addresses.
        """
        if self._pc is not None or self._closing is not None:
            raise SdpError("this session has its offer already; start a new one with POST /session")
        self._media_check(offer_sdp)
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=self._ice_servers()))
        try:
            return await self._negotiated(self._pc, without_mdns(offer_sdp))
        except BaseException:
            await self.close()
            raise

    async def _negotiated(self, pc: RTCPeerConnection, offer: str) -> str:
        self._media_before_offer(pc)
        pc.on("connectionstatechange", self._state_changed)
        try:
            await pc.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        except OperationError as error:
            raise UnsupportedOffer(
                "the offer has no codec that can be used: video is H.264 (baseline, "
                "packetization-mode 1) or VP8, sound is Opus, PCMU or PCMA; offer one of them"
            ) from error
        except Exception as error:  # aiortc meets a bad description with any exception there is
            raise SdpError(
                f"the offer cannot be used: {error}; send it as createOffer gave it"
            ) from error
        self._media_negotiated(pc)
        for transport in transports_of(pc):
            guard(transport)
        connections = connections_of(pc)
        gather_on(connections, self._addresses, self._options.udp_ports)
        self._liveness = Liveness(connections, self._options.silence_timeout_s, self._went_silent)
        await pc.setLocalDescription()
        self._check_candidates(connections)
        self._media_answered(pc)
        self._connect_timer = asyncio.get_running_loop().call_later(
            self._options.connect_timeout_s, self._never_connected
        )
        answer = self._media_answer(pc.localDescription.sdp)
        public = self._options.advertise
        return answer if public is None else advertised(answer, public)

    def _ice_servers(self) -> list[RTCIceServer]:
        username, password = self._options.turn_credential or (None, None)
        return [
            RTCIceServer(url, username, password)
            if url.startswith(("turn:", "turns:"))
            else RTCIceServer(url)
            for url in self._options.ice_servers
        ]

    def _check_candidates(self, connections: list[Connection]) -> None:
        if not any(connection.local_candidates for connection in connections):
            raise ServiceUnavailable(why_none(self._addresses, self._options.udp_ports), "ports")

    async def trickle(self, fragment: Fragment) -> bool:
        """Takes further candidates of the client; those that cannot be used are left out.

        Returns:
            False when the fragment is not of this ICE session (a restart); nothing is taken then.
        """
        if self._pc is None or self._closing is not None:
            return True
        if is_restart(fragment, self._pc.remoteDescription.sdp):
            return False
        await add_candidates(self._pc, fragment)
        return True

    async def close(self) -> None:
        """Ends the session; no task, thread or socket is left. Idempotent, bounded."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._release(), name="peer-close")
        await asyncio.shield(self._closing)

    async def _release(self) -> None:
        if self._connect_timer is not None:
            self._connect_timer.cancel()
        if self._liveness is not None:
            self._liveness.stop()
        self._media_ending()
        self.end_reason = self.end_reason or "the session was closed; start a new one"
        released = False
        try:
            async with asyncio.timeout(self._options.close_timeout_s):
                await self._media_release(self._pc)
                released = True
        except TimeoutError:
            logger.warning("a session took more than %s s to close", self._options.close_timeout_s)
        finally:
            self._media_released(released)

    # What ends it from outside.

    def _state_changed(self) -> None:
        state = self._pc.connectionState if self._pc is not None else "closed"
        logger.debug("connection is %s", state)
        if state == "connected":
            if self._connect_timer is not None:
                self._connect_timer.cancel()
            if self._liveness is not None:
                self._liveness.start()
            self._media_connected()
        elif state == "failed":
            self.end(
                "no connection for media: browser and service do not reach each other; start the "
                "service with --host set to an address the browser can reach, or with an ICE server"
            )
        elif state == "closed":
            self.end("the other side has left; start a new session")

    def _went_silent(self) -> None:
        self.end("nothing came from the other side for too long; start a new session")

    def _never_connected(self) -> None:
        self.end(
            "the other side never connected; bring up a network interface, or let the browser use "
            "loopback (Chromium: --allow-loopback-in-peer-connection), and start again"
        )

    def end(self, reason: str) -> None:
        """Ends the session as if the peer had left, and tells `on_closed`; once, never waits."""
        if self._closing is not None or self.end_reason is not None:
            return
        self.end_reason = reason
        logger.info("a session ended: %s", reason)
        self._closing = asyncio.create_task(self._release(), name="peer-close")
        if self.on_closed is not None:
            self.on_closed()
