"""Small clips with a painted face, and fakes of the parts that retouch them. Deterministic, no
models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import (
    BLOCK_WIDTH,
    BLOCKS,
    CROP_SIZE,
    LANDMARKS,
    LAYER_SIZE,
    OFFSET_STEP,
    TEXT_WIDTH,
    Conditioning,
    CropLandmarks,
    EditLayer,
    FaceBox,
)
from stream_retouch.language.plan import Dialogue, Edit, InstructionPlan
from stream_retouch.media.loose_crop import LOOSE_POINTS
from stream_retouch.outputs.look import LookRetoucher
from stream_retouch.outputs.orientation import IDENTITY, template
from tests.fakes import layer_code

WIDTH, HEIGHT, FRAMES, RATE = 320, 240, 12, 25
FACE = (130, 50, 90, 120)
"""x, y, width, height of the painted face: bright above, dark below."""
FACE_CENTRE = (FACE[0] + FACE[2] // 2, FACE[1] + FACE[3] // 2 + 8)
"""x, y of its middle."""
LIFT = 30
"""Luma that the fake engine adds, full-range code values."""
PLAN = InstructionPlan(edits=(Edit("blemishes", ("face",), 1.0),))
QUARTER_TURN = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
"""Shown turned by 90 degrees clockwise."""
Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


class UprightFinder:
    """Finds the painted face, and only when its bright half is on top."""

    @classmethod
    def load(cls) -> Self:
        return cls()

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        rows, columns = np.nonzero(luma > 180)
        if len(rows) < 50:
            return []
        x0, x1, y0, y1 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        below = luma[y1 + 2 : 2 * y1 - y0 - 2, x0 + 2 : x1 - 2]
        if below.size == 0 or below.mean() > 80:
            return []
        return [FaceBox(float(x0), float(y0), float(x1), float(2 * y1 - y0))]

    def landmarks(self, crops: NDArray[np.uint8]) -> CropLandmarks:
        points = np.broadcast_to(LOOSE_POINTS, (len(crops), len(LANDMARKS), 2))
        ones = np.ones((len(crops), len(LANDMARKS)), np.float32)
        return CropLandmarks(points.astype(np.float32), ones[:, 0], ones)


class BlindFinder(UprightFinder):
    """Never finds a face."""

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        return []


class LiftingEngine:
    """Brightens the middle of every crop by LIFT; may fail at a given call."""

    name = "lifting"
    crop_size = CROP_SIZE
    calls_at_once = crops_at_once = cores_per_call = 1

    @classmethod
    def load(cls, weights: Path | None = None, threads: int = 1) -> Self:
        return cls()

    def __init__(self, fails_at: int | None = None, failure: BaseException | None = None) -> None:
        self.conditionings: list[Conditioning] = []
        self._fails_at, self._failure = fails_at, failure

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        self.conditionings += conditionings
        if self._fails_at is not None and len(self.conditionings) >= self._fails_at:
            assert self._failure is not None
            raise self._failure
        codes = np.full((4, LAYER_SIZE, LAYER_SIZE), 128, np.uint8)
        codes[0] = 0
        codes[1] = layer_code(LIFT, OFFSET_STEP)
        mask = np.zeros((LAYER_SIZE, LAYER_SIZE), np.uint8)
        mask[32:96, 32:96] = 255
        return [EditLayer(codes, mask, 128.0) for _ in crops]

    def close(self) -> None:
        pass


class CountingConditioner:
    """Tells its conditionings apart by f_txt[0]: 0 without a key crop, then 1, 2, ..."""

    def __init__(self) -> None:
        self.with_crop = 0

    @classmethod
    def load(cls, weights: Path | None = None) -> Self:
        return cls()

    def prepare(self, plan: InstructionPlan, key_crop: NDArray[np.uint8] | None) -> Conditioning:
        f_txt = np.zeros(TEXT_WIDTH, np.float32)
        if key_crop is not None:
            self.with_crop += 1
            f_txt[0] = self.with_crop
        shape = (BLOCKS, BLOCK_WIDTH)
        zero = np.zeros(shape, np.float32)
        return Conditioning(f_txt, np.ones(shape, np.float32), zero, zero)


class TwoWordPlanner:
    """Knows "clean" and nothing else."""

    def __init__(self, *_chosen: object) -> None: ...

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        if text == "clean":
            return PLAN, "taking away all blemishes."
        return InstructionPlan(action="reject"), "I can't do that; say what to change on the face"


def retoucher(
    finder: UprightFinder | None = None, engine: LiftingEngine | None = None
) -> LookRetoucher:
    return LookRetoucher(
        PLAN,
        finder=finder or UprightFinder(),
        conditioner=CountingConditioner(),
        engine=engine or LiftingEngine(),
    )


def scene(width: int = WIDTH, height: int = HEIGHT, shade: int = 110) -> Planes:
    """A grey picture with the painted face, upright."""
    y = np.full((height, width), shade, np.uint8)
    x0, y0, w, h = FACE
    y[y0 : y0 + h // 2, x0 : x0 + w] = 200
    y[y0 + h // 2 : y0 + h, x0 : x0 + w] = 50
    chroma = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return y, chroma, chroma.copy()


def frame_from(planes: Planes, pts: int, base: Fraction) -> av.VideoFrame:
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        rows[:, : values.shape[1]] = values
    frame.pts, frame.time_base = pts, base
    return frame


def planes_from(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    return [
        np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width].copy()
        for p in frame.planes
    ]


def write_clip(
    path: Path,
    *,
    pictures: Iterable[Planes] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    pts: Sequence[int] | None = None,
    base: Fraction = Fraction(1, RATE),
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    sound: str | None = None,
    sound_start_s: int = 0,
    subtitles: bool = False,
    matrix: tuple[int, ...] = IDENTITY,
    tune: Callable[[av.VideoCodecContext], None] | None = None,
) -> Path:
    """A small clip: the painted face, whose surroundings become brighter from frame to frame."""
    pictures = list(pictures or [scene(shade=100 + i) for i in range(FRAMES)])
    height, width = pictures[0][0].shape
    kind = {"libvpx-vp9": "vp9"}.get(codec, codec)
    fast = {"cpu-used": "8", "deadline": "realtime"} if kind == "vp9" else {"preset": "ultrafast"}
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        if matrix == IDENTITY:
            stream = container.add_stream(codec, rate=RATE)
        else:
            with template(codec, matrix) as example:
                stream = container.add_stream_from_template(example.streams.video[0], opaque=False)
            stream.codec_context.extradata = None
            stream.codec_context.level, stream.codec_context.bit_rate = -99, 0
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, pix_fmt
        context.time_base = stream.time_base = base
        context.framerate = Fraction(RATE)
        context.options = (
            (fast if codec.startswith("lib") else {}) | {"crf": "10"} | (options or {})
        )
        if tune is not None:
            tune(context)
        if codec == "libx264":
            context.flags |= 1 << 22  # global header
        context.open()
        if sound is not None:
            add_sound(container, sound, sound_start_s)
        if subtitles:
            add_subtitles(container)
        for i, picture in enumerate(pictures):
            frame = frame_from(picture, pts[i] if pts else i, base)
            frame.color_range, frame.colorspace = context.color_range, context.colorspace
            if pix_fmt != "yuv420p":
                frame = frame.reformat(format=pix_fmt)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def add_sound(container: av.container.OutputContainer, codec: str, start_s: int = 0) -> None:
    """Half a second of noise, encoded at once."""
    stream = container.add_stream(codec, rate=48_000)
    stream.codec_context.layout = "mono"
    noise = np.random.default_rng(1).normal(0, 0.1, (1, 24_000)).astype(np.float32)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=48_000)
    frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 48_000, 0
    fifo = av.AudioFifo()
    for part in resampler.resample(frame):
        fifo.write(part)
    packets = []
    stream.codec_context.open(strict=False)
    size = stream.codec_context.frame_size or 960
    for i, part in enumerate(fifo.read_many(size)):
        part.pts = start_s * 48_000 + i * size
        packets += stream.encode(part)
    packets += stream.encode(None)
    container.mux(packets)


def add_subtitles(container: av.container.OutputContainer) -> None:
    stream = container.add_mux_stream("subrip")
    packet = av.Packet(b"hello")
    packet.stream = stream
    packet.time_base = Fraction(1, 1000)
    packet.pts = packet.dts = 40
    packet.duration = 200
    container.mux_one(packet)


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def times(path: Path) -> list[Fraction]:
    return [frame.pts * Fraction(frame.time_base) for frame in decoded(path)]


def sound_packets(path: Path) -> list[tuple[bytes, float]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [(bytes(p), float(p.pts * p.time_base)) for p in container.demux(stream) if p.size]


def lift(before: NDArray[np.uint8], after: NDArray[np.uint8], x: int, y: int) -> float:
    """Mean change of luma in 8x8 pixels around a place."""
    box = np.s_[y - 4 : y + 4, x - 4 : x + 4]
    return float(after[box].astype(int).mean() - before[box].astype(int).mean())


def left_behind(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())
