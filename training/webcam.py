"""Both pictures of a training pair through the same poor camera: light, focus, sensor noise, compression.

What the camera does where nothing was painted is the same in both, to the bit: a network cannot foretell noise, and
must not be asked to. Where they differ, each is compressed as it is.

Measured on a 720p talking head (x264, superfast, zerolatency): 4 Mbps gives quantisers of 14 to 15, 1 Mbps of 22 to 27,
0.5 Mbps of 25 to 33.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.float32]
Picture = NDArray[np.uint8]

QUANTISERS = (16, 34)
"""Lowest and highest, of about 4 to 0.5 Mbps."""
JPEG_QUALITIES = (45, 92)
"""Of webcams that send JPEG over their cable."""


def degraded(source: Rgb, target: Rgb, rng: np.random.Generator) -> tuple[Picture, Picture]:
    """The pair (R, R, 3) RGB 0..1 as 8-bit pictures of one camera; R is even."""
    seen, (wished,) = all_degraded(source, [target], rng)
    return seen, wished


def all_degraded(
    source: Rgb, targets: Sequence[Rgb], rng: np.random.Generator
) -> tuple[Picture, list[Picture]]:
    """The same of a source and several targets of it."""
    pair = [source, *targets]
    dim = float(rng.uniform(0.25, 0.7)) if rng.random() < 0.2 else 1.0
    if rng.random() < 0.35:
        sigma = float(rng.uniform(0.4, 1.6)) * source.shape[0] / 512
        pair = [cv2.GaussianBlur(p, (0, 0), sigma) for p in pair]
    if dim < 1.0 or rng.random() < 0.5:
        noise = _noise(source.shape, float(rng.uniform(0.5, 4.0)) / 255, rng)
        # what the light lacks the camera makes up for by gain, partly
        back = 1.0 / dim ** float(rng.uniform(0.3, 0.9))
        pair = [(p * dim + noise) * back for p in pair] if dim < 1.0 else [p + noise for p in pair]
    a, rest = as_it_is(pair[0], pair[1:])
    codec = rng.random()
    if codec < 0.22:
        quantiser = int(rng.integers(QUANTISERS[0], QUANTISERS[1] + 1))
        return _coded(a, rest, lambda p: through_h264(p, quantiser))
    if codec < 0.34:
        quality = int(rng.integers(JPEG_QUALITIES[0], JPEG_QUALITIES[1] + 1))
        return _coded(a, rest, lambda p: through_jpeg(p, quality))
    return a, rest


def as_it_is(source: Rgb, targets: Sequence[Rgb]) -> tuple[Picture, list[Picture]]:
    """What a camera without faults makes of them: 8 bits."""
    a, *rest = (np.clip(p * 255 + 0.5, 0, 255).astype(np.uint8) for p in (source, *targets))
    return a, rest


def through_h264(picture: Picture, quantiser: int) -> Picture:
    """RGB (R, R, 3) after one key frame of H.264 with this quantiser, R even."""
    side = picture.shape[0]
    encoder = av.VideoCodecContext.create("libx264", "w")
    encoder.width = encoder.height = side
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 30)
    encoder.options = {"preset": "superfast", "tune": "zerolatency", "qp": str(quantiser)}
    encoder.thread_count = 1
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoder = av.VideoCodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [f for packet in packets for f in decoder.decode(packet)] + decoder.decode(None)
    return np.asarray(frames[0].to_ndarray(format="rgb24"), np.uint8)


def through_jpeg(picture: Picture, quality: int) -> Picture:
    """RGB (R, R, 3) after JPEG of this quality, 1..100, with halved chroma."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, coded = cv2.imencode(".jpg", picture[..., ::-1], settings)
    bgr = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1])


def widest(apart: Picture) -> Picture:
    """(R, R) largest of three channels: numpy's own maximum along so short an axis takes 20 times as long."""
    r, g, b = cv2.split(apart)
    return np.asarray(cv2.max(cv2.max(r, g), b), np.uint8)


def _coded(
    a: Picture, rest: Sequence[Picture], code: Callable[[Picture], Picture]
) -> tuple[Picture, list[Picture]]:
    coded = code(a)
    return coded, [_like(a, b, coded, code(b)) for b in rest]


def _like(a: Picture, b: Picture, coded_a: Picture, coded_b: Picture) -> Picture:
    """`coded_b`, but like `coded_a` wherever the two were alike before."""
    apart = widest(np.asarray(cv2.absdiff(a, b), np.uint8))
    weight = cv2.GaussianBlur((apart > 1).astype(np.float32), (0, 0), 1.5)[..., None]
    weight = np.where(apart[..., None] > 1, 1.0, np.clip(weight * 2.0, 0.0, 1.0))
    # exactly 0 away from what was painted, so that nothing is asked of untouched skin
    weight *= cv2.dilate((apart > 1).astype(np.uint8), np.ones((5, 5), np.uint8))[..., None]
    mixed = coded_a + weight * (coded_b.astype(np.float32) - coded_a)
    return np.asarray(np.rint(mixed), np.uint8)


def _noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Rgb:
    noise = np.empty(shape, np.float32)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    cv2.randn(noise, 0.0, sigma)
    if rng.random() < 0.4:
        # denoised inside the camera: coarser grains, less of them
        noise = cv2.GaussianBlur(noise, (0, 0), 0.8) * 1.6
    return noise
