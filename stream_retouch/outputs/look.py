"""One look over a whole file: the words become a plan, and every face gets its conditioning before
it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import av

from stream_retouch.engine import Conditioner, FaceFinder, Planner, RetouchEngine
from stream_retouch.errors import SettingsError
from stream_retouch.language.dialogue import advance
from stream_retouch.language.plan import Dialogue, InstructionPlan, amounts
from stream_retouch.media.faces import Face
from stream_retouch.media.retouch import FrameRetoucher, Look, Retouched


def plan_of(turns: Sequence[str], planner: Planner) -> tuple[InstructionPlan, list[str]]:
    """The look wanted after all turns, and what was understood of each.

    Raises:
        SettingsError: a turn asks for something that cannot be done; the text says what.
    """
    dialogue, replies = Dialogue(), []
    for text in turns:
        plan, reply = planner.plan(text, dialogue)
        if plan.action == "reject":
            raise SettingsError(f"--say {text!r}: {reply}")
        dialogue = advance(dialogue, text, plan)
        replies.append(reply)
    return dialogue.look, replies


class LookRetoucher:
    """Retouches the frames of one file, none hurried, dropped or given another frame's edit.

    The look is on from the first frame (no fade-in), and a face's conditioning is made from its
    first crop before that frame is retouched, so that it never changes while the face is in view.
    One thread.
    """

    def __init__(
        self,
        plan: InstructionPlan,
        *,
        finder: FaceFinder,
        conditioner: Conditioner,
        engine: RetouchEngine,
        strength: float = 1.0,
        smooth: bool = True,
    ) -> None:
        """`smooth` as for `FrameRetoucher`."""
        self._conditioner, self._engine = conditioner, engine
        self._retoucher = FrameRetoucher(
            finder, crop_size=engine.crop_size, fade_s=0.0, smooth=smooth
        )
        self._look = Look(
            version=1,
            plan=plan,
            table=amounts(plan),
            default=conditioner.prepare(plan, None),
            by_face={},
            strength=strength,
        )

    def apply(self, frame: av.VideoFrame) -> Retouched:
        """The frame retouched; frames come in the order of their pts."""
        job = self._retoucher.prepare(frame, self._look)
        known = self._look.by_face
        by_face = {
            face.id: known.get(face.id) or self._conditioner.prepare(self._look.plan, crop)
            for face, crop in zip(job.subjects, job.crops, strict=True)
        }
        if by_face.keys() - known.keys():
            self._look = replace(self._look, by_face=by_face)
            job = replace(job, look=self._look, conditionings=list(by_face.values()))
        layers = []
        if job.subjects:
            layers = self._engine.retouch(job.crops, job.requests, job.conditionings)
        done = self._retoucher.finish(job, [(job, layers)])
        self._retoucher.look_around()
        return done

    def faces(self) -> list[Face]:
        """The faces in the latest frame."""
        return self._retoucher.faces()
