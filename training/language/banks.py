"""Words for the slots of the corpus: kinds, places, amounts, verbs, one TOML file a language."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stream_retouch.language.plan import BLEMISHES, CATEGORIES, Category
from stream_retouch.language.program import KINDS, LAST

HERE = Path(__file__).parent
LANGUAGES = (
    "en", "es", "de", "fr", "pt", "zh", "it", "nl", "sv", "da", "nb", "pl", "ru", "uk", "cs", "ja", "ko", "tr", "hi",
    "ar", "id", "vi",
)  # fmt: skip
PLACES: dict[str, str] = {
    "cheeks": "left_cheek,right_cheek",
    "under_eyes": "left_under_eye,right_under_eye",
    "crows_feet_zone": "left_crows_feet,right_crows_feet",
    "tzone": "forehead,nose,chin",
    "left_side": "left",
    "right_side": "right",
}
"""Places of a bank that are written otherwise in a program."""
_COMMON = (
    "forehead",
    "nose",
    "chin",
    "left_cheek",
    "right_cheek",
    "cheeks",
    "mouth",
    "jaw",
    "glabella",
)
_RARE = (
    "face",
    "tzone",
    "left_side",
    "right_side",
    "left_under_eye",
    "right_under_eye",
    "under_eyes",
)
_UNDER = ("under_eyes", "left_under_eye", "right_under_eye")
_AT_HOME: dict[str, tuple[str, ...]] = {
    Category.DARK_CIRCLE: _UNDER,
    Category.EYE_BAG: _UNDER,
    Category.CROWS_FEET: ("crows_feet_zone", "left_crows_feet", "right_crows_feet"),
    Category.FOREHEAD_WRINKLE: ("forehead",),
    Category.NASOLABIAL_FOLD: ("mouth",),
    "line": ("forehead", "glabella", "under_eyes", "crows_feet_zone", "mouth"),
}
TIRED = "edit dark_circle face; edit eye_bag face"
"""What looking tired means."""
NOUNS = (*(c.value for c in CATEGORIES), BLEMISHES, "line")
"""Kinds that have nouns."""
_NOUN_SHARES = np.array([0.6 if n in (BLEMISHES, "line") else 1.0 for n in NOUNS])
_FORMS: dict[str, tuple[float, tuple[str, ...]]] = {
    "plural": (0.45, ("", "my", "the", "all my", "all the", "these", "those")),
    "mass": (0.3, ("", "my", "the", "all the", "this", "that")),
    "singular": (0.15, ("my", "the", "this", "that", "a")),
    "slang": (0.1, ("my", "the", "these", "all my")),
    "noun": (1.0, ("",)),
}
"""Form of a noun -> how often, and what may stand before it."""


@dataclass(frozen=True)
class Bank:
    """One language's words."""

    tables: dict[str, Any]

    def noun(self, rng: np.random.Generator, kind: str) -> str:
        """A noun phrase of a kind, with its determiner."""
        forms = {
            f: words for f, words in self.tables["kinds"][kind].items() if f in _FORMS and words
        }
        shares = np.array([_FORMS[f][0] for f in forms])
        form = str(rng.choice(list(forms), p=shares / shares.sum()))
        return f"{rng.choice(_FORMS[form][1])} {rng.choice(forms[form])}".strip()

    def verb(self, rng: np.random.Generator, which: str, kind: str = "") -> str:
        """A verb that takes a noun: ``remove``, ``soften`` or ``keep``; now and then one of that kind alone."""
        own = self.tables.get("verbs_for", {}).get(kind, {}).get(which)
        if own and rng.random() < 0.3:
            return str(rng.choice(own))
        return str(rng.choice(self.tables["verbs"][which]))

    def placed(self, rng: np.random.Generator) -> tuple[str, str] | None:
        """A noun that tells its place too ("strawberry nose"), with "kind places"; None where the bank has none."""
        table = self.tables.get("placed")
        if not table:
            return None
        key = str(rng.choice(list(table)))
        words = table[key]["plural"] if isinstance(table[key], dict) else table[key]
        return str(rng.choice(words)), key

    def place(self, rng: np.random.Generator, name: str, form: str) -> str:
        """A place as a prepositional phrase (``at``) or as an object (``noun``)."""
        table = self.tables["places"][name]
        return str(rng.choice(table.get(form) or table["at"]))

    def has_place(self, name: str, form: str) -> bool:
        """Whether a place can be said in that form."""
        return bool(self.tables["places"].get(name, {}).get(form))

    def amount(self, rng: np.random.Generator) -> tuple[str, float]:
        """An amount as it is said, and its share."""
        table = self.tables["amounts"]
        which = str(
            rng.choice(("little", "half", "most", "full", "percent", "fraction"), p=_AMOUNT_SHARES)
        )
        if which == "fraction" and table.get("fraction"):
            words, _, share = str(rng.choice(table["fraction"])).rpartition("=")
            return words.strip(), float(share)
        if which in ("percent", "fraction"):
            number = (
                int(rng.integers(1, 21)) * 5 if rng.random() < 0.85 else int(rng.integers(1, 101))
            )
            spelled = _spelled(number, self.tables.get("numbers", {}))
            if spelled and rng.random() < 0.3:
                return (
                    f"{spelled} {rng.choice(('percent', 'percent', 'per cent', 'pct'))}",
                    number / 100,
                )
            return str(rng.choice(table["percent"])).replace("{n}", str(number)), number / 100
        share = {"little": 0.3, "half": 0.5, "most": 0.7, "full": 1.0}[which]
        return str(rng.choice(table[which])), share

    @cached_property
    def listed(self) -> dict[str, list[tuple[str, str]]]:
        """Whole utterances that need no filling, by what they are: text and program."""
        found: dict[str, list[tuple[str, str]]] = {"commands": [], "degree": [], "clauses": []}
        for name, words in self.tables["commands"].items():
            found["commands"] += [(w, name) for w in words]
        for name, words in self.tables["degree"].items():
            act, _, scale = name.partition("_")
            if act in ("more", "less"):
                found["degree"] += [(w, f"{act} {LAST} {LAST} {scale}".strip()) for w in words]
        for kind in NOUNS:
            clauses = self.tables["kinds"][kind].get("clause", ())
            found["clauses"] += [(w, f"edit {kind} face") for w in clauses]
        found["clauses"] += [(w, TIRED) for w in self.tables.get("tired", {}).get("clause", ())]
        for key, words in self.tables.get("wishes", {}).items():
            found["clauses"] += [(w, TIRED if key == "tired" else f"edit {key}") for w in words]
        return found


_AMOUNT_SHARES = (0.26, 0.14, 0.1, 0.2, 0.22, 0.08)


def _spelled(number: int, words: dict[str, str]) -> str:
    """A number up to 100 in words, empty where the bank has none for it."""
    tens, ones = number // 10 * 10, number % 10
    if number in (0, 100) or not ones:
        return words.get(str(number), "")
    if tens == 10 or str(ones) not in words:
        return ""
    return f"{words.get(str(tens), '')} {words[str(ones)]}".strip()


def bank(language: str) -> Bank:
    """The bank of one of LANGUAGES."""
    path = HERE / "banks" / f"{language}.toml"
    return Bank(tomllib.loads(path.read_text(encoding="utf-8")))


def kinds(rng: np.random.Generator, count: int) -> list[str]:
    """So many different kinds that have nouns."""
    shares = _NOUN_SHARES / _NOUN_SHARES.sum()
    return [NOUNS[i] for i in rng.choice(len(NOUNS), count, replace=False, p=shares)]


def places_for(named: set[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Places, by their names in a bank, where all these kinds may be; none where they never meet."""
    sets = [set(_AT_HOME[k]) for k in named if k in _AT_HOME]
    if sets:
        return tuple(sorted(set.intersection(*sets)))
    return _COMMON if rng.random() < 0.85 else _RARE


def written_place(name: str) -> str:
    """A bank's place as programs write it."""
    return PLACES.get(name, name)


assert set(NOUNS) <= set(KINDS)
