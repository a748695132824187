"""Fakes of the parts behind stream_retouch.engine, and made-up pictures. Deterministic, no models,
no files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import (
    BLOCK_WIDTH,
    BLOCKS,
    CHROMA_STEP,
    CROP_SIZE,
    LAYER_SIZE,
    OFFSET_STEP,
    REQUEST_SIZE,
    TEXT_WIDTH,
    Conditioning,
    CropLandmarks,
    EditLayer,
    FaceBox,
)
from stream_retouch.language.plan import Edit, InstructionPlan, amounts
from stream_retouch.media.affine import Siting
from stream_retouch.media.colour import Matrix, coding
from stream_retouch.media.faces import Face
from stream_retouch.media.frames import Picture
from stream_retouch.media.loose_crop import LOOSE_POINTS
from stream_retouch.media.regions import CANONICAL_POINTS, region_maps
from stream_retouch.media.retouch import Look

SPOTS_AWAY = InstructionPlan(edits=(Edit("blemishes", ("face",), 1.0),))
"""A plan with something to do everywhere."""


class FakeFinder:
    """Sees the faces it was told of; landmarks always lie where a well-centred face has them."""

    def __init__(self, boxes: Sequence[FaceBox] = (), presence: float = 1.0) -> None:
        self.boxes, self.presence = list(boxes), presence
        self.found = 0
        self.followed = 0

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        self.found += 1
        return list(self.boxes)

    def landmarks(self, crops: NDArray[np.uint8]) -> CropLandmarks:
        self.followed += len(crops)
        points = np.repeat(LOOSE_POINTS[None].astype(np.float32), len(crops), axis=0)
        presence = np.full(len(crops), self.presence, np.float32)
        return CropLandmarks(points, presence, np.ones(points.shape[:2], np.float32))


class FakeTracker:
    """Returns the faces of a script, one list per picture; the last list goes on for ever."""

    def __init__(self, *script: Sequence[Face]) -> None:
        self.script = [list(faces) for faces in script] or [[]]
        self.updates = 0
        self.resets = 0
        self.sought = 0

    def update(self, picture: Picture, pts_s: float) -> list[Face]:
        faces = self.script[min(self.updates, len(self.script) - 1)]
        self.updates += 1
        return list(faces)

    def seek(self, picture: Picture) -> None:
        self.sought += 1

    def reset(self) -> None:
        self.resets += 1


class FakeEngine:
    """Answers each crop with the layer that `answer` makes of (crop, request, conditioning), or
    raises."""

    name = "fake"
    crop_size = CROP_SIZE
    calls_at_once = crops_at_once = cores_per_call = 1

    def __init__(
        self,
        answer: EditLayer
        | Callable[[NDArray[np.uint8], NDArray[np.float32], Conditioning], EditLayer]
        | None = None,
        error: Exception | None = None,
    ) -> None:
        self.answer = make_layer() if answer is None else answer
        self.error = error
        self.calls: list[
            tuple[NDArray[np.uint8], NDArray[np.float32], tuple[Conditioning, ...]]
        ] = []
        self.closed = 0

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        self.calls.append((crops.copy(), requests.copy(), tuple(conditionings)))
        if self.error is not None:
            raise self.error
        asked = zip(crops, requests, conditionings, strict=True)
        return [self.answer(*one) if callable(self.answer) else self.answer for one in asked]

    def close(self) -> None:
        self.closed += 1


class FakeConditioner:
    """Prepares a conditioning that says nothing, and remembers what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[tuple[InstructionPlan, NDArray[np.uint8] | None]] = []

    def prepare(self, plan: InstructionPlan, key_crop: NDArray[np.uint8] | None) -> Conditioning:
        self.calls.append((plan, key_crop))
        if self.error is not None:
            raise self.error
        return make_conditioning(float(len(self.calls)))


def make_conditioning(value: float = 0.0) -> Conditioning:
    """A neutral conditioning whose text feature is `value` throughout, to tell it from others."""
    shape = (BLOCKS, BLOCK_WIDTH)
    return Conditioning(
        f_txt=np.full(TEXT_WIDTH, value, np.float32),
        alpha=np.ones(shape, np.float32),
        beta=np.zeros(shape, np.float32),
        gamma=np.zeros(shape, np.float32),
    )


def layer_code(change: float, step: float) -> int:
    """The code 0..255 that an edit layer has for a change of so many full-range code values.

    Raises:
        ValueError: there is no such code.
    """
    code = 128 + change / step
    if not (code.is_integer() and 0 <= code <= 255):
        low, high = -128 * step, 127 * step
        raise ValueError(f"no code for {change}; use {low} to {high} in steps of {step}")
    return int(code)


def make_layer(
    flatten: int = 0,
    offset: float = 0.0,
    cb: float = 0.0,
    cr: float = 0.0,
    mask: int = 255,
    skin_luma: float = 150.0,
    inside: tuple[slice, slice] | None = None,
) -> EditLayer:
    """A layer that is the same everywhere; with `inside` (layer rows, columns) the mask is 0
    elsewhere.

    `flatten` and `mask` are 0..255 for 0..1; `offset`, `cb` and `cr` are changes in full-range code
    values.
    """
    constant = (
        flatten,
        layer_code(offset, OFFSET_STEP),
        layer_code(cb, CHROMA_STEP),
        layer_code(cr, CHROMA_STEP),
    )
    codes = np.empty((4, LAYER_SIZE, LAYER_SIZE), np.uint8)
    codes[:] = np.array(constant, np.uint8)[:, None, None]
    masks = np.zeros((LAYER_SIZE, LAYER_SIZE), np.uint8)
    masks[inside if inside is not None else (slice(None), slice(None))] = mask
    return EditLayer(codes, masks, skin_luma)


def make_look(
    version: int = 1,
    plan: InstructionPlan = SPOTS_AWAY,
    *,
    by_face: Mapping[int, Conditioning] | None = None,
    strength: float = 1.0,
    enabled: bool = True,
    overlay: bool = False,
) -> Look:
    """A look with a conditioning of its version."""
    return Look(
        version=version,
        plan=plan,
        table=amounts(plan),
        default=make_conditioning(float(version)),
        by_face=by_face or {},
        strength=strength,
        enabled=enabled,
        overlay=overlay,
    )


def make_face(
    face_id: int = 0,
    *,
    centre: tuple[float, float] = (160.0, 120.0),
    scale: float = 0.8,
    degrees: float = 0.0,
) -> Face:
    """A face whose crop is centred there, `scale` frame pixels per crop pixel, turned clockwise."""
    transform = make_transform(centre, scale, degrees)
    landmarks = CANONICAL_POINTS @ transform[:, :2].T + transform[:, 2]
    return Face(
        id=face_id,
        transform=transform,
        landmarks=landmarks.astype(np.float32),
        regions=region_maps(CANONICAL_POINTS),
    )


def make_transform(
    centre: tuple[float, float], scale: float, degrees: float = 0.0
) -> NDArray[np.float64]:
    """(2, 3) crop to frame: the crop's centre comes to `centre`."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.full(2, (CROP_SIZE - 1) / 2)
    return np.column_stack((turn, np.asarray(centre) - turn @ middle))


def make_scene(width: int, height: int, seed: int = 0, noise: float = 0.0) -> NDArray[np.float64]:
    """(H, W, 3) RGB 0..255: skin-like, smooth, never the same at two places."""
    y, x = np.mgrid[:height, :width]
    wave = np.stack([np.sin(x / 31.0 + seed + c) + np.cos(y / 23.0 - c) for c in range(3)], axis=-1)
    scene = np.array([190.0, 145.0, 120.0]) + 14.0 * wave
    if noise:
        scene = scene + np.random.default_rng(seed).normal(0.0, noise, (height, width, 1))
    return np.asarray(np.clip(scene, 0.0, 255.0))


def make_planes(
    rgb: NDArray[np.float64],
    *,
    full_range: bool = False,
    matrix: Matrix = "bt601",
    siting: Siting = "left",
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """4:2:0 planes of an RGB picture, any size from 1x1."""
    weights = coding(matrix, full_range).codes
    codes = rgb @ weights[:, :3].T + weights[:, 3]
    height, width = rgb.shape[:2]
    even = np.pad(codes, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    rows = (even[::2] + even[1::2]) / 2
    if siting == "center":
        half = (rows[:, ::2] + rows[:, 1::2]) / 2
    else:
        before = np.pad(rows, ((0, 0), (1, 0), (0, 0)), mode="edge")[:, :-1]
        half = (before[:, ::2] + 2 * rows[:, ::2] + rows[:, 1::2]) / 4
    y, u, v = codes[..., 0], half[..., 1], half[..., 2]
    return _rounded(y), _rounded(u), _rounded(v)


def _rounded(plane: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(plane), 0, 255).astype(np.uint8)


def make_picture(
    width: int = 320,
    height: int = 240,
    *,
    rgb: NDArray[np.float64] | None = None,
    full_range: bool = False,
    matrix: Matrix = "bt601",
    siting: Siting = "left",
    seed: int = 0,
) -> Picture:
    """A made-up picture, or `rgb` ((H, W, 3), 0..255) coded as asked."""
    scene = make_scene(width, height, seed) if rgb is None else rgb
    planes = make_planes(scene, full_range=full_range, matrix=matrix, siting=siting)
    return Picture(*planes, full_range, matrix, siting)


def make_frame(
    width: int = 320,
    height: int = 240,
    *,
    pts: int | None = 0,
    time_base: Fraction = Fraction(1, 90000),
    rgb: NDArray[np.float64] | None = None,
    full_range: bool = False,
    matrix: Matrix | None = "bt601",
    siting: Siting | None = None,
    seed: int = 0,
    noise: float = 0.0,
) -> av.VideoFrame:
    """A yuv420p frame of that picture with padded lines; `matrix` None: BT.601, but it does not say
    so.

    Chroma is sited as `picture_of` will take it, unless `siting` says otherwise.
    """
    scene = make_scene(width, height, seed, noise) if rgb is None else rgb
    planes = make_planes(
        scene,
        full_range=full_range,
        matrix=matrix or "bt601",
        siting=siting or ("center" if full_range else "left"),
    )
    frame = av.VideoFrame(scene.shape[1], scene.shape[0], "yuv420p")
    for plane, values in zip(frame.planes, planes, strict=True):
        memory = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        memory[:] = 77
        memory[: values.shape[0], : values.shape[1]] = values
    frame.pts, frame.time_base = pts, time_base
    frame.color_range = 2 if full_range else 1
    if matrix is not None:
        frame.colorspace = 1 if matrix == "bt709" else 6
    return frame


def planes_copy(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """The pixels of a 4:2:0 frame, copied: y, u, v without padding."""
    shapes = [(frame.height, frame.width)] + 2 * [((frame.height + 1) // 2, (frame.width + 1) // 2)]
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:rows, :columns].copy()
        for plane, (rows, columns) in zip(frame.planes, shapes, strict=True)
    ]


def rgb_of(
    planes: Sequence[NDArray[np.uint8]],
    *,
    full_range: bool,
    matrix: Matrix,
) -> NDArray[np.float64]:
    """(H, W, 3) RGB of 4:2:0 planes with chroma repeated: exact where chroma is smooth."""
    y, u, v = planes
    height, width = y.shape
    wide = [np.repeat(np.repeat(p, 2, 0), 2, 1)[:height, :width] for p in (u, v)]
    codes = np.stack((y, *wide), axis=-1).astype(np.float64)
    weights = coding(matrix, full_range).rgb
    return np.asarray(codes @ weights[:, :3].T + weights[:, 3])


EMPTY_REGIONS: NDArray[np.float32] = np.zeros((12, REQUEST_SIZE, REQUEST_SIZE), np.float32)
"""Region maps of a face of which nothing is to be seen."""
