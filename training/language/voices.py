"""Spoken sentences as the service hears them: a synthetic voice, noise, and the way through Opus."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from stream_retouch.language.endpointer import SAMPLE_HZ, Endpointer

WIRE_HZ = 48_000
"""Sample rate of audio over WebRTC."""
HEARD_HZ = SAMPLE_HZ
"""Sample rate that recognisers take."""
PEAK = 0.5
"""Loudest sample of a clip, of full scale."""
PAUSE_S = 0.5
"""Silence before and after each sentence."""
OPUS_BPS = 24_000
"""Bits a second."""
_FRAME = WIRE_HZ // 50
_BLOCK = HEARD_HZ // 50


class Voice(NamedTuple):
    """A voice of espeak-ng and how fast it speaks."""

    name: str
    words_per_minute: int


def can_speak() -> bool:
    """Whether espeak-ng is installed."""
    return shutil.which("espeak-ng") is not None


def spoken(text: str, voice: Voice) -> NDArray[np.int16]:
    """(N,) the sentence at WIRE_HZ, with a pause on either side."""
    command = ["espeak-ng", "-v", voice.name, "-s", str(voice.words_per_minute), "--stdout"]
    made = subprocess.run([*command, "--", text], capture_output=True, check=True)
    return at_the_microphone(made.stdout)


def at_the_microphone(
    wav: bytes, before_s: float = PAUSE_S, after_s: float = PAUSE_S
) -> NDArray[np.int16]:
    """(N,) a synthesiser's WAV file at WIRE_HZ, as loud as PEAK, between two pauses."""
    with wave.open(io.BytesIO(wav)) as file:
        samples = np.frombuffer(file.readframes(1 << 24), np.int16)  # its header may have no length
        rate = file.getframerate()
    loud = resampled(samples, rate, WIRE_HZ).astype(np.float64)
    loud *= PEAK * 32_767 / max(np.abs(loud).max(initial=0.0), 1.0)
    before, after = (np.zeros(round(s * WIRE_HZ)) for s in (before_s, after_s))
    return np.rint(np.concatenate((before, loud, after))).astype(np.int16)


def noisy(clip: NDArray[np.int16], snr_db: float, rng: np.random.Generator) -> NDArray[np.int16]:
    """The clip with low noise, like a fan, so many decibels below the spoken part."""
    speech = clip[np.abs(clip) > 0.02 * np.abs(clip).max()].astype(np.float64)
    steps = np.cumsum(rng.standard_normal(len(clip)))
    window = WIRE_HZ // 100
    padded = np.concatenate((np.full(window, steps[0]), steps))
    sums = np.cumsum(padded)
    noise = steps - (sums[window:] - sums[:-window]) / window
    wanted = np.sqrt(np.mean(speech**2)) / 10 ** (snr_db / 20)
    mixed = clip + noise * wanted / np.sqrt(np.mean(noise**2))
    return np.clip(np.rint(mixed), -32_768, 32_767).astype(np.int16)


def over_the_wire(clip: NDArray[np.int16], bps: int = OPUS_BPS) -> NDArray[np.int16]:
    """The clip of WIRE_HZ after Opus at so many bits a second, at HEARD_HZ."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = WIRE_HZ, "mono", "s16"  # type: ignore[assignment]
    encoder.bit_rate = bps
    encoder.time_base = Fraction(1, WIRE_HZ)
    encoder.options = {"application": "voip", "frame_duration": "20"}
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    packets = []
    for at in range(0, len(clip) - _FRAME + 1, _FRAME):
        packets += encoder.encode(_frame(clip[at : at + _FRAME], WIRE_HZ, at))
    packets += encoder.encode(None)
    resampler = av.AudioResampler("s16", "mono", HEARD_HZ)
    parts = [
        out.to_ndarray().reshape(-1)
        for packet in packets
        for frame in decoder.decode(packet)
        for out in resampler.resample(frame)
    ]
    parts += [out.to_ndarray().reshape(-1) for out in resampler.resample(None)]
    return np.concatenate(parts).astype(np.int16)


def held(samples: NDArray[np.int16], is_held: bool = True) -> NDArray[np.int16] | None:
    """The utterance that end-pointing makes of a clip, the button held through it or never; None: none at all."""
    ear = Endpointer()
    if is_held:
        ear.press()
    for i in range(0, len(samples), _BLOCK):
        whole = ear.push(samples[i : i + _BLOCK])
        if whole is not None:
            return whole
    ear.release()
    return ear.finish()


def resampled(clip: NDArray[np.int16], rate: int, to: int) -> NDArray[np.int16]:
    """The clip at another sample rate."""
    resampler = av.AudioResampler("s16", "mono", to)
    frames = [*resampler.resample(_frame(clip, rate, 0)), *resampler.resample(None)]
    return np.concatenate([f.to_ndarray().reshape(-1) for f in frames]).astype(np.int16)


def _frame(samples: NDArray[np.int16], rate: int, pts: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, rate)
    return frame
