"""One single shot through every filter: warping error, edit energy, flicker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.classical import gpupixel
from benchmarks.stability.clips import Clip, frames
from benchmarks.stability.flicker import Flicker
from benchmarks.stability.pixels import Box, Rgb, box_around, face_area, rgb_of
from benchmarks.stability.warping import FlowFinder, Row, add_pair
from benchmarks.stability.ways import BothWays, Parts, Step
from stream_retouch.media.fading import REUSE_S

INPUT, GPUPIXEL = "input", "GPUPixel-style"
PER_FRAME, SMOOTHED = "ours per frame", "ours smoothed"
ROWS = (INPUT, GPUPIXEL, PER_FRAME, SMOOTHED)
GPUPIXEL_RADIUS = 16 / 720
"""GPUPixel's mean reaches 16 pixels; here at 720 lines. Full strength, no sharpening."""


@dataclass(slots=True)
class Shot:
    """What was measured on one clip."""

    rows: dict[str, Row] = field(default_factory=lambda: {name: Row() for name in ROWS})
    flicker: Flicker = field(default_factory=Flicker)
    trusted: list[float] = field(default_factory=list)
    """Share of the faces' area whose flow could be trusted, by pair of frames."""
    count: int = 0
    """Frames seen."""

    def figures(self) -> dict[str, Any]:
        """The clip's figures; a ratio is None where its divisor is 0."""
        pairs = len(self.rows[INPUT].warp)
        found: dict[str, Any] = {"frames": self.count, "pairs": pairs}
        if not pairs:
            return found
        own = float(np.mean(self.rows[INPUT].warp))
        found |= {"trusted_share": float(np.mean(self.trusted)), "warp_input": own}
        found["warp_ratio"] = {
            name: ratio(float(np.mean(row.warp)), own) for name, row in self.rows.items()
        }
        found["edit_energy"] = {name: float(np.mean(r.energy)) for name, r in self.rows.items()}
        if self.flicker.per_frame:
            raw, smooth = (
                float(np.mean(v)) for v in (self.flicker.per_frame, self.flicker.smoothed)
            )
            found |= {"flicker_per_frame": raw, "flicker": smooth}
            found["flicker_ratio"] = ratio(smooth, raw)
        return found


def measure(clip: Clip, parts: Parts, count: int) -> Shot:
    """The first `count` frames of a clip."""
    shot, ways, flow = Shot(), BothWays(parts), FlowFinder()
    last: Step | None = None
    for frame in frames(clip.path, 0, count):
        step = ways.apply(frame)
        shot.count += 1
        shot.flicker.add(step)
        if last is not None and step.job.pts_s - last.job.pts_s < REUSE_S:
            _add(shot, last, step, flow)
        last = step
    return shot


def _add(shot: Shot, last: Step, step: Step, flow: FlowFinder) -> None:
    """Two consecutive frames, where both show the same faces."""
    both = {face.id for face in step.job.faces}
    shown = [face for face in last.job.faces if face.id in both]
    after = [face for face in step.job.faces if face.id in {face.id for face in shown}]
    box = box_around([*shown, *after], step.source)
    if box is None:
        return
    forward, trusted = flow(last.source.y[box.luma], step.source.y[box.luma])
    faces = face_area(shown, box)
    area = faces & trusted
    if area.any():
        shot.trusted.append(float(area.sum() / faces.sum()))
        add_pair(shot.rows, _pictures(last, box), _pictures(step, box), forward, area)


def _pictures(step: Step, box: Box) -> dict[str, Rgb]:
    """The box as every filter has it, RGB code values."""
    source = rgb_of(step.source, box)
    everywhere = np.ones(source.shape[:2], np.float32)
    return {
        INPUT: source,
        GPUPIXEL: gpupixel(source, everywhere, GPUPIXEL_RADIUS * step.source.height),
        PER_FRAME: rgb_of(step.per_frame, box),
        SMOOTHED: rgb_of(step.smoothed, box),
    }


def overall(shots: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All clips together, each counting alike: ratios of the means, as Lai et al.; and the worst clip.

    Args:
        shots: `Shot.figures` by clip.
    """
    seen = {name: f for name, f in shots.items() if f["pairs"]}
    if not seen:
        return {}
    errors, energies = dict[str, float](), dict[str, float]()
    for row in ROWS:
        errors[row] = _mean([f["warp_ratio"][row] * f["warp_input"] for f in seen.values()])
        energies[row] = _mean([f["edit_energy"][row] for f in seen.values()])
    worst = max(seen, key=lambda name: seen[name]["warp_ratio"][SMOOTHED])
    flickers = [f for f in seen.values() if "flicker" in f]
    raw, smooth = (_mean([f[k] for f in flickers]) for k in ("flicker_per_frame", "flicker"))
    return {
        "warp_ratio": ratio(errors[SMOOTHED], errors[INPUT]),
        "warp_ratio_worst": {worst: seen[worst]["warp_ratio"][SMOOTHED]},
        "edit_energy": energies[SMOOTHED],
        "edit_energy_per_frame": energies[PER_FRAME],
        "edit_energy_ratio": ratio(energies[SMOOTHED], energies[PER_FRAME]),
        "flicker_ratio": ratio(smooth, raw),
        "trusted_share": _mean([f["trusted_share"] for f in seen.values()]),
        "rows": {
            row: {
                "warp_ratio": ratio(errors[row], errors[INPUT]),
                "edit_energy": energies[row],
                "flicker": {PER_FRAME: raw, SMOOTHED: smooth}.get(row),
            }
            for row in ROWS
        },
    }


def ratio(value: float, divisor: float) -> float | None:
    """None where nothing is to be compared with."""
    return value / divisor if divisor > 0 else None


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0
