"""What of a spoken sentence must survive the recogniser: the set of its keyword classes.

Categories, regions, left and right, stronger and weaker, numbers and control words are classes of their own; all words
of keeping are one class, and all verbs of editing are one. Order, articles and "on" do not count.
"""

from __future__ import annotations

from training.language.spoken import words_said

_CLASSES: dict[str, str] = {
    "pimple": "pimple pimples zit zits whitehead whiteheads bump bumps",
    "acne": "acne breakout breakouts",
    "freckle": "freckle freckles freckling freckly",
    "spot": "spot spots spotty pigmentation melasma",
    "dark_circle": "circle circles shadow shadows panda raccoon tired exhausted",
    "line": "line lines wrinkle wrinkles wrinkly crease creases furrow furrows",
    "crow": "crow crow's crows feet",
    "hair": "hair hairs fuzz whisker whiskers hairy",
    "mole": "mole moles birthmark birthmarks beauty nevus",
    "redness": "red redness flush flushed blush rosacea ruddy rosy pink sunburn",
    "shine": "shine shiny shininess oil oily oiliness grease greasy glare gloss glossy sweaty sweat",
    "scar": "scar scars scarring",
    "tone": "tone uneven blotchy blotches blotchiness patchy discoloration even",
    "bag": "bag bags puffy puffiness eyebags",
    "pore": "pore pores blackhead blackheads",
    "fold": "fold folds nasolabial smile laugh",
    "blemish": "blemish blemishes imperfection imperfections flaw flaws everything",
    "forehead": "forehead foreheads brow's",
    "brows": "brows eyebrows brow eyebrow frown glabella",
    "eye": "eye eyes under",
    "nose": "nose nostrils",
    "cheek": "cheek cheeks",
    "mouth": "mouth lip lips",
    "chin": "chin",
    "jaw": "jaw jawline",
    "face": "face skin",
    "left": "left",
    "right": "right",
    "other": "other",
    "more": "more stronger harder further higher increase",
    "less": "less weaker lighter softer gentler lower",
    "little": "little bit slightly tad notch somewhat",
    "half": "half halfway",
    "full": "completely totally entirely lot fully",
    "percent": "percent",
    "undo": "undo back revert",
    "redo": "redo again",
    "reset": "reset restart original over",
    "off": "off",
    "natural": "natural",
    "keep": "keep leave except but don't not stay stays preserve spare apart",
    "edit": "remove erase delete hide clear clean fix reduce soften smooth fade conceal cover lighten minimize "
    "blur lessen lose zap kill rid away gone out tidy wipe",
}  # fmt: skip
_OF = {word: name for name, words in _CLASSES.items() for word in words.split()}
_NUMBERS = frozenset(
    "ten fifteen twenty thirty forty fifty sixty seventy eighty ninety hundred".split()
)


def slots(text: str) -> frozenset[str]:
    """The keyword classes in a sentence."""
    words = words_said(text)
    return frozenset(_OF[w] for w in words if w in _OF) | (_NUMBERS & set(words))
