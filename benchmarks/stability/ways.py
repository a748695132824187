"""The frame path that serves, with and without temporal smoothing, fed by one look at every frame.

Tracking, crops and the engine's answers do not depend on smoothing: they are made once and finished twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import av

from stream_retouch.engine import Conditioner, EditLayer, FaceFinder, RetouchEngine
from stream_retouch.language.plan import BLEMISHES, FACE, Edit, InstructionPlan, amounts
from stream_retouch.media.frames import Picture, picture_of
from stream_retouch.media.retouch import FrameRetoucher, Job, Look

PLAN = InstructionPlan((Edit(BLEMISHES, (FACE,), 1.0),))
"""Remove all blemishes."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What the service is started with."""

    finder: Callable[[], FaceFinder]
    conditioner: Conditioner
    engine: RetouchEngine


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One frame, before and after."""

    job: Job
    layers: list[EditLayer]
    """Of ``job.subjects``."""
    source: Picture
    smoothed: Picture
    per_frame: Picture
    """Retouched without looking at earlier frames."""


class BothWays:
    """Retouches the frames of one clip as ``outputs.look.LookRetoucher`` does, and once more without smoothing."""

    def __init__(self, parts: Parts, plan: InstructionPlan = PLAN) -> None:
        self._parts, finder = parts, parts.finder()
        size = parts.engine.crop_size
        self._smoothed = FrameRetoucher(finder, crop_size=size, fade_s=0.0)
        self._per_frame = FrameRetoucher(finder, crop_size=size, fade_s=0.0, smooth=False)
        default = parts.conditioner.prepare(plan, None)
        self._look = Look(1, plan, amounts(plan), default, {})

    def apply(self, frame: av.VideoFrame) -> Step:
        """The next frame; they come in the order of their pts."""
        job = self._conditioned(self._smoothed.prepare(frame, self._look))
        layers = []
        if job.subjects:
            layers = self._parts.engine.retouch(job.crops, job.requests, job.conditionings)
        # The second retoucher has no tracker of its own to ask: the job holds all it needs.
        done = [way.finish(job, [(job, layers)]) for way in (self._smoothed, self._per_frame)]
        self._smoothed.look_around()
        return Step(job, layers, picture_of(frame), *(picture_of(one.frame) for one in done))

    def _conditioned(self, job: Job) -> Job:
        """Every face gets a conditioning from its first crop, before that is retouched."""
        known, prepare = self._look.by_face, self._parts.conditioner.prepare
        by_face = {
            face.id: known.get(face.id) or prepare(self._look.plan, crop)
            for face, crop in zip(job.subjects, job.crops, strict=True)
        }
        if not by_face.keys() - known.keys():
            return job
        self._look = replace(self._look, by_face=by_face)
        return replace(job, look=self._look, conditionings=list(by_face.values()))
