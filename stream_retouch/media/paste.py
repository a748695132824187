"""Pasting: edits, which live in crop coordinates, applied to the planes of a new frame.

Only the box of the frame where the mask is above 0 is touched, in float32, and rounded once. An
edit with neutral codes or an empty mask gives back every byte as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, LAYER_SIZE
from stream_retouch.media.affine import (
    Affine,
    axis_aligned,
    bounds,
    compose,
    crop_from_grid,
    invert,
    luma_from_chroma,
    scale_of,
)
from stream_retouch.media.colour import Coding, coding
from stream_retouch.media.edits import CB, CR, FLATTEN, OFFSET, Edit, halved
from stream_retouch.media.frames import SHRINK_FROM, Picture, frame_with, planes_of
from stream_retouch.media.texture import FINE_PX

LEAST_MASK = 1 / 255
"""One code of the engine's 8-bit mask: what lies farther out than it reaches is left out, and where
it fades below it an edit is less than a code."""

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]

STRIP_ROWS = 128
"""Rows worked on at a time, so that parts without a mask are left out and the floats stay in the
cache: 32 rows are slower by 0.8 ms a face of 470 px, 2000 are not faster."""
COARSE_FROM = 2.5
"""Luma pixels per layer pixel from which a layer is sampled at every second pixel, and what lies
between is put there after: a quarter of the work. Against sampling everywhere one pixel in 1,500
of a real edit differs by more than a code, at 3.7 one in 8,000; at the hard edge of a mask of few
layer pixels by up to 4 codes."""

SPARED = 1.5
"""Fine luma so many times as strong as the texture around is half kept when it is flattened, what
is stronger hardly, what is weaker nearly whole."""
LEAST_SPARED = 0.01
"""Frame codes below which s of `_apply` does not go: of whole codes nothing is spared then."""
CHROMA_SPREAD = 0.5
"""Standard deviation, layer pixels, of the Gaussian mean that chroma is flattened towards: about
what Cb and Cr of a layer cannot tell apart. A small mole would leave a pink dot without."""

_SAMPLING = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """A box of luma pixels, x0 <= x < x1, y0 <= y < y1.

    All four are even, except that x1 and y1 may be the odd end of the frame.
    """

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def luma(self) -> tuple[slice, slice]:
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def chroma(self) -> tuple[slice, slice]:
        return (
            slice(self.y0 // 2, (self.y1 + 1) // 2),
            slice(self.x0 // 2, (self.x1 + 1) // 2),
        )


def copy_of(frame: av.VideoFrame, picture: Picture) -> av.VideoFrame:
    """A new frame that looks like `frame`, for `paste` to write into; `picture` as there."""
    return frame_with(picture.y, picture.u, picture.v, frame, matrix=picture.matrix)


def paste(
    frame: av.VideoFrame,
    picture: Picture,
    edits: Sequence[tuple[Affine, Edit]],
    copy: av.VideoFrame | None = None,
) -> av.VideoFrame:
    """A new frame: `frame` with each edit applied where its face is.

    Args:
        frame: the decoded frame, only read; gives pts, time base and colour attributes.
        picture: its planes, from `picture_of`.
        edits: transform (crop to luma pixels) and edit of each face; later ones go on top.
        copy: from `copy_of` the same; it is changed and given back. None: one is made here.
    """
    new = copy_of(frame, picture) if copy is None else copy
    y, u, v = planes_of(new)
    canvas = Picture(y, u, v, picture.full_range, picture.matrix, picture.siting)
    for transform, edit in edits:
        _apply(canvas, transform, edit)
    return new


def _apply(canvas: Picture, transform: Affine, edit: Edit) -> None:
    """Changes the planes of `canvas`, a frame that is ours to write, as `edit` says.

    ``Y' = Y + M*((g-1)*(Y-mu-t) + o)`` and ``C' = C + M*((g-1)*(C-<C>) + c)`` in full-range BT.601,
    expressed in the frame's own range and matrix (see media.colour), with M(1-g), M o and M c sampled
    bilinearly. <C> is the mean around, and t the skin's own texture, ``y * s^4 / (y^4 + s^4)`` with y
    what Y differs by from the mean around and s SPARED times the strength of the texture. Rounded to
    nearest, kept within 0..255.
    """
    to_frame = compose(transform, crop_from_grid(edit.mask.shape[0]))
    if edit.mask.shape[0] > LAYER_SIZE and scale_of(to_frame) * SHRINK_FROM < 1.0:
        # Bilinear samples would skip layer pixels, and the edit would shimmer as the face moves.
        edit = halved(edit)
        to_frame = compose(transform, crop_from_grid(edit.mask.shape[0]))
    box = _box(edit.mask, to_frame, canvas)
    if box is None:
        return
    to_layer = invert(to_frame)
    code = coding(canvas.matrix, canvas.full_range)
    luma = _LumaEdit.of(edit, code, to_layer, box, canvas.y)
    # All luma before any chroma: in BT.709 the luma that is flattened depends on chroma.
    for strip in luma.strips():
        _change_luma(canvas, code, strip, luma)
    if edit.shares[CB:].any() or edit.shares[FLATTEN].any():
        _change_chroma(canvas, box, _chroma_layers(code, edit), to_layer, luma)


def _box(mask: Floats, to_frame: Affine, canvas: Picture) -> _Box | None:
    """Where the mask may reach LEAST_MASK in the frame."""
    x, y, columns, rows = cv2.boundingRect((mask >= LEAST_MASK).view(np.uint8))
    if not columns:
        return None
    # One layer pixel more each way: that far bilinear sampling carries a value.
    left, top, right, bottom = bounds(to_frame, x - 1, y - 1, x + columns, y + rows)
    x0, x1 = _even(left, right, canvas.width)
    y0, y1 = _even(top, bottom, canvas.height)
    return _Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _even(low: float, high: float, end: int) -> tuple[int, int]:
    """low..high widened to whole chroma pixels, within 0..end."""
    start = 2 * int(np.floor(low / 2))
    stop = 2 * int(np.ceil((np.floor(high) + 1) / 2))
    return max(start, 0), min(stop, end)


@dataclass(frozen=True, slots=True, eq=False)
class _LumaEdit:
    """The luma part of an edit over a box of the frame, in its codes:
    ``Y' = Y + flatten * (t - Y) + change``, with t as in `_apply`, of 1 / `harshness` for s.

    Its planes lie on a grid of `step` pixels over the box, a coarse one with one more of them
    around it: what lies between is told by both neighbours.
    """

    box: _Box
    step: int
    """1 or 2."""
    mask: Floats
    """(h, w) M, 0 where it is below LEAST_MASK: says which strips there are."""
    flatten: Floats
    """(h, w) M * (1-g)."""
    change: Floats
    """(h, w) M * (o + (1-g) * mu)."""
    harshness: Floats
    """(h, w) 1 / (SPARED * texture)."""
    mean: Codes | None
    """(H, W) mean luma around each pixel of the box; None where nothing is to be spared."""

    @classmethod
    def of(cls, edit: Edit, code: Coding, to_layer: Affine, box: _Box, luma: Codes) -> _LumaEdit:
        offset = edit.shares[OFFSET]
        # What the edit's cb and cr are worth in the luma of the frame's matrix.
        for weight, channel in zip(code.luma_of_chroma, (CB, CR), strict=True):
            if weight:
                offset = offset + edit.shares[channel] * np.float32(weight)
        scale = np.float32(code.luma_scale)
        step = 2 if scale_of(to_layer) * COARSE_FROM <= 1.0 else 1
        rows, columns = box.y1 - box.y0, box.x1 - box.x0
        shape, first = (rows, columns), 0.0
        if step == 2:
            shape, first = ((rows + 1) // 2 + 2, (columns + 1) // 2 + 2), -1.5
        to_luma = axis_aligned(step, box.x0 + first, step, box.y0 + first)
        texture = cv2.resize(edit.texture, edit.mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        flatten = edit.shares[FLATTEN]
        level = offset * scale
        level += flatten * np.float32(edit.skin_luma * code.luma_scale + code.luma_zero)
        layers = _merged(edit.mask, flatten, level, _floats(texture))
        mask, flatten, change, spared = _split(_sampled(layers, compose(to_layer, to_luma), shape))
        cv2.threshold(mask, LEAST_MASK * (1 - 1e-6), 0.0, cv2.THRESH_TOZERO, dst=mask)
        harshness = np.reciprocal(np.maximum(spared * (SPARED * scale), np.float32(LEAST_SPARED)))
        mean = None
        if edit.texture.any() and flatten.any():
            crop_px = edit.mask.shape[0] / CROP_SIZE / scale_of(to_layer)
            side = 2 * round(FINE_PX * crop_px / 2) + 1
            mean = _mean_around(luma, box, side)
        return cls(box, step, mask, flatten, change, harshness, mean)

    def strips(self) -> list[_Box]:
        """Parts of the box, top to bottom, no pixel twice, that hold all places with a mask."""
        box, margin, strips = self.box, self.step - 1, []
        for y0 in range(box.y0, box.y1, STRIP_ROWS):
            y1 = min(y0 + STRIP_ROWS, box.y1)
            first, last = (y0 - box.y0) // self.step, -(-(y1 - box.y0) // self.step) + 2 * margin
            x, _, columns, _ = cv2.boundingRect((self.mask[first:last] > 0.0).view(np.uint8))
            if columns:
                # a coarse grid carries a value to the pixels beside it
                x0 = box.x0 + max((x - 2 * margin) * self.step // 2 * 2, 0)
                x1 = box.x0 + -(-(x + columns) * self.step // 2) * 2
                strips.append(_Box(x0, y0, min(x1, box.x1), y1))
        return strips

    def within(self, strip: _Box, plane: Floats) -> Floats:
        """One of the planes at each luma pixel of a strip."""
        rows, columns = strip.y1 - strip.y0, strip.x1 - strip.x0
        y, x = (strip.y0 - self.box.y0) // self.step, (strip.x0 - self.box.x0) // self.step
        if self.step == 1:
            return plane[y : y + rows, x : x + columns]
        near = plane[y : y + (rows + 1) // 2 + 2, x : x + (columns + 1) // 2 + 2]
        twice = (2 * near.shape[1], 2 * near.shape[0])
        wide = cv2.resize(near, twice, interpolation=cv2.INTER_LINEAR)
        return _floats(wide[2 : 2 + rows, 2 : 2 + columns])

    def mean_of(self, strip: _Box) -> Codes:
        """`mean` at each luma pixel of a strip."""
        assert self.mean is not None
        rows = slice(strip.y0 - self.box.y0, strip.y1 - self.box.y0)
        return self.mean[rows, strip.x0 - self.box.x0 : strip.x1 - self.box.x0]

    def at_chroma(self, plane: Floats) -> Floats:
        """One of the planes at the box's chroma pixels: the mean of those of their four luma pixels,
        or, on a coarse grid, the sample in the middle of these."""
        return plane[1:-1, 1:-1] if self.step == 2 else _halved(plane)


def _change_luma(canvas: Picture, code: Coding, strip: _Box, edit: _LumaEdit) -> None:
    """Applies the luma part in a strip of its box."""
    luma = canvas.y[strip.luma]
    flatten, change = edit.within(strip, edit.flatten), edit.within(strip, edit.change)
    if float(flatten.max()) > 0.0:
        level = luma.astype(np.float32)
        kept = None
        if edit.mean is not None:
            kept = _texture(level, edit.mean_of(strip), edit.within(strip, edit.harshness))
        if code.luma601_of_chroma.any():
            level += _luma_in_chroma(canvas, code, strip)
        if kept is not None:
            level -= kept
        level *= flatten
        change = np.subtract(change, level, out=level)
    cv2.add(luma, change, dst=luma, dtype=cv2.CV_8U)


def _texture(luma: Floats, mean: Codes, harshness: Floats) -> Floats:
    """t of `_apply`, frame codes."""
    fine = luma - mean
    share = fine * harshness
    np.square(share, out=share)
    np.square(share, out=share)
    share += 1
    fine /= share
    return fine


def _mean_around(luma: Codes, box: _Box, side: int) -> Codes:
    """The mean of `side` x `side` pixels around each of a box."""
    y, x = max(box.y0 - side, 0), max(box.x0 - side, 0)
    mean = cv2.blur(luma[y : box.y1 + side, x : box.x1 + side], (side, side))
    return np.asarray(mean[box.y0 - y :, box.x0 - x :][: box.y1 - box.y0, : box.x1 - box.x0])


def _chroma_layers(code: Coding, edit: Edit) -> Floats:
    """(L, L, 2) Cb and Cr to add, in frame codes."""
    turn = (code.chroma_of_chroma * code.chroma_scale).astype(np.float32)
    cb, cr = edit.shares[CB], edit.shares[CR]
    return _merged(turn[0, 0] * cb + turn[0, 1] * cr, turn[1, 0] * cb + turn[1, 1] * cr)


def _luma_in_chroma(canvas: Picture, code: Coding, box: _Box) -> Floats:
    """BT.601 luma that the frame's chroma adds to its own luma, frame codes, over the box."""
    rows, columns = box.chroma
    # One pixel around, as far as there is one, for the bilinear samples at the edge.
    y, x = max(rows.start - 1, 0), max(columns.start - 1, 0)
    around = (slice(y, rows.stop + 1), slice(x, columns.stop + 1))
    weight = (code.luma601_of_chroma * (code.luma_scale / code.chroma_scale)).astype(np.float32)
    extra = (canvas.u[around].astype(np.float32) - 128) * weight[0]
    extra += (canvas.v[around].astype(np.float32) - 128) * weight[1]
    to_chroma = compose(
        invert(luma_from_chroma(canvas.siting)), axis_aligned(1.0, box.x0, 1.0, box.y0)
    )
    to_chroma[:, 2] -= (x, y)
    return _sampled(extra, to_chroma, canvas.y[box.luma].shape, cv2.BORDER_REPLICATE)


def _change_chroma(
    canvas: Picture, box: _Box, layers: Floats, to_layer: Affine, luma: _LumaEdit
) -> None:
    """Applies the chroma part in `box`, that of `luma`."""
    u, v = canvas.u[box.chroma], canvas.v[box.chroma]
    shift = axis_aligned(1.0, box.x0 // 2, 1.0, box.y0 // 2)
    to_layers = compose(to_layer, compose(luma_from_chroma(canvas.siting), shift))
    if scale_of(to_layers) > 1.0:
        # a sample would skip layer pixels: the mean of four stands for them
        quarters = compose(to_layers, axis_aligned(0.5, -0.25, 0.5, -0.25))
        fine = _sampled(layers, quarters, (2 * u.shape[0], 2 * u.shape[1]))
        sampled = _floats(cv2.resize(fine, u.shape[::-1], interpolation=cv2.INTER_AREA))
    else:
        sampled = _sampled(layers, to_layers, u.shape)
    changes = _split(sampled)
    flatten = luma.at_chroma(luma.flatten)
    spread = CHROMA_SPREAD / scale_of(to_layer) / 2
    flattens = bool(flatten.any())
    for plane, change in zip((u, v), changes, strict=True):
        if flattens:
            own = plane.astype(np.float32)
            own -= cv2.GaussianBlur(own, (0, 0), spread, borderType=cv2.BORDER_REPLICATE)
            change -= flatten * own
        cv2.add(plane, change, dst=plane, dtype=cv2.CV_8U)


def _halved(mask: Floats) -> Floats:
    """The 2x2 mean; an odd last row or column stands for two."""
    height, width = mask.shape
    if height % 2 or width % 2:
        mask = np.pad(mask, ((0, height % 2), (0, width % 2)), mode="edge")
    shape = ((width + 1) // 2, (height + 1) // 2)
    return _floats(cv2.resize(mask, shape, interpolation=cv2.INTER_AREA))


def _merged(*planes: Floats) -> Floats:
    return _floats(cv2.merge(planes))


def _split(planes: Floats) -> list[Floats]:
    # into numpy's own memory: OpenCV's allocation takes several times as long as the splitting
    parts = [np.empty(planes.shape[:2], np.float32) for _ in range(planes.shape[2])]
    cv2.split(planes, parts)
    return parts


def _sampled(
    layers: Floats, to_layers: Affine, shape: tuple[int, ...], border: int = cv2.BORDER_CONSTANT
) -> Floats:
    """`layers`, of one or several channels, at the places of a box of `shape`, bilinear; beyond
    its edge 0."""
    size = (shape[1], shape[0])
    return _floats(cv2.warpAffine(layers, to_layers, size, flags=_SAMPLING, borderMode=border))


def _floats(plane: cv2.typing.MatLike) -> Floats:
    return plane.astype(np.float32, copy=False)
