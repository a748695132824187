"""ROUGE-1 of a reply, against replies made from the expected plans.

Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries": the unigrams that a text and a reference share,
each counted as often as it is in both; recall is their number over the reference's words, precision over the text's,
and here F1 = 2 * shared / (words of the text + words of the reference). Several references: the best of them. Words are
runs of a-z and 0-9 in lower case, not stemmed, as the package rouge-score has it. The ceiling is 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from stream_retouch.language import replies
from stream_retouch.language.plan import InstructionPlan

_WORD = re.compile(r"[a-z0-9]+")


def rouge1(text: str, reference: str) -> float:
    """F1 of the words that the two share, 0..1."""
    told, wanted = (Counter(_WORD.findall(t.lower())) for t in (text, reference))
    words = told.total() + wanted.total()
    return 2 * (told & wanted).total() / words if words else 0.0


def best_rouge1(reply: str, plans: Iterable[InstructionPlan]) -> float:
    """`rouge1` against the plan whose words come nearest."""
    return max(rouge1(reply, in_words(plan)) for plan in plans)


def in_words(plan: InstructionPlan) -> str:
    """The reply to a plan of which no more is known than its parts."""
    if plan.action == "apply" and (plan.edits or plan.keep):
        return replies.told(plan.edits, plan.keep, ())
    return {
        "apply": replies.RESET,
        "undo": replies.UNDONE,
        "reset": replies.RESET,
        "nothing": replies.NOTHING,
        "reject": replies.CANNOT,
    }[plan.action]
