"""One publisher of a stream (WHIP): video comes in, and goes out retouched to whoever watches."""

from __future__ import annotations

import av
from aiortc import RTCPeerConnection
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from stream_retouch.metrics import TransportCount
from stream_retouch.rtc.audio_relay import AudioRelay
from stream_retouch.rtc.fanout import FanOut
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.options import PeerOptions
from stream_retouch.rtc.peer import Peer
from stream_retouch.rtc.sdp import PUBLISH, check_offer, codec_preferences

LEFT = "the publisher has left; try again once it publishes anew"


class Publisher(Peer):
    """A `Peer` whose retouched frames go to a fan-out instead of back."""

    def __init__(self, options: PeerOptions) -> None:
        """Opens nothing yet.

        Raises:
            SettingsError: `options.host` is no address.
        """
        super().__init__(options)
        limits = RateLimits(
            options.min_bitrate_bps,
            options.start_bitrate_bps,
            options.max_bitrate_bps,
            options.frame_rate,
        )
        sound = AudioRelay(AudioRelay.delay_of(self.added_delay))
        self.stream = FanOut(
            limits, self.added_delay.left_for_one, sound, options.video_encoder, self._times.encoded
        )
        """Its viewers."""

    def send(self, frame: av.VideoFrame) -> None:
        """Sends a frame to the viewers, newest wins; any thread, ignored while nobody watches."""
        self.stream.put(frame)

    @property
    def dropped_out(self) -> int:
        """Frames that somebody watched for, but that a newer one replaced before it was encoded."""
        return self.stream.dropped

    @property
    def sent(self) -> int:
        """Frames sent, over all viewers."""
        return self.stream.sent

    def transport_counts(self) -> dict[TransportCount, float]:
        """What its own connection and those to its viewers have counted so far."""
        return {**super().transport_counts(), **self.stream.transport_counts()}

    def _media_check(self, offer: str) -> None:
        check_offer(offer, PUBLISH)

    def _add_video(self, pc: RTCPeerConnection) -> RTCRtpTransceiver:
        video = pc.addTransceiver("video", direction="recvonly")
        video.setCodecPreferences(codec_preferences())
        return video

    def _accept_audio(self, pc: RTCPeerConnection) -> RTCRtpTransceiver | None:
        sounds = [each for each in pc.getTransceivers() if each.kind == "audio"]
        for sound in sounds:  # the offer was checked: there is one at most
            sound.direction = "recvonly"
            self.stream.sound.take_from(sound.receiver)
        return sounds[0] if sounds else None

    def _take_over_sender(self, video: RTCRtpTransceiver) -> None:
        """Nothing is sent back."""

    def _media_ending(self) -> None:
        super()._media_ending()
        self.stream.close(LEFT)

    async def _media_release(self, pc: RTCPeerConnection | None) -> None:
        await super()._media_release(pc)
        await self.stream.join(self._options.close_timeout_s)
