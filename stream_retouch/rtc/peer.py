"""One WebRTC session: an offer in, an answer out, then frames and messages both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import av
from aioice.ice import Connection
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from stream_retouch.errors import SdpError, ServiceUnavailable
from stream_retouch.latest import Latest
from stream_retouch.rtc.added_delay import AddedDelay
from stream_retouch.rtc.audio import IncomingAudio, Listener
from stream_retouch.rtc.candidates import addresses_for, connections_of, gather_on
from stream_retouch.rtc.control_channel import ControlChannel
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.liveness import Liveness
from stream_retouch.rtc.receiver import VideoReception
from stream_retouch.rtc.sdp import check_offer, codec_preferences, with_rate_hints, without_mdns
from stream_retouch.rtc.sender import VideoSending, encoder_for
from stream_retouch.rtc.tracks import IncomingVideo, OutgoingVideo

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """How one session is connected and how much it may send."""

    host: str = "127.0.0.1"
    """Address the service is bound to; candidates follow it (candidates.py)."""
    max_bitrate_bps: int = 3_000_000
    """Highest rate of the outgoing video."""
    min_bitrate_bps: int = 300_000
    """Lowest rate of the outgoing video, whatever the receiver asks for."""
    start_bitrate_bps: int = 2_500_000
    """Rate both directions start with."""
    uplink_max_bitrate_bps: int = 5_000_000
    """Highest rate asked of the sender of the incoming video."""
    google_min_bitrate_bps: int | None = None
    """Pins the browser's rate from below when set; for networks known to carry it."""
    ice_servers: tuple[str, ...] = ()
    """STUN or TURN addresses, for example ``stun:stun.example.org:3478``."""
    frame_rate: int = 30
    """Frames per second the encoder is told to expect."""
    audio: bool = False
    """Whether sound is received, when it is offered."""
    connect_timeout_s: float = 20.0
    """A peer that has not connected this long after the answer is given up."""
    silence_timeout_s: float = 10.0
    """A connected peer from which nothing has come for this long is gone."""
    close_timeout_s: float = 5.0
    """Longest time `Peer.close` takes."""


class Peer:
    """One session with one browser. Event loop only, except where a method says otherwise."""

    def __init__(self, options: PeerOptions) -> None:
        """Opens nothing yet.

        Raises:
            SettingsError: `options.host` is no address.
        """
        self._options = options
        self._addresses = addresses_for(options.host)
        self._incoming = IncomingVideo()
        self._audio = IncomingAudio()
        self._audio_reader: asyncio.Task[None] | None = None
        self._control = ControlChannel()
        self.added_delay = AddedDelay()
        """Last packet of a frame in to last packet of the same frame out."""
        self.on_closed: Callable[[], None] | None = None
        """Called once when the session ends other than by `close`: the peer left, failed or died.
        The session releases everything by itself then; `close` waits until it has."""
        self.end_reason: str | None = None
        """Why the session ended, a sentence with the remedy; None while it lives."""
        self._pc: RTCPeerConnection | None = None
        self._outgoing: OutgoingVideo | None = None
        self._reception: VideoReception | None = None
        self._sending: VideoSending | None = None
        self._liveness: Liveness | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connect_timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    # What comes and goes.

    @property
    def frames(self) -> Latest[av.VideoFrame]:
        """Decoded frames, newest wins, never to be written into; closed when the video ends.
        May be read from any thread."""
        return self._incoming.frames

    def send(self, frame: av.VideoFrame) -> None:
        """Sends a frame, newest wins, with its own pts; from any thread, ignored when closed."""
        if self._outgoing is not None:
            self._outgoing.put(frame)

    @property
    def has_audio(self) -> bool:
        """Whether the offer had sound that can be listened to."""
        return self._audio_reader is not None

    def listen(self, listener: Listener | None) -> None:
        """Hands what is said, 16 kHz mono blocks, to `listener` from now on; None: to nobody."""
        self._audio.listener = listener

    @property
    def on_message(self) -> Callable[[str], None] | None:
        """Called on the loop with every text message of the data channel."""
        return self._control.on_message

    @on_message.setter
    def on_message(self, handler: Callable[[str], None] | None) -> None:
        self._control.on_message = handler

    def send_message(self, text: str) -> bool:
        """Sends text over the data channel; False when none is open or nobody reads it."""
        return self._control.send(text)

    # How it goes. These may be read from any thread.

    @property
    def connected(self) -> bool:
        """Whether media and messages can flow now."""
        return self._pc is not None and self._pc.connectionState == "connected"

    @property
    def received(self) -> int:
        """Frames decoded."""
        return self._incoming.received

    @property
    def dropped_in(self) -> int:
        """Decoded frames nobody took before the next one came."""
        return self._incoming.frames.dropped

    @property
    def dropped_out(self) -> int:
        """Frames given to `send` but not sent: replaced, late, or refused by the encoder."""
        failed = self._sending.failed if self._sending is not None else 0
        return failed + (self._outgoing.dropped if self._outgoing is not None else 0)

    @property
    def sent(self) -> int:
        """Frames encoded and sent."""
        return self._sending.sent if self._sending is not None else 0

    @property
    def added_ms(self) -> tuple[float, ...]:
        """The latest samples of the added delay, oldest first, milliseconds."""
        return self.added_delay.samples_ms

    # Its life.

    async def answer(self, offer_sdp: str) -> str:
        """The answer to a browser's offer, all candidates included.

        Raises:
            SdpError: the offer is not usable, or this session has answered already.
            ServiceUnavailable: no port for media can be opened on the host's addresses.
        """
        if self._pc is not None or self._closing is not None:
            raise SdpError("this session has its offer already; start a new one with POST /session")
        check_offer(offer_sdp)
        servers = [RTCIceServer(urls=url) for url in self._options.ice_servers]
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        try:
            return await self._negotiated(self._pc, without_mdns(offer_sdp))
        except BaseException:
            await self.close()
            raise

    async def _negotiated(self, pc: RTCPeerConnection, offer: str) -> str:
        self._outgoing = OutgoingVideo()
        video = pc.addTransceiver(self._outgoing, direction="sendrecv")
        video.setCodecPreferences(codec_preferences())
        pc.on("datachannel", self._control.add)
        pc.on("connectionstatechange", self._state_changed)
        try:
            await pc.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        except Exception as error:  # aiortc meets a bad description with any exception there is
            raise SdpError(
                f"the offer cannot be used: {error}; send it as createOffer gave it"
            ) from error
        sound = self._accept_audio(pc)
        self._take_over(video)
        connections = connections_of(pc)
        gather_on(connections, self._addresses)
        self._liveness = Liveness(connections, self._options.silence_timeout_s, self._went_silent)
        await pc.setLocalDescription()
        self._check_candidates(connections)
        self._reader = asyncio.create_task(
            self._incoming.read(video.receiver.track), name="peer-frames"
        )
        if sound is not None:
            self._audio_reader = asyncio.create_task(
                self._audio.read(sound.receiver.track), name="peer-sound"
            )
        self._connect_timer = asyncio.get_running_loop().call_later(
            self._options.connect_timeout_s, self._never_connected
        )
        return with_rate_hints(
            pc.localDescription.sdp,
            self._options.start_bitrate_bps,
            self._options.uplink_max_bitrate_bps,
            self._options.google_min_bitrate_bps,
        )

    def _accept_audio(self, pc: RTCPeerConnection) -> RTCRtpTransceiver | None:
        """The first sound that the client sends, to be received; all other is refused."""
        accepted = None
        for transceiver in pc.getTransceivers():
            if transceiver.kind == "audio":
                sends = transceiver._offerDirection in ("recvonly", "sendrecv")  # seen from here
                if self._options.audio and sends and accepted is None:
                    accepted = transceiver
                transceiver.direction = "recvonly" if transceiver is accepted else "inactive"
        return accepted

    def _take_over(self, video: RTCRtpTransceiver) -> None:
        options = self._options
        limits = RateLimits(
            options.min_bitrate_bps,
            options.start_bitrate_bps,
            options.max_bitrate_bps,
            options.frame_rate,
        )
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="peer-encoder")
        self._sending = VideoSending(
            video.sender,
            encoder_for(video._codecs[0], limits),
            self._executor,
            self.added_delay.left,
        )
        self._reception = VideoReception(
            video.receiver,
            self.added_delay.arrived,
            options.start_bitrate_bps,
            options.uplink_max_bitrate_bps,
        )

    def _check_candidates(self, connections: list[Connection]) -> None:
        if not any(connection.local_candidates for connection in connections):
            raise ServiceUnavailable(
                f"no port for media can be opened on {', '.join(self._addresses)}; "
                "start the service with --host set to an address of this machine"
            )

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
        self.end_reason = self.end_reason or "the session was closed; start a new one"
        released = False
        try:
            async with asyncio.timeout(self._options.close_timeout_s):
                await self._release_media()
                released = True
        except TimeoutError:
            logger.warning("a session took more than %s s to close", self._options.close_timeout_s)
        finally:
            self._incoming.frames.close()
            if self._executor is not None:
                # Its thread is idle now, or stuck and not waited for.
                self._executor.shutdown(wait=released)

    async def _release_media(self) -> None:
        if self._outgoing is not None:
            self._outgoing.stop()
        if self._pc is not None:
            await self._pc.close()
        readers = [task for task in (self._reader, self._audio_reader) if task is not None]
        for reader in readers:
            reader.cancel()
        if readers:
            await asyncio.wait(readers)
        if self._executor is not None and self._reception is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, self._reception.join_decoder)

    # What ends it from outside.

    def _state_changed(self) -> None:
        state = self._pc.connectionState if self._pc is not None else "closed"
        logger.debug("connection is %s", state)
        if state == "connected":
            if self._connect_timer is not None:
                self._connect_timer.cancel()
            if self._liveness is not None:
                self._liveness.start()
        elif state == "failed":
            self._ended(
                "no connection for media: browser and service do not reach each other; start the "
                "service with --host set to an address the browser can reach, or with an ICE server"
            )
        elif state == "closed":
            self._ended("the other side has left; start a new session")

    def _went_silent(self) -> None:
        self._ended("nothing came from the other side for too long; start a new session")

    def _never_connected(self) -> None:
        self._ended(
            "the other side never connected; bring up a network interface, or let the browser use "
            "loopback (Chromium: --allow-loopback-in-peer-connection), and start again"
        )

    def _ended(self, reason: str) -> None:
        if self._closing is not None or self.end_reason is not None:
            return
        self.end_reason = reason
        logger.info("a session ended: %s", reason)
        self._closing = asyncio.create_task(self._release(), name="peer-close")
        if self.on_closed is not None:
            self.on_closed()
