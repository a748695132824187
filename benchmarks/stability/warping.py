"""Warping error and edit energy of retouched frames, on the faces' ovals.

E_warp as Lai et al. 2018 (Learning Blind Video Temporal Consistency, evaluation): the flow from frame t to t+1 of the
*input* takes the output's frame t+1 back; mean squared difference to the output's frame t where nothing is occluded,
RGB 0..1, mean over t, then over clips. Flow is OpenCV's DIS (Kroeger et al. 2016); a place is occluded where the flows
there and back disagree, or at a motion boundary (Ruder et al. 2016, as in Lai's code).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.stability.pixels import Mask, Rgb

Flow = NDArray[np.float32]


class FlowFinder:
    """Dense flow between two luma planes. One thread."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, now: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[Flow, Mask]:
        """Flow (h, w, 2) from `now` to `after`, and where it can be trusted (h, w)."""
        now, after = np.ascontiguousarray(now), np.ascontiguousarray(after)
        start = np.zeros((*now.shape, 2), np.float32)  # it is written into
        forward = np.asarray(self._dis.calc(now, after, start.copy()), np.float32)
        backward = np.asarray(self._dis.calc(after, now, start), np.float32)
        return forward, trusted(forward, backward)


def warped(picture: NDArray[np.float32], flow: Flow) -> NDArray[np.float32]:
    """`picture` (h, w) or (h, w, C) read at each place moved by the flow."""
    rows, columns = flow.shape[:2]
    x = np.arange(columns, dtype=np.float32)[None] + flow[..., 0]
    y = np.arange(rows, dtype=np.float32)[:, None] + flow[..., 1]
    taken = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(taken, np.float32)


def trusted(forward: Flow, backward: Flow) -> Mask:
    """(h, w) where nothing is occluded: Ruder et al. 2016, equations 5 and 7; and what stays inside."""
    rows, columns = forward.shape[:2]
    back = warped(backward, forward)
    squares = (forward**2).sum(-1) + (back**2).sum(-1)
    agrees = ((forward + back) ** 2).sum(-1) <= 0.01 * squares + 0.5
    steps = sum(np.gradient(forward[..., i], axis=a) ** 2 for i in (0, 1) for a in (0, 1))
    smooth = steps <= 0.01 * (forward**2).sum(-1) + 0.002
    x = np.arange(columns)[None] + forward[..., 0]
    y = np.arange(rows)[:, None] + forward[..., 1]
    # half a pixel: a place at the very edge that stands still trembles out and back
    inside = (x >= -0.5) & (x <= columns - 0.5) & (y >= -0.5) & (y <= rows - 0.5)
    return np.asarray(agrees & smooth & inside, np.bool_)


def warp_error(now: Rgb, after: Rgb, flow: Flow, where: Mask) -> float:
    """e_t of two frames of code values 0..255, on (h, w) `where`."""
    difference = (warped(after, flow) - now)[where] / np.float32(255.0)
    return float((difference.astype(np.float64) ** 2).mean())


@dataclass(slots=True)
class Row:
    """One filter on one clip."""

    warp: list[float] = field(default_factory=list)
    """e_t of every pair of frames."""
    energy: list[float] = field(default_factory=list)
    """Mean squared change of every frame, squared code values."""


def add_pair(
    rows: Mapping[str, Row],
    now: Mapping[str, Rgb],
    after: Mapping[str, Rgb],
    flow: Flow,
    area: Mask,
) -> None:
    """Adds two consecutive frames, each as every filter made it; ``input`` is what they made it of.

    Args:
        area: (h, w) where faces are and the flow can be trusted; not empty.
    """
    source = now["input"]
    for name, row in rows.items():
        row.warp.append(warp_error(now[name], after[name], flow, area))
        row.energy.append(float(((now[name] - source)[area].astype(np.float64) ** 2).mean()))
