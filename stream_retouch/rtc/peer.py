"""One WebRTC session: an offer in, an answer out, then frames and messages both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import av
from aiortc import RTCPeerConnection
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from stream_retouch.latest import Latest
from stream_retouch.metrics import Stage, TransportCount
from stream_retouch.rtc.added_delay import AddedDelay
from stream_retouch.rtc.audio import IncomingAudio, Listener
from stream_retouch.rtc.audio_relay import AudioRelay
from stream_retouch.rtc.control_channel import ControlChannel, hold_to_window
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.link import Link
from stream_retouch.rtc.options import PeerOptions as PeerOptions
from stream_retouch.rtc.private import private
from stream_retouch.rtc.receiver import ReceptionCounts, VideoReception
from stream_retouch.rtc.sdp import codec_preferences, with_rate_hints
from stream_retouch.rtc.sender import VideoSending, encoder_for
from stream_retouch.rtc.stage_times import StageTimes
from stream_retouch.rtc.tracks import IncomingVideo, OutgoingVideo

logger = logging.getLogger(__name__)


class Peer(Link):
    """One session with one browser. Event loop only, except where a method says otherwise."""

    def __init__(self, options: PeerOptions) -> None:
        """Opens nothing yet.

        Raises:
            SettingsError: `options.host` is no address.
        """
        super().__init__(options)
        self._times = StageTimes()
        self._incoming = IncomingVideo()
        self._incoming.on_frame = self._times.decoded
        self._audio = IncomingAudio()
        self._audio_reader: asyncio.Task[None] | None = None
        self._relay: AudioRelay | None = None
        self._control = ControlChannel()
        self.added_delay = AddedDelay()
        """Last packet of a frame in to last packet of the same frame out."""
        self.on_stalled: Callable[[bool], None] | None = None
        """Called with True when no video has come for 3 s, with False when it goes on."""
        self._video: RTCRtpTransceiver
        self._sound: RTCRtpTransceiver | None = None
        self._outgoing: OutgoingVideo | None = None
        self._reception: VideoReception | None = None
        self._sending: VideoSending | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._reader: asyncio.Task[None] | None = None

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
    def on_open(self) -> Callable[[], None] | None:
        """Called on the loop with every data channel that opens."""
        return self._control.on_open

    @on_open.setter
    def on_open(self, handler: Callable[[], None] | None) -> None:
        self._control.on_open = handler

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
    def received(self) -> int:
        """Frames decoded."""
        return self._incoming.received

    @property
    def stalled(self) -> bool:
        """Whether no video has come for 3 s, although the connection stands."""
        return self._reception is not None and self._reception.watch.stalled

    @property
    def reception(self) -> ReceptionCounts:
        """Losses and freezes of the incoming video so far."""
        return self._reception.counts if self._reception is not None else ReceptionCounts()

    @property
    def dropped_in(self) -> int:
        """Decoded frames nobody took before the next one came."""
        return self._incoming.frames.dropped

    @property
    def dropped_out(self) -> int:
        """Frames given to `send` but not sent: replaced, late, refused by the encoder, or too much for the rate."""
        sending = self._sending
        failed = sending.failed + sending.left_out if sending is not None else 0
        return failed + (self._outgoing.dropped if self._outgoing is not None else 0)

    @property
    def sent(self) -> int:
        """Frames encoded and sent."""
        return self._sending.sent if self._sending is not None else 0

    @property
    def added_ms(self) -> tuple[float, ...]:
        """The latest samples of the added delay, oldest first, milliseconds."""
        return self.added_delay.samples_ms

    @property
    def waiting(self) -> int:
        """Encoded frames that wait for the decoder."""
        return self._reception.backlog if self._reception is not None else 0

    def take_stage_seconds(self) -> dict[Stage, list[float]]:
        """How long decoding and encoding took, of the frames since the last call. Event loop."""
        return self._times.take()

    def transport_counts(self) -> dict[TransportCount, float]:
        """What the connection has counted so far."""
        got = self.reception
        counts: dict[TransportCount, float] = {
            "freezes": got.freezes,
            "frozen_s": got.frozen_s,
            "stalls": got.stalls,
            "given_up": got.given_up,
            "lost_in": got.packets_lost,
            "nack_out": got.nacks_sent,
            "pli_out": got.plis_sent,
        }
        if (sending := self._sending) is not None:
            counts["lost_out"] = sending.delivery.packets_lost
            counts["nack_in"] = sending.delivery.nacks
            counts["pli_in"] = sending.answers.asked
            counts["rtx_out"] = sending.delivery.history.resent
        return counts

    # Its life.

    def _media_before_offer(self, pc: RTCPeerConnection) -> None:
        self._video = self._add_video(pc)
        pc.on("datachannel", self._control.add)

    def _add_video(self, pc: RTCPeerConnection) -> RTCRtpTransceiver:
        self._outgoing = OutgoingVideo()
        video = pc.addTransceiver(self._outgoing, direction="sendrecv")
        video.setCodecPreferences(codec_preferences())
        return video

    def _media_negotiated(self, pc: RTCPeerConnection) -> None:
        if pc.sctp is not None:
            hold_to_window(pc.sctp)
        self._sound = self._accept_audio(pc)
        self._take_over(self._video)

    def _media_answered(self, pc: RTCPeerConnection) -> None:
        self._reader = asyncio.create_task(
            self._incoming.read(self._video.receiver.track), name="peer-frames"
        )
        if self._sound is not None:
            self._audio_reader = asyncio.create_task(
                self._audio.read(self._sound.receiver.track), name="peer-sound"
            )

    def _media_answer(self, answer: str) -> str:
        return with_rate_hints(
            answer,
            self._options.start_bitrate_bps,
            self._options.uplink_max_bitrate_bps,
            self._options.google_min_bitrate_bps,
        )

    def _accept_audio(self, pc: RTCPeerConnection) -> RTCRtpTransceiver | None:
        """The first sound that the client sends, to be received; all other is refused."""
        accepted = None
        wanted = self._options.audio or self._options.relay_audio
        for transceiver in pc.getTransceivers():
            if transceiver.kind == "audio":
                sends = transceiver._offerDirection in ("recvonly", "sendrecv")  # seen from here
                if wanted and sends and accepted is None:
                    accepted = transceiver
                transceiver.direction = "recvonly" if transceiver is accepted else "inactive"
        if accepted is not None and self._options.relay_audio:
            self._send_back(accepted)
        return accepted

    def _send_back(self, sound: RTCRtpTransceiver) -> None:
        """Relays the client's sound to itself, where it takes sound and both ways are Opus."""
        if sound._offerDirection == "sendrecv" and sound._codecs[0].name.lower() == "opus":
            self._relay = AudioRelay(AudioRelay.delay_of(self.added_delay))
            self._relay.take_from(sound.receiver)
            sound.sender.replaceTrack(self._relay.track())
            sound.direction = "sendrecv"

    def _take_over(self, video: RTCRtpTransceiver) -> None:
        self._incoming.take_from(video.receiver.track)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="peer-encoder")
        self._take_over_sender(video)
        self._reception = VideoReception(
            video.receiver,
            self._complete,
            self._options.start_bitrate_bps,
            self._options.uplink_max_bitrate_bps,
            # Reports about what is sent tell the round trip before anything was lost.
            lambda: private(video.sender, "rtt"),
        )
        self._reception.watch.changed = self._video_stalled

    def _complete(self, pts: int, arrived_at: float) -> None:
        self.added_delay.arrived(pts, arrived_at)
        self._times.handed(pts)

    def _take_over_sender(self, video: RTCRtpTransceiver) -> None:
        options = self._options
        limits = RateLimits(
            options.min_bitrate_bps,
            options.start_bitrate_bps,
            options.max_bitrate_bps,
            options.frame_rate,
        )
        assert self._executor is not None
        self._sending = VideoSending(
            video.sender,
            encoder_for(video._codecs[0], limits, options.video_encoder),
            self._executor,
            self.added_delay.left,
        )
        self._sending.on_encoded = self._times.encoded

    def _media_connected(self) -> None:
        if self._reception is not None:
            self._reception.watch.start()

    def _media_ending(self) -> None:
        if self._reception is not None:
            self._reception.watch.stop()
        if self._relay is not None:
            self._relay.close()

    async def _media_release(self, pc: RTCPeerConnection | None) -> None:
        if self._outgoing is not None:
            self._outgoing.stop()
        await super()._media_release(pc)
        readers = [task for task in (self._reader, self._audio_reader) if task is not None]
        for reader in readers:
            reader.cancel()
        if readers:
            await asyncio.wait(readers)
        if self._executor is not None and self._reception is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, self._reception.join_decoder)

    def _media_released(self, completely: bool) -> None:
        self._incoming.frames.close()
        if self._executor is not None:
            # Its thread is idle now, or stuck and not waited for.
            self._executor.shutdown(wait=completely)

    def _video_stalled(self, stalled: bool) -> None:
        logger.debug("video %s", "stands" if stalled else "goes on")
        if self.on_stalled is not None:
            self.on_stalled(stalled)
