"""A plan in canonical words: the closed vocabulary that E_txt reads.

The free words of a user never reach the network; the plan they became does, in one spelling.
"""

from __future__ import annotations

from stream_retouch.language.plan import BLEMISHES, FACE, InstructionPlan
from stream_retouch.language.plan import CATEGORIES as _CATEGORIES
from stream_retouch.language.plan import REGIONS as _REGIONS

AMOUNT_WORDS = ("hardly", "little", "half", "mostly", "completely")
"""Words for amounts about 0, 0.25, 0.5, 0.75 and 1."""
VOCABULARY: tuple[str, ...] = (
    "<pad>",
    "<s>",
    "</s>",
    "remove",
    "keep",
    "nothing",
    *AMOUNT_WORDS,
    BLEMISHES,
    *(c.value for c in _CATEGORIES),
    FACE,
    *(r.value for r in _REGIONS),
)
"""Every word E_txt knows; its index is its token. Appending keeps old weights readable, reordering does not."""
_INDEX = {word: index for index, word in enumerate(VOCABULARY)}


def amount_class(amount: float) -> int:
    """The class of an amount: 0 for nothing, else the nearest quarter, at least the first."""
    return 0 if amount <= 0 else min(4, max(1, round(amount * 4)))


def canonical_words(plan: InstructionPlan) -> list[str]:
    """The plan as words: ``<s> remove completely spot left_cheek keep mole face </s>``."""
    words = ["<s>"]
    for edit in plan.edits:
        words += ["remove", AMOUNT_WORDS[amount_class(edit.amount)], edit.category, *edit.regions]
    for keep in plan.keep:
        words += ["keep", keep.category, *keep.regions]
    if not plan.edits:
        words.append("nothing")
    return [*words, "</s>"]


def tokens(plan: InstructionPlan, limit: int) -> list[int]:
    """`canonical_words` as token numbers, cut at `limit`."""
    return [_INDEX[word] for word in canonical_words(plan)][:limit]
