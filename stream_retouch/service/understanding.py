"""An instruction on its way: as it was asked, and as it was understood."""

from __future__ import annotations

from dataclasses import dataclass

from stream_retouch.engine import Conditioning
from stream_retouch.language.plan import Dialogue, InstructionPlan
from stream_retouch.service import control


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
