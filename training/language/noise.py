"""What hands and recognisers do to a sentence: slips, lost letters, dropped little words, sounds taken for others."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence

import numpy as np

from training.language.banks import HERE

_NEAR = {
    "a": "qsz", "b": "vgn", "c": "xvd", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok",
    "j": "hku", "k": "jli", "l": "kop", "m": "nk", "n": "bmh", "o": "ipl", "p": "ol", "q": "wa", "r": "etf",
    "s": "adw", "t": "ryg", "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xas",
}  # fmt: skip
_SHORT = {
    "please": ("pls", "plz"), "you": ("u",), "your": ("ur",), "are": ("r",), "okay": ("ok", "k"), "want to": ("wanna",),
    "going to": ("gonna",), "with": ("w/",), "and": ("&", "n"), "because": ("cuz", "bc"), "though": ("tho",),
    "thanks": ("thx", "ty"), "my": ("me", "ma"), "percent": ("%",), "don't": ("dont", "do not"), "can't": ("cant",),
}  # fmt: skip
_LITTLE = frozenset("the a my of please to just some those these that is are".split())
_SOUNDS: dict[str, list[str]] = tomllib.loads(
    (HERE / "banks" / "sounds.toml").read_text(encoding="utf-8")
)
_FILLERS = ("um", "uh", "like", "so", "er", "well", "you know", "okay", "right")


def typed(text: str, rng: np.random.Generator) -> str:
    """The text as somebody types it: often as it is, else short forms, lost marks and a slip or two."""
    if rng.random() < 0.35:
        return text
    if rng.random() < 0.35:
        text = _replaced(text, _SHORT, rng, 0.5)
    if rng.random() < 0.3:
        text = text.replace("'", "")
    if rng.random() < 0.35:
        text = re.sub(r"[.,;!?]+", "", text)
    if rng.random() < 0.1:
        text = _without_little(text, rng)
    if rng.random() < 0.45:
        for _ in range(int(rng.integers(1, 4))):
            text = slipped(text, rng)
    if rng.random() < 0.12:
        text += str(
            rng.choice(("!", "!!", "...", " :)", " 🙏", " lol", "?", " 😩", " thx", " haha"))
        )
    return text


def heard(text: str, rng: np.random.Generator) -> str:
    """The text as a recogniser writes it down: no marks, sounds taken for others, little words lost or changed."""
    text = re.sub(r"[.,;:!?]+", "", text.lower())
    if rng.random() < 0.7:
        text = _replaced(text, _SOUNDS, rng, 0.3)
    if rng.random() < 0.3:
        text = _without_little(text, rng)
    if rng.random() < 0.25:
        words = text.split()
        words.insert(int(rng.integers(0, len(words) + 1)), str(rng.choice(_FILLERS)))
        text = " ".join(words)
    return text


def slipped(text: str, rng: np.random.Generator) -> str:
    """One slip: neighbours swapped, a letter lost, doubled or taken for the next key."""
    at = [i for i, c in enumerate(text) if c.isascii() and c.isalpha()]
    if len(at) < 4:
        return text
    i = int(rng.choice(at))
    c = text[i]
    kind = rng.random()
    if kind < 0.3 and i + 1 < len(text) and text[i + 1].isalpha():
        return text[:i] + text[i + 1] + c + text[i + 2 :]
    if kind < 0.6:
        return text[:i] + text[i + 1 :]
    if kind < 0.8:
        return text[:i] + c + text[i:]
    near = _NEAR.get(c.lower(), c)
    return text[:i] + str(rng.choice(list(near))) + text[i + 1 :]


def _replaced(
    text: str, table: Mapping[str, Sequence[str]], rng: np.random.Generator, share: float
) -> str:
    for word, others in table.items():
        if re.search(rf"\b{word}\b", text) and rng.random() < share:
            text = re.sub(rf"\b{word}\b", str(rng.choice(list(others))), text)
    return text


def _without_little(text: str, rng: np.random.Generator) -> str:
    words = [w for w in text.split() if w.lower() not in _LITTLE or rng.random() < 0.4]
    return " ".join(words) or text
