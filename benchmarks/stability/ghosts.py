"""Whether the edit of one person stays on the next after a hard cut: ``ghost_frames``.

The frames around a cut go through one retoucher with smoothing; those after it also through a new one without, which
never saw the old shot. A ghost is where the first changes luma by more than VISIBLE codes and the second has not
changed it by more than UNSEEN in any frame since the cut, nor within REACH pixels: what the new shot's own edits make
of a place that flickers is none. A frame has one if that is more than LEAST of a million pixels of the picture;
counted are the frames from the cut to the last one that has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.stability.clips import AFTER, BEFORE, Cut, frames, timed
from benchmarks.stability.ways import BothWays, Parts

VISIBLE, UNSEEN = 4.0, 1.0
"""Codes by which luma changes."""
REACH = 3
"""Pixels at 720 lines by which two trackers may place the same edit apart."""
LEAST = 27
"""Pixels of a million: 25 at 720p."""

Change = NDArray[np.float32]


def ghost_frames(shown: Iterable[Change], alone: Iterable[Change]) -> int:
    """Frames from a cut to the last one with a ghost.

    Args:
        shown: (H, W) change of luma of each frame from the cut on, codes, as it was seen.
        alone: the same of the shot after the cut alone.
    """
    last, own = 0, None
    for number, (seen, new) in enumerate(zip(shown, alone, strict=True), 1):
        new = np.abs(new)
        own = new if own is None else np.maximum(own, new)
        side = 2 * max(round(REACH * seen.shape[0] / 720), 1) + 1
        around = cv2.dilate(own, np.ones((side, side), np.uint8))
        ghost = (np.abs(seen) > VISIBLE) & (around <= UNSEEN)
        if float(ghost.mean()) * 1e6 > LEAST:
            last = number
    return last


def measure(cut: Cut, parts: Parts) -> int:
    """`ghost_frames` of one cut."""
    old = [*timed(frames(*cut.old, BEFORE))]
    new = [*timed(frames(*cut.new, AFTER), len(old))]
    joined = BothWays(parts)
    shown = [luma_change(joined, frame, smoothed=True) for frame in chain(old, new)][len(old) :]
    fresh = BothWays(parts)
    return ghost_frames(shown, [luma_change(fresh, frame, smoothed=False) for frame in new])


def luma_change(way: BothWays, frame: av.VideoFrame, *, smoothed: bool) -> Change:
    """(H, W) what retouching adds to the frame's luma, codes."""
    step = way.apply(frame)
    out = step.smoothed if smoothed else step.per_frame
    return np.asarray(out.y.astype(np.float32) - step.source.y.astype(np.float32))


def summary(counts: dict[str, int]) -> dict[str, object]:
    """Worst of all cuts, their mean, and those that are over two frames."""
    values: Sequence[int] = list(counts.values())
    return {
        "ghost_frames": max(values, default=0),
        "ghost_frames_mean": round(float(np.mean(values)), 3) if values else 0.0,
        "ghost_cuts": len(values),
        "ghost_worst": {name: n for name, n in counts.items() if n > 0},
    }
