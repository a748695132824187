"""Pictures: the planes of a decoded frame, the aligned crop taken from them, and new frames made
like old ones.

Nothing here writes into a decoded frame: its planes are the decoder's reference pictures, and a
write shows up as damage in later frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE
from stream_retouch.media.affine import (
    Affine,
    Siting,
    axis_aligned,
    bounds,
    compose,
    crop_from_grid,
    invert,
    luma_from_chroma,
    scale_of,
)
from stream_retouch.media.colour import Matrix, coding

# OpenCV's own thread pool would fight the other sessions' frame threads for the same cores, and the
# boxes are small.
cv2.setNumThreads(1)

PLANAR_420 = ("yuv420p", "yuvj420p")
"""Formats whose planes are used as they are."""
SD_LINES = 576
"""Pictures of at most so many lines are BT.601 when they do not say, larger ones BT.709."""
SHRINK_FROM = 1.5
"""Plane pixels per crop pixel from which the plane is shrunk by area before it is sampled."""
WHOLE_SHRINK_FROM = 1.75
"""The same, from which it is shrunk by a whole number: that costs 0.01 ms a plane against 0.4 ms at
480 px."""

# AVColorSpace as frames carry it (ITU-T H.273 MatrixCoefficients); BT.2020's matrix is nearer to
# BT.709's.
_BT601_SPACES = (4, 5, 6)
_BT709_SPACES = (1, 7, 9, 10)
_SMPTE170M = 6
_BT709 = 1

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The planes of a 4:2:0 picture and how they are coded. The arrays are read-only views of the
    frame."""

    y: Plane
    """(H, W) luma."""
    u: Plane
    """(ceil(H/2), ceil(W/2)) Cb."""
    v: Plane
    """(ceil(H/2), ceil(W/2)) Cr."""
    full_range: bool
    """Black is 0 and white 255; else 16 and 235."""
    matrix: Matrix
    siting: Siting
    """Where a chroma sample lies between its two luma columns; vertically it always lies between
    its two rows."""

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])


def _view(plane: VideoPlane, width: int, height: int) -> Plane:
    """The plane as an array without its padding, which shares the frame's memory and keeps it
    alive."""
    rows = np.frombuffer(plane, np.uint8)[: height * plane.line_size]  # type: ignore[call-overload]
    view: Plane = rows.reshape(height, plane.line_size)[:, :width]
    return view


def _views(frame: av.VideoFrame) -> tuple[Plane, Plane, Plane]:
    width, height = frame.width, frame.height
    half = ((width + 1) // 2, (height + 1) // 2)
    y, u, v = frame.planes[:3]
    return _view(y, width, height), _view(u, *half), _view(v, *half)


def _matrix_of(frame: av.VideoFrame, webrtc: bool) -> Matrix:
    space = int(frame.colorspace)
    if space in _BT709_SPACES:
        return "bt709"
    if space in _BT601_SPACES or webrtc or frame.height <= SD_LINES:
        return "bt601"
    return "bt709"


def _is_full_range(frame: av.VideoFrame) -> bool:
    return frame.format.name.startswith("yuvj") or int(frame.color_range) == ColorRange.JPEG


def _is_colour_coded(frame: av.VideoFrame) -> bool:
    """Whether the pixels are YCbCr; RGB and grey are turned into limited-range YCbCr."""
    return not frame.format.is_rgb and len(frame.format.components) >= 3


def _as_420(
    frame: av.VideoFrame, matrix: Matrix, reformatter: VideoReformatter | None
) -> av.VideoFrame:
    """`frame` in yuv420p, its range and matrix kept (RGB and grey: limited range, `matrix`)."""
    full = _is_colour_coded(frame) and _is_full_range(frame)
    reformatter = reformatter or VideoReformatter()
    # One thread: by default each new context starts a pool, 5 to 7 ms before the first pixel.
    return reformatter.reformat(
        frame,
        format="yuv420p",
        src_color_range=ColorRange.JPEG if _is_full_range(frame) else None,
        dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_colorspace=Colorspace.ITU709 if matrix == "bt709" else Colorspace.ITU601,
        threads=1,
    )


def picture_of(
    frame: av.VideoFrame, *, webrtc: bool = False, reformatter: VideoReformatter | None = None
) -> Picture:
    """The planes of `frame`: without a copy for 8-bit planar 4:2:0, otherwise converted once.

    Args:
        frame: any software frame; it is not changed.
        webrtc: an unstated matrix is BT.601 whatever the size, and chroma is centred, as browsers
            average 2x2.
        reformatter: kept by the caller between frames of one stream, so that a conversion is set up
            once.
    """
    matrix = _matrix_of(frame, webrtc)
    # PyAV does not tell the siting. JPEG centres chroma, and so do browsers and swscale; MPEG-2 and
    # H.264 do not.
    centred = webrtc or _is_full_range(frame) or not _is_colour_coded(frame)
    full_range = _is_full_range(frame) and _is_colour_coded(frame)
    if frame.format.name not in PLANAR_420:
        frame = _as_420(frame, matrix, reformatter)
    planes = _views(frame)
    for plane in planes:
        plane.flags.writeable = False
    return Picture(*planes, full_range, matrix, "center" if centred else "left")


def _like(like: av.VideoFrame, matrix: Matrix | None) -> av.VideoFrame:
    """An empty 4:2:0 frame with the size, times and colour attributes of `like`."""
    planar = like.format.name in PLANAR_420
    frame = av.VideoFrame(like.width, like.height, like.format.name if planar else "yuv420p")
    frame.pts = like.pts
    if like.time_base is not None:
        frame.time_base = like.time_base
    frame.color_primaries = like.color_primaries
    frame.color_trc = like.color_trc
    frame.color_range = like.color_range
    frame.colorspace = like.colorspace
    if not planar:
        # The planes come from picture_of, which converted `like`: say what it made of it.
        full = _is_colour_coded(like) and _is_full_range(like)
        frame.color_range = ColorRange.JPEG if full else ColorRange.MPEG
        matrix = matrix or _matrix_of(like, webrtc=False)
        frame.colorspace = _BT709 if matrix == "bt709" else _SMPTE170M
    return frame


def frame_with(
    y: Plane, u: Plane, v: Plane, like: av.VideoFrame, *, matrix: Matrix | None = None
) -> av.VideoFrame:
    """A new frame with these planes and the pts, time base and colour attributes of `like`.

    `matrix` is what `picture_of` made of a frame that it had to convert; others keep what they say.
    `like` is only read.
    """
    frame = _like(like, matrix)
    for view, plane in zip(_views(frame), (y, u, v), strict=True):
        np.copyto(view, plane)
    return frame


def planes_of(frame: av.VideoFrame) -> tuple[Plane, Plane, Plane]:
    """Writable views of the planes of a frame that `frame_with` made. Never call it for a decoded
    frame."""
    return _views(frame)


def luma_full(picture: Picture, width: int | None = None) -> Plane:
    """Full-range luma, (h, w) uint8; shrunk by area to `width` columns when the picture is wider
    than that."""
    luma = picture.y
    if width is not None and width < picture.width:
        height = max(1, round(picture.height * width / picture.width))
        luma = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
    if picture.full_range:
        return luma
    table = np.clip(np.rint((np.arange(256) - 16.0) * (255.0 / 219.0)), 0, 255).astype(np.uint8)
    return cv2.LUT(luma, table).astype(np.uint8, copy=False)


def take_crop(picture: Picture, transform: Affine, size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """The aligned face: (size, size, 3) uint8 RGB, full range.

    The planes are sampled where the crop's pixels lie (chroma by its siting), then coded as RGB.
    Beyond the frame's edge the picture is mirrored.

    Args:
        picture: what to look at.
        transform: from pixels of a CROP_SIZE crop to luma pixels, whatever `size` is.
        size: side of the result; the same part of the picture is seen at any size.
    """
    to_luma = compose(transform, crop_from_grid(size))
    to_chroma = compose(invert(luma_from_chroma(picture.siting)), to_luma)
    codes = cv2.merge(
        (
            _sample(picture.y, to_luma, size),
            _sample(picture.u, to_chroma, size),
            _sample(picture.v, to_chroma, size),
        )
    )
    rgb = cv2.transform(codes, coding(picture.matrix, picture.full_range).rgb)
    return rgb.astype(np.uint8, copy=False)


def usual_crop(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A crop of any of CROP_SIZES at CROP_SIZE, by area; one that has that size is returned itself.

    For what looks at crops for its own purposes, and sees enough at that size.
    """
    if crop.shape[0] == CROP_SIZE:
        return crop
    small = cv2.resize(crop, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


def _sample(plane: Plane, to_plane: Affine, size: int) -> Plane:
    """`plane` at the (size, size) places that `to_plane` gives, bilinear, shrunk by area before if
    need be."""
    scale = scale_of(to_plane)
    if scale > SHRINK_FROM:
        plane, to_plane = _shrunk(plane, to_plane, size, scale)
    sampled = cv2.warpAffine(
        plane,
        to_plane,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return sampled.astype(np.uint8, copy=False)


def _shrunk(plane: Plane, to_plane: Affine, size: int, scale: float) -> tuple[Plane, Affine]:
    """The part of `plane` that the crop sees, shrunk by about `scale`, and the map to it."""
    height, width = plane.shape
    margin = 2.0  # crop pixels, for the bilinear footprint
    x0, y0, x1, y1 = bounds(to_plane, -margin, -margin, size + margin, size + margin)
    whole = int(scale + 1.0 - (WHOLE_SHRINK_FROM - 1.0)) if scale >= WHOLE_SHRINK_FROM else 0
    left, right = _span(x0, x1, width, whole)
    top, bottom = _span(y0, y1, height, whole)
    factor = whole or scale
    shape = (
        max(1, round((right - left) / factor)),
        max(1, round((bottom - top) / factor)),
    )
    small = cv2.resize(plane[top:bottom, left:right], shape, interpolation=cv2.INTER_AREA)
    step_x, step_y = shape[0] / (right - left), shape[1] / (bottom - top)
    to_small = axis_aligned(step_x, (0.5 - left) * step_x - 0.5, step_y, (0.5 - top) * step_y - 0.5)
    return small.astype(np.uint8, copy=False), compose(to_small, to_plane)


def _span(low: float, high: float, length: int, multiple: int) -> tuple[int, int]:
    """The pixels low..high of a line of `length`, with those that its mirrored border repeats."""
    first, last = int(np.floor(low)), int(np.ceil(high)) + 1
    if first < 0:
        last = max(last, 1 - first)
    if last > length:
        first = min(first, 2 * length - last - 1)
    first, last = min(max(first, 0), length - 1), max(min(last, length), 1)
    if multiple:
        # A whole number of steps keeps the fast path; at the very edge of a small plane it is not
        # to be had.
        missing = -(last - first) % multiple
        if missing <= first:
            first -= missing
        elif last + missing <= length:
            last += missing
    return first, last
