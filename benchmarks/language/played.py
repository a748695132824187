"""An item's turns played through a planner as a session plays them, with the CPU time they take."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.language.instructions import Example
from stream_retouch.engine import Conditioner, Planner
from stream_retouch.language.dialogue import advance
from stream_retouch.language.plan import Dialogue, InstructionPlan
from training.progress import progress


@dataclass(frozen=True, slots=True)
class Played:
    """What came of an item."""

    plan: InstructionPlan
    """What the session tells after the last turn: the look that is on, under that turn's action."""
    reply: str
    """The reply to the last turn."""
    plan_ms: tuple[float, ...]
    """Process CPU time of the planner, each turn, milliseconds."""
    prepare_ms: float | None
    """The same of the conditioner on the look; None when the last turn was rejected, or there is no conditioner."""


def play(turns: Sequence[str], planner: Planner, conditioner: Conditioner | None) -> Played:
    """All turns in order (`Session._understand` does the same with one); without a key frame."""
    dialogue, plan, reply = Dialogue(), InstructionPlan(), ""
    taken = []
    for text in turns:
        start = time.process_time()
        plan, reply = planner.plan(text, dialogue)
        taken.append((time.process_time() - start) * 1e3)
        dialogue = advance(dialogue, text, plan)
    prepared = None
    if conditioner is not None and plan.action != "reject":
        start = time.process_time()
        conditioner.prepare(dialogue.look, None)
        prepared = (time.process_time() - start) * 1e3
    return Played(replace(dialogue.look, action=plan.action), reply, tuple(taken), prepared)


def play_all(
    examples: Sequence[Example], planner: Planner, conditioner: Conditioner | None
) -> Iterator[Played]:
    """What came of every example, in order. The first is played once more before, uncounted."""
    play(examples[0]["turns"], planner, conditioner)
    for done, example in enumerate(examples, 1):
        yield play(example["turns"], planner, conditioner)
        progress("instructions", done, len(examples))
