"""Talk around a wish: greetings, reasons and thanks that ask for nothing and name nothing on a face."""

from __future__ import annotations

from functools import cache

import numpy as np

from training.language.banks import HERE

_MOST_LETTERS = 420
"""A turn does not get longer by chatter than this."""
_JOINTS = (" ", " ", " ", "\n", " so ", " anyway, ")


@cache
def chatter() -> dict[str, tuple[str, ...]]:
    """Sentences that fit ``before`` a wish and ``after`` it."""
    found: dict[str, list[str]] = {}
    head = ""
    for line in (HERE / "banks" / "chatter.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# ---"):
            head = line.removeprefix("# ---").strip()
        elif line.strip() and not line.startswith("#"):
            found.setdefault(head, []).append(line.strip())
    either = found["either"]
    return {side: (*found[side], *either) for side in ("before", "after")}


def amid_chatter(text: str, rng: np.random.Generator) -> str:
    """The wish with one to three such sentences around it."""
    shape = rng.random()
    before = 1 if shape < 0.45 else 2 if shape < 0.65 else 0
    after = 1 if shape >= 0.65 or rng.random() < 0.35 else 0
    banks = chatter()
    for _ in range(before):
        said = str(rng.choice(banks["before"]))
        if len(said) + len(text) <= _MOST_LETTERS:
            joint = str(rng.choice(_JOINTS)) if _ended(said) else str(rng.choice((". ", ", ", " ")))
            text = said + joint + text
    for _ in range(after):
        said = str(rng.choice(banks["after"]))
        if len(said) + len(text) <= _MOST_LETTERS:
            text += (" " if _ended(text) else str(rng.choice((". ", ", ", " - ")))) + said
    return text


def _ended(text: str) -> bool:
    return text.rstrip()[-1:] in ".!?"
