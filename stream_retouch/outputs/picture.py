"""Still pictures: read upright with their metadata, retouched by the frame path, written in the
type of their name."""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.errors import MediaError
from stream_retouch.outputs.look import LookRetoucher
from stream_retouch.outputs.planes import FULL_RANGE, Planes, frame_of, planes_of
from stream_retouch.outputs.sink import writing

PICTURE_KINDS: dict[str, list[int]] = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".png": [],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
    ".bmp": [],
    ".tif": [],
    ".tiff": [],
}
"""Encoder parameters by file name extension."""
_HOLDS_METADATA = {".jpg", ".jpeg", ".png", ".webp"}
_ORIENTATION_TAG = 0x0112
_BT601 = 5  # AVCOL_SPC_BT470BG, what JFIF uses
_MAX_SIDE = 32_766  # cv2.warpAffine counts in 16 bits

Pixels = NDArray[np.integer[Any]]
"""(H, W), (H, W, 3) BGR or (H, W, 4) BGRA, uint8 or uint16, full range."""


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A decoded picture, upright."""

    pixels: Pixels
    metadata: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    """EXIF (its orientation set to upright), XMP and ICC profile by OpenCV's type number."""


def read_still(path: Path) -> Still:
    """The picture, turned as its EXIF data says.

    Raises:
        MediaError: it cannot be read as a picture.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as problem:
        raise MediaError(str(path), "may not be read; change its permissions") from problem
    try:
        array, kinds, chunks = cv2.imdecodeWithMetadata(data, flags=cv2.IMREAD_UNCHANGED)
    except cv2.error:
        array = None
    if array is None or array.size == 0:
        raise MediaError(
            str(path),
            "this picture is damaged or of a type that cannot be read; save it as .png or .jpg",
        )
    pixels = _pixels(array)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise MediaError(str(path), "only 8 and 16 bits a sample can be read; save it as .png")
    if max(pixels.shape[:2]) > _MAX_SIDE:
        raise MediaError(str(path), f"larger than {_MAX_SIDE} pixels; make it smaller first")
    metadata = {
        int(kind): np.asarray(chunk, np.uint8).ravel()
        for kind, chunk in zip(kinds, chunks, strict=True)
        if kind in (cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_XMP, cv2.IMAGE_METADATA_ICCP)
    }
    exif = metadata.get(cv2.IMAGE_METADATA_EXIF)
    if exif is not None:
        turn, metadata[cv2.IMAGE_METADATA_EXIF] = _upright_exif(exif)
        pixels = _turned(pixels, turn)
    return Still(pixels, metadata)


def retouch_still(still: Still, retoucher: LookRetoucher) -> tuple[Pixels, int]:
    """The retouched pixels and the number of faces; a pixel that no edit reaches keeps its very
    value.

    The picture goes through the frame path as full-range BT.601 yuv420p, and the *difference* that
    the path makes is added to the original pixels, so that 16-bit depth, alpha and full-resolution
    colour stay.
    """
    before = _planes(still.pixels)
    frame = frame_of(before, _timeless(before))
    result = retoucher.apply(frame)
    after = planes_of(result.frame)
    return _with_difference(still.pixels, before, after), result.faces


def write_still(target: Path, pixels: Pixels, metadata: dict[int, NDArray[np.uint8]]) -> list[str]:
    """Writes the picture in the type of its name and returns what could not be kept, a sentence
    each.

    Raises:
        MediaError: the file cannot be written; nothing is left of it.
    """
    suffix, notes = target.suffix.lower(), []
    if suffix in (".jpg", ".jpeg", ".bmp"):
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            pixels = np.ascontiguousarray(pixels[..., :3])
            notes.append(f"{suffix} has no transparency, which was left out; write .png to keep it")
        if pixels.dtype == np.uint16:
            notes.append(f"{suffix} has 8 bits a sample; write .png to keep 16")
    if pixels.dtype == np.uint16 and suffix not in (".png", ".tif", ".tiff"):
        pixels = np.round(pixels.astype(np.float32) / 257).astype(np.uint8)
    kept = metadata if suffix in _HOLDS_METADATA else {}
    if metadata and not kept:
        notes.append(
            f"{suffix} keeps no EXIF data or colour profile here; write .jpg or .png to keep them"
        )
    try:
        ok, data = cv2.imencodeWithMetadata(
            suffix, pixels, list(kept), list(kept.values()), PICTURE_KINDS[suffix]
        )
    except cv2.error as problem:
        raise MediaError(str(target), "cannot be encoded; write .png instead") from problem
    if not ok:
        raise MediaError(str(target), "cannot be encoded; write .png instead")
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part")
    try:
        with writing(target):
            temporary.write_bytes(data.tobytes())
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return notes


def _turned(pixels: Pixels, turn: int) -> Pixels:
    """The stored picture as EXIF orientation `turn` (1..8, CIPA DC-008 §4.6.4) shows it."""
    if turn in (5, 6, 7, 8):
        pixels = _pixels(cv2.transpose(pixels))
    mirrors = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}  # after the transposition, as cv2.flip counts
    return _pixels(cv2.flip(pixels, mirrors[turn])) if turn in mirrors else pixels


def _pixels(array: Any) -> Pixels:
    """An array from OpenCV, whose types say less than we know."""
    return np.asarray(array)


def _upright_exif(exif: NDArray[np.uint8]) -> tuple[int, NDArray[np.uint8]]:
    """The orientation that EXIF data gives (1 where it gives none), and the data with it set to
    1."""
    data = bytearray(exif.tobytes())
    start = 6 if data[:6] == b"Exif\0\0" else 0
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[start : start + 2]))
    try:
        if order is None:
            return 1, exif
        (first,) = struct.unpack_from(order + "I", data, start + 4)
        (count,) = struct.unpack_from(order + "H", data, start + first)
        for entry in range(start + first + 2, start + first + 2 + 12 * count, 12):
            (tag,) = struct.unpack_from(order + "H", data, entry)
            if tag == _ORIENTATION_TAG:
                (turn,) = struct.unpack_from(order + "H", data, entry + 8)
                struct.pack_into(order + "H", data, entry + 8, 1)
                return (turn if 1 <= turn <= 8 else 1), np.frombuffer(bytes(data), np.uint8)
    except struct.error:
        pass  # damaged EXIF data is no reason to refuse a picture
    return 1, exif


def _bgr8(pixels: Pixels) -> NDArray[np.uint8]:
    """(H, W, 3) BGR, 8 bits, of any picture."""
    deep = pixels.dtype != np.uint8
    small = np.asarray(np.round(pixels / 257.0) if deep else pixels, np.uint8)
    if small.ndim == 2:
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR), np.uint8)
    return np.ascontiguousarray(small[..., :3])


def _planes(pixels: Pixels) -> Planes:
    """Full-range BT.601 4:2:0 planes, chroma centred between its four luma pixels (JFIF, ITU-T
    T.871 §6)."""
    picture = cv2.cvtColor(_bgr8(pixels), cv2.COLOR_BGR2YCrCb)
    height, width = picture.shape[:2]
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    half = cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
    y, cr, cb = (
        np.ascontiguousarray(p, np.uint8) for p in (picture[..., 0], half[..., 1], half[..., 2])
    )
    return y, cb, cr


def _timeless(planes: Planes) -> av.VideoFrame:
    """What `frame_of` copies time and colours from, for a picture."""
    height, width = planes[0].shape
    like = av.VideoFrame(width, height, "yuv420p")
    like.pts, like.time_base = 0, Fraction(1, 25)
    like.color_range, like.colorspace = FULL_RANGE, _BT601
    return like


def _with_difference(pixels: Pixels, before: Planes, after: Planes) -> Pixels:
    """The pixels plus what the frame path changed, turned to BGR (ITU-T T.871 §7)."""
    dy, du, dv = (
        b.astype(np.int16) - a.astype(np.int16) for a, b in zip(before, after, strict=True)
    )
    box = _changed_box(dy, du, dv)
    if box is None:
        return pixels
    rows, columns = box
    luma = dy[rows, columns].astype(np.float32)
    shape = pixels.shape[:2]
    cb, cr = (_at_luma(c, shape)[rows, columns] for c in (du, dv))
    if pixels.ndim == 2:
        change = luma
    else:
        change = np.stack(
            [luma + 1.772 * cb, luma - 0.344136 * cb - 0.714136 * cr, luma + 1.402 * cr], axis=-1
        )
    top = np.iinfo(pixels.dtype).max
    result = pixels.copy()
    area = result[rows, columns] if pixels.ndim == 2 else result[rows, columns, :3]
    area[...] = np.clip(np.round(area + change * (top / 255.0)), 0, top).astype(pixels.dtype)
    return result


def _changed_box(
    dy: NDArray[np.int16], du: NDArray[np.int16], dv: NDArray[np.int16]
) -> tuple[slice, slice] | None:
    """The luma rows and columns that a change in any plane reaches, or None."""
    height, width = dy.shape
    changed = (dy != 0).astype(np.uint8)
    chroma = ((du != 0) | (dv != 0)).astype(np.uint8)
    spread = cv2.dilate(chroma, np.ones((3, 3), np.uint8))
    changed |= np.repeat(np.repeat(spread, 2, axis=0), 2, axis=1)[:height, :width]
    x, y, w, h = cv2.boundingRect(changed)
    return (slice(y, y + h), slice(x, x + w)) if w and h else None


def _at_luma(chroma: NDArray[np.int16], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Chroma (centred) at every luma pixel, linear between samples; exactly 0 away from a
    change."""
    matrix = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]])
    size = (shape[1], shape[0])
    return np.asarray(
        cv2.warpAffine(
            chroma.astype(np.float32),
            matrix,
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )
