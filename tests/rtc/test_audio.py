"""What a peer says arrives as 16 kHz mono blocks, and only where somebody listens."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from stream_retouch.rtc.audio import SAMPLE_HZ, IncomingAudio
from stream_retouch.rtc.peer import Peer, PeerOptions
from tests.rtc.client import Client, closing, run, until

WIRE_HZ = 48_000


def sound(
    start: int, rate: int = WIRE_HZ, layout: str = "stereo", seconds: float = 0.02
) -> av.AudioFrame:
    """A stretch of a 440 Hz tone, `start` samples into it."""
    at = start + np.arange(round(rate * seconds))
    wave = np.rint(8000 * np.sin(2 * np.pi * 440 * at / rate)).astype(np.int16)
    channels = 2 if layout == "stereo" else 1
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, channels)[None], "s16", layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
    return frame


class Script:
    """A track that gives these frames and ends."""

    def __init__(self, *frames: av.AudioFrame) -> None:
        self.frames = list(frames)

    async def recv(self) -> av.AudioFrame:
        if not self.frames:
            raise MediaStreamError
        return self.frames.pop(0)


class Tone(MediaStreamTrack):
    """A microphone in front of a tone."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.at = 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(0.02)  # the microphone's own clock
        frame = sound(self.at)
        self.at += frame.samples
        return frame


def pitch(samples: NDArray[np.int16]) -> float:
    """The strongest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * SAMPLE_HZ / len(samples)


def test_stereo_at_48_khz_becomes_mono_at_16_khz() -> None:
    audio, blocks = IncomingAudio(), []
    audio.listener = blocks.append
    asyncio.run(audio.read(Script(*(sound(i * 960) for i in range(50)))))
    heard = np.concatenate(blocks)
    assert heard.dtype == np.int16 and 0.9 * SAMPLE_HZ < len(heard) <= SAMPLE_HZ
    assert abs(pitch(heard) - 440) < 3


def test_what_comes_while_nobody_listens_is_dropped() -> None:
    audio = IncomingAudio()
    asyncio.run(audio.read(Script(*(sound(i * 960) for i in range(5)))))
    assert (audio.heard, audio.dropped) == (0, 5)


def test_a_frame_of_another_kind_in_between_ends_nothing() -> None:
    audio, blocks = IncomingAudio(), []
    audio.listener = blocks.append
    odd = sound(0, 44_100, "mono")
    asyncio.run(audio.read(Script(sound(0), odd, *(sound(i * 960) for i in range(1, 9)))))
    assert audio.heard >= 8


def test_a_tone_of_the_client_reaches_the_listener_and_nobody_else() -> None:
    async def main() -> None:
        tone = Tone()
        peer, client = Peer(PeerOptions(audio=True)), Client(microphone=tone)
        blocks: list[NDArray[np.int16]] = []
        answer = await client.connect(peer)
        assert "a=recvonly" in answer.split("m=audio")[1].split("m=")[0]
        assert peer.has_audio
        await until(lambda: peer.connected)
        peer.listen(blocks.append)
        await until(lambda: sum(map(len, blocks)) > SAMPLE_HZ)
        peer.listen(None)
        count = len(blocks)
        await until(lambda: peer._audio.dropped > 3)
        assert len(blocks) == count
        assert abs(pitch(np.concatenate(blocks)[SAMPLE_HZ // 2 :]) - 440) < 5
        tone.stop()
        await closing(peer, client)

    run(main)


def test_a_client_without_sound_and_a_peer_that_wants_none_have_none() -> None:
    async def main() -> None:
        for options, audio in ((PeerOptions(audio=True), False), (PeerOptions(), True)):
            peer, client = Peer(options), Client(audio=audio)
            answer = await client.connect(peer)
            assert not peer.has_audio
            assert ("a=inactive" in answer) == audio
            await until(lambda peer=peer: peer.connected)
            await closing(peer, client)

    run(main)


def test_of_two_sounds_the_first_is_received() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions(audio=True)), Client(audio=True, microphone=Tone())
        answer = await client.connect(peer)
        parts = [part for part in answer.split("m=") if part.startswith("audio")]
        assert ["recvonly" in part for part in parts] == [True, False]
        assert peer.has_audio
        await closing(peer, client)

    run(main)
