"""An instruction on its way: as it was asked, and as it was understood."""

from __future__ import annotations

from dataclasses import dataclass

from stream_retouch.engine import Conditioning
from stream_retouch.language.by_hand import set_by_hand
from stream_retouch.language.dialogue import advance
from stream_retouch.language.plan import Dialogue, InstructionPlan
from stream_retouch.service import control
from stream_retouch.service.parts import Parts
from stream_retouch.service.worker import Retoucher


@dataclass(frozen=True, slots=True)
class Asked:
    """An instruction and when it arrived (time.monotonic, seconds)."""

    message: control.Instruct | control.SetPlan
    at: float


@dataclass(frozen=True, slots=True)
class Understood:
    """What the instruction thread made of one instruction."""

    plan: InstructionPlan
    reply: str
    dialogue: Dialogue
    conditioning: Conditioning | None
    """None when the plan is a reject: nothing was prepared."""
    face_id: int | None
    """The face whose crop was the key frame, when it was the only one in view."""


def understand(
    message: control.Instruct | control.SetPlan,
    dialogue: Dialogue,
    parts: Parts,
    retoucher: Retoucher,
) -> Understood:
    """Both passes of DESIGN §4; the first is not needed for a plan set by hand. Instruction thread;
    touches nothing of the session but the retoucher's crops."""
    if isinstance(message, control.SetPlan):
        plan = message.plan
        after, reply = set_by_hand(dialogue, plan)
    else:
        plan, reply = parts.planner.plan(message.text, dialogue)
        after = advance(dialogue, message.text, plan)
    if plan.action == "reject":
        return Understood(plan, reply, after, None, None)
    assert parts.conditioner is not None  # no session is opened without it
    faces = retoucher.faces()
    face_id = faces[0].id if len(faces) == 1 else None
    crop = retoucher.key_crop(face_id)
    conditioning = parts.conditioner.prepare(after.look, crop)
    return Understood(plan, reply, after, conditioning, None if crop is None else face_id)
