"""One viewer of a stream (WHEP): an offer to receive in, an answer that sends out."""

from __future__ import annotations

from typing import Any

from aiortc import RTCPeerConnection
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from av.frame import Frame
from av.packet import Packet

from stream_retouch.errors import StreamConflict, UnsupportedOffer
from stream_retouch.rtc.audio_relay import AudioRelay, RelayedAudio
from stream_retouch.rtc.fanout import FanOut
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.link import Link
from stream_retouch.rtc.options import PeerOptions
from stream_retouch.rtc.sdp import WATCH, check_offer, codec_preferences
from stream_retouch.rtc.seat import Seat
from stream_retouch.rtc.shared_sending import SharedVideoSending


class _Shared(MediaStreamTrack):
    """What aiortc names in the answer; the frames come from the seat instead."""

    kind = "video"

    async def recv(self) -> Frame | Packet[Any]:
        """Nothing: nobody calls it."""
        raise MediaStreamError


class _LateSound(MediaStreamTrack):
    """The stream's sound from the moment it is wanted: a viewer takes seconds to connect, and must
    not begin with what was said before."""

    kind = "audio"

    def __init__(self, relay: AudioRelay) -> None:
        super().__init__()
        self._relay = relay
        self._track: RelayedAudio | None = None

    async def recv(self) -> Frame | Packet[Any]:
        """The next sound; MediaStreamError once there is no more."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._track is None:
            self._track = self._relay.track()
        return await self._track.recv()

    def stop(self) -> None:
        """Ends it. May be called twice."""
        super().stop()
        if self._track is not None:
            self._track.stop()


class Viewer(Link):
    """One viewer. Event loop only, except where a method says otherwise."""

    def __init__(self, options: PeerOptions, stream: FanOut) -> None:
        """Opens nothing yet.

        Raises:
            SettingsError: `options.host` is no address.
        """
        super().__init__(options)
        self._stream = stream
        self._video: RTCRtpTransceiver
        self._seat: Seat | None = None
        self._sending: SharedVideoSending | None = None

    @property
    def sent(self) -> int:
        """Frames sent; any thread."""
        return self._sending.sent if self._sending is not None else 0

    @property
    def dropped(self) -> int:
        """Frames left out because this viewer was slow; any thread."""
        return self._seat.dropped if self._seat is not None else 0

    def _media_check(self, offer: str) -> None:
        check_offer(offer, WATCH)

    def _media_before_offer(self, pc: RTCPeerConnection) -> None:
        self._video = pc.addTransceiver(_Shared(), direction="sendonly")
        self._video.setCodecPreferences(codec_preferences())

    def _media_negotiated(self, pc: RTCPeerConnection) -> None:
        if self._stream.closed is not None:
            raise StreamConflict(self._stream.closed)
        options = self._options
        limits = RateLimits(
            options.min_bitrate_bps,
            options.start_bitrate_bps,
            options.max_bitrate_bps,
            options.frame_rate,
        )
        self._seat = self._stream.take_seat(self._video._codecs[0], self.end)
        self._sending = SharedVideoSending(self._video.sender, self._seat, self._stream, limits)
        for transceiver in pc.getTransceivers():
            if transceiver.kind == "audio":
                self._add_sound(transceiver)

    def _add_sound(self, transceiver: RTCRtpTransceiver) -> None:
        if transceiver._codecs[0].name.lower() != "opus":
            raise UnsupportedOffer("the offer's sound is not Opus; offer Opus first, or no sound")
        transceiver.direction = "sendonly"
        transceiver.sender.replaceTrack(_LateSound(self._stream.sound))

    def _media_ending(self) -> None:
        if self._seat is not None:
            self._seat.close()
