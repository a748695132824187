"""Programs as tokens, and which token may follow which: a finite-state machine, so that every decoding is a program."""

from __future__ import annotations

from collections.abc import Sequence

from stream_retouch.language.plan import FACE
from stream_retouch.language.program import (
    ACTS,
    BEYOND,
    COMMANDS,
    KINDS,
    LAST,
    OTHER,
    OUT,
    PLACES,
    SCALES,
    SOFT,
    Op,
)

PAD, START, END = "<pad>", "<plan>", "<end>"
STEP = 0.05
"""Amounts are told apart to this."""
_AMOUNTS = tuple(f"={i * STEP:.2f}" for i in range(round(1 / STEP) + 1))
_KIND, _PLACE, _PART = "kind:", "at:", "out:"
VOCABULARY: tuple[str, ...] = (
    PAD,
    START,
    END,
    *ACTS,
    *COMMANDS,
    OUT,
    *(_KIND + k for k in KINDS),
    *(_PLACE + p for p in PLACES),
    *_AMOUNTS,
    SOFT,
    *SCALES,
    *(_PART + b for b in BEYOND),
)
"""Every token of a program; its index is its number. Appending keeps old weights readable, reordering does not."""
INDEX = {token: i for i, token in enumerate(VOCABULARY)}
_ALONE = (FACE, LAST, "left", "right", "other")
"""Places that take no other place beside them."""
_NEXT = (*ACTS, OUT, END)
_BACKWARD = ("drop", "fix", _KIND + LAST, _PLACE + LAST, _PLACE + OTHER)
"""What refers to an earlier turn, or to an earlier op of this one."""
_CHANGES = ("more", "less", "set")
_AMOUNT_OF = ("edit", "only", "fix")


def tokens(ops: Sequence[Op]) -> list[int]:
    """The program's tokens, START first and END last."""
    words = [START]
    for op in ops:
        words.append(op.act)
        if op.act == OUT:
            words.append(_PART + op.beyond)
        elif op.act in ACTS:
            words.append(_KIND + op.kind)
            words += [_PLACE + p for p in PLACES if p in op.places]
            if op.amount is not None:
                words.append(_AMOUNTS[round(op.amount / STEP)])
            elif op.soft:
                words.append(SOFT)
            words += [op.scale] if op.scale else []
    return [INDEX[w] for w in (*words, END)]


def program(numbers: Sequence[int]) -> tuple[Op, ...]:
    """The program that tokens tell, up to END; an op that breaks off is left out."""
    ops: list[Op] = []
    words = [VOCABULARY[n] for n in numbers]
    if END in words:
        words = words[: words.index(END)]
    starts = [i for i, w in enumerate(words) if w in (*ACTS, *COMMANDS, OUT)]
    for i, j in zip(starts, [*starts[1:], len(words)], strict=True):
        op = _op(words[i:j])
        if op is not None:
            ops.append(op)
    return tuple(ops)


def _op(words: Sequence[str]) -> Op | None:
    act, *rest = words
    if act in COMMANDS:
        return Op(act)
    if act == OUT:
        return Op(OUT, beyond=rest[0].removeprefix(_PART)) if rest else None
    places = tuple(w.removeprefix(_PLACE) for w in rest if w.startswith(_PLACE))
    if not rest or not places:
        return None
    amount = next((float(w[1:]) for w in rest if w.startswith("=")), None)
    scale = next((w for w in rest if w in SCALES), "")
    return Op(act, rest[0].removeprefix(_KIND), places, amount, SOFT in rest, scale)


def allowed(numbers: Sequence[int], later: bool = True) -> list[int]:
    """Tokens that may follow those of a program so far, START included.

    Args:
        later: whether something was asked before this turn. If not, its first op takes back and corrects nothing,
            and speaks of nothing that came before; "more" may, so that it can be answered that nothing is on.
    """
    words = [VOCABULARY[n] for n in numbers]
    acts = [w for w in words if w in ACTS]
    starts_talk = not later and (not acts or len(acts) == 1 and acts[0] not in _CHANGES)
    return [INDEX[w] for w in _following(words) if not (starts_talk and w in _BACKWARD)]


def _following(words: Sequence[str]) -> tuple[str, ...]:
    last = words[-1]
    if last == START:
        return (*ACTS, *COMMANDS, OUT)
    if last == "reject":
        return (END,)
    if last in COMMANDS:
        return (*ACTS, END)
    if last == OUT:
        return tuple(_PART + b for b in BEYOND)
    if last in ACTS:
        return tuple(_KIND + k for k in KINDS)
    if last.startswith(_KIND):
        return tuple(_PLACE + p for p in PLACES)
    act = next(w for w in reversed(words) if w in ACTS or w in COMMANDS or w == OUT)
    if last.startswith(_PLACE):
        return (*_further_places(last), *_measures(act))
    return _NEXT


def _further_places(last: str) -> tuple[str, ...]:
    at = PLACES.index(last.removeprefix(_PLACE))
    if PLACES[at] in _ALONE:
        return ()
    return tuple(_PLACE + p for p in PLACES[at + 1 :] if p not in _ALONE)


def _measures(act: str) -> tuple[str, ...]:
    """What may follow the places of an act."""
    if act == "set":
        return _AMOUNTS
    if act in _AMOUNT_OF:
        return (*_AMOUNTS, SOFT, *_NEXT)
    return (*SCALES, *_NEXT) if act in ("more", "less") else _NEXT
