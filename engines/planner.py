"""EmbeddedPlanner: the planner that ships. A small network reads the turn, rules apply what it says to the look.

The network (`engines.language`) writes a program, and `stream_retouch.language.grammar` makes a plan of it as it does
of its own readings. Where the network is unsure, the word tables of the grammar, which know few words but know them
well, may speak instead: the sooner, the fewer words of the turn they do not know.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stream_retouch.language.grammar import GrammarPlanner, answered, needs_a_model
from stream_retouch.language.looks import latest_change
from stream_retouch.language.plan import Dialogue, InstructionPlan
from stream_retouch.language.program import Op, reading
from stream_retouch.language.reading import goes_on, unknown

if TYPE_CHECKING:
    from engines.language.network import PlannerNet
    from engines.language.text import TurnPieces

Answer = tuple[InstructionPlan, str]

SURE = (0.5, 0.3, 0.2, 0.0)
"""Probability of the program from which the network speaks alone, by how many words of the turn the word tables do not
know: none, one, two, more. Chosen on the development set."""
SHIPPED = Path(__file__).parent / "weights"
"""Folder of the weights that ship."""


class EmbeddedPlanner:
    """Implements `stream_retouch.engine.Planner`. May be called from several threads; they take turns."""

    def __init__(self, model: PlannerNet, pieces: TurnPieces) -> None:
        self._model, self._pieces = model.eval(), pieces
        self._grammar = GrammarPlanner()
        self._turn = threading.Lock()

    @classmethod
    def load(cls, folder: Path | None = None) -> EmbeddedPlanner:
        """The planner with the files of a folder, None for those that ship.

        Raises:
            WeightsError: a file is missing, broken or of another network.
        """
        from engines.language.saved import load

        planner = cls(*load(folder or SHIPPED))
        # torch sets up its kernels on the first run; let no user wait for that
        planner.plan("remove the spots", Dialogue())
        return planner

    def plan(self, text: str, dialogue: Dialogue) -> Answer:
        """The whole look wanted after this turn, and one sentence that says what was understood."""
        from engines.language.decoding import decoded

        known, reply = self._grammar.plan(text, dialogue)
        if not needs_a_model(text):
            return known, reply
        later = bool(dialogue.turns)
        words = self._pieces.numbers(text, later, self._model.config.most_words)
        with self._turn:
            found = decoded(self._model, words, later)
        sure = SURE[min(unknown(text), len(SURE) - 1)]
        if found.confidence < sure and known.action != "reject":
            return known, reply
        return answered(reading(as_before(found.ops, text, dialogue)), dialogue)


def as_before(ops: Sequence[Op], text: str, dialogue: Dialogue) -> Sequence[Op]:
    """The program of a turn that goes on with names alone: after one that only kept they are kept too.

    The network is not told what the turn before said.
    """
    edits, keeps = latest_change(dialogue)
    if edits or not keeps or not goes_on(text):
        return ops
    return [replace(op, act="keep") if op.act == "edit" else op for op in ops]
