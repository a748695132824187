"""What is done to the painted clips: nothing, classical smoothing, ours frame by frame, ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.filters import BEST, FILTERS
from benchmarks.vfid.followed import Sight
from benchmarks.vfid.pixels import Box, box_of, changed
from stream_retouch.engine import (
    CROP_SIZE,
    REQUEST_SIZE,
    Conditioner,
    Conditioning,
    EditLayer,
    FaceFinder,
    RetouchEngine,
)
from stream_retouch.language.plan import BLEMISHES, FACE, Edit, InstructionPlan
from stream_retouch.media.affine import compose, crop_from_grid, invert, scale_of
from stream_retouch.outputs.look import LookRetoucher

PAINTED, GPUPIXEL, PER_FRAME, OURS = "painted", "gpupixel", "per_frame", "ours"
ROWS = (PAINTED, GPUPIXEL, PER_FRAME, OURS)
TITLES = {
    PAINTED: "painted, nothing done",
    GPUPIXEL: "GPUPixel-style smoothing",
    PER_FRAME: "ours without temporal smoothing",
    OURS: "ours",
}
PLAN = InstructionPlan((Edit(BLEMISHES, (FACE,), 1.0),))
"""Remove all blemishes."""
Frames = Sequence[av.VideoFrame]


class Remembering:
    """An engine that answers the same question once: both rows of ours ask the same of most frames."""

    def __init__(self, engine: RetouchEngine) -> None:
        self._engine, self.name = engine, engine.name
        self._answers: dict[bytes, list[EditLayer]] = {}

    @property
    def crop_size(self) -> int:
        """As the engine's."""
        return self._engine.crop_size

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """As the engine."""
        parts = [crops.tobytes(), requests.tobytes()]
        for c in conditionings:
            parts += [part.tobytes() for part in (c.f_txt, c.alpha, c.beta, c.gamma)]
        key = b"".join(parts)
        if key not in self._answers:
            self._answers[key] = self._engine.retouch(crops, requests, conditionings)
        return self._answers[key]

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()


def rows(
    painted: Frames,
    sights: Sequence[Sight | None],
    finder: FaceFinder,
    conditioner: Conditioner,
    engine: RetouchEngine,
) -> Iterator[tuple[str, list[av.VideoFrame]]]:
    """Name and frames of each of ROWS.

    Args:
        painted: the clip.
        sights: the face in each frame, for the classical filter only; ours finds it itself.
    """
    yield PAINTED, list(painted)
    yield GPUPIXEL, [smoothed(f, s) for f, s in zip(painted, sights, strict=True)]
    remembering = Remembering(engine)
    for name, smooth in ((PER_FRAME, False), (OURS, True)):
        retoucher = LookRetoucher(
            PLAN, finder=finder, conditioner=conditioner, engine=remembering, smooth=smooth
        )
        yield name, [retoucher.apply(frame).frame for frame in painted]


def smoothed(frame: av.VideoFrame, sight: Sight | None) -> av.VideoFrame:
    """GPUPixel-style smoothing of the skin of the region maps, at the setting that benchmarks.quality found best."""
    box = None if sight is None else box_of(sight.transform, frame)
    if sight is None or box is None:
        return frame
    skin = skin_in(sight, box)
    percent = scale_of(sight.transform) * CROP_SIZE / 100.0
    return changed(frame, box, lambda rgb: FILTERS[GPUPIXEL](rgb, skin, percent, BEST[GPUPIXEL]))


def skin_in(sight: Sight, box: Box) -> NDArray[np.float32]:
    """(h, w) 0..1 skin of any region in a box of the frame."""
    to_cell = compose(invert(crop_from_grid(REQUEST_SIZE)), invert(sight.transform))
    to_cell[:, 2] += to_cell[:, :2] @ np.array(box[:2], np.float64)
    return np.asarray(
        cv2.warpAffine(
            sight.regions.max(axis=0),
            to_cell,
            (box[2] - box[0], box[3] - box[1]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        ),
        np.float32,
    )
