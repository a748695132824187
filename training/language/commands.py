"""Short commands in the commonest words: what most people say with a button held down.

The corpus draws a rare word as gladly as a common one, so that the planner learns both; a recogniser must know which
is likelier. These lists are the likely ones.
"""

from __future__ import annotations

import numpy as np

_KINDS = (
    "pimples|pimple|acne|freckles|spots|spot|dark spots|age spots|brown spots|dark circles|wrinkles|forehead wrinkles|"
    "crow's feet|fine lines|lines|laugh lines|smile lines|frown lines|worry lines|stray hairs|hairs|facial hair|"
    "mole|moles|redness|shine|oily skin|scar|scars|acne scars|uneven skin tone|blotches|eye bags|bags|puffiness|pores|"
    "large pores|blackheads|nasolabial folds|blemishes|imperfections|birthmark|zits|zit|breakout|breakouts|bumps|"
    "red spots|rosacea|glare|creases|skin tone"
).split("|")
_HOMED = (
    "bags under my eyes|circles under my eyes|dark circles under my eyes|shadows under my eyes|lines around my eyes|"
    "lines around my mouth|lines on my forehead|lines between my eyebrows|lines under my eyes|wrinkles around my eyes|"
    "hairs on my chin|shine on my nose|shine on my forehead|redness on my cheeks|redness around my nose|"
    "pores on my nose"
).split("|")
_PLACES = (
    "forehead|nose|chin|left cheek|right cheek|cheeks|both cheeks|jaw|jawline|mouth|upper lip|face|left side|"
    "right side|left eye|right eye|eyes|t zone|temples|brow|eyebrows|neck"
).split("|")
_THINGS = (
    "beard|mustache|eyebrows|makeup|glasses|lipstick|eyelashes|hair|eyes|lips|teeth|skin texture|dimples|ears|stubble|"
    "freckles|mole|smile lines|birthmark|beauty mark"
).split("|")
_AT = "on|on|on|on|on|around|from|under|near|along|across|between|above|of|off|below|next to".split(
    "|"
)
_OWN = ("my", "my", "my", "the", "")
_BEFORE = (
    "my",
    "the",
    "the",
    "my",
    "",
    "",
    "all the",
    "all my",
    "that",
    "those",
    "these",
    "this",
    "any",
)
_VERBS = (
    "remove|remove|get rid of|take away|take off|take out|hide|erase|clear|clean up|fix|delete|reduce|soften|smooth|"
    "smooth out|fade|cover|cover up|conceal|tone down|lighten|minimize|lessen|blur|lose|wipe out|zap|even out|kill|"
    "make less visible|do|clear up|sort out|touch up|brighten|retouch|correct|get|treat|dial down|turn down|bring down"
).split("|")
_SPLIT = (
    "take {} away|take {} off|make {} go away|make {} disappear|take {} out|clear {} up|tone {} down|clean {} up|"
    "make {} lighter|make {} less obvious|get {} off|make {} less visible|bring {} down|turn {} down|have {} removed|"
    "make {} softer|make {} smaller|cover {} up|smooth {} out|wipe {} away"
).split("|")
_KEEPS = (
    "keep|leave|don't touch|do not touch|don't remove|preserve|save|don't change|leave alone|spare|not|don't hide|"
    "without touching|don't erase|hold on to|i want to keep|i like|protect|ignore|skip"
).split("|")
_STAYS = "can stay|stays|stay|should stay|must stay|alone|as it is|as they are|the way it is|are fine|is fine".split(
    "|"
)
_AMOUNTS = (
    "a bit|a little|a little bit|slightly|a lot|completely|totally|entirely|by half|half way|a touch|a tad|"
    "just a little|as much as possible|all the way|fully|mostly|almost completely|gently|very slightly|somewhat|more|"
    "less|down a notch|halfway|partly|to the max"
).split("|")
_CONTROL = (
    "undo|undo that|undo the last one|undo the last thing|undo please|redo|redo that|reset|reset everything|start over|"
    "start again|go back|go back one step|take that back|put it back|bring it back|put them back|back to normal|"
    "back to the original|show the original|original please|remove all changes|clear all|clear everything|"
    "never mind|cancel that|forget it|scrap that|revert|revert that|revert everything|stop|stop retouching|"
    "turn it off|turn it on|turn it back on|switch it off|switch it on|filter off|filter on|turn the filter off|"
    "a bit more|a little more|more|much more|a lot more|even more|stronger|a bit stronger|make it stronger|"
    "less|a bit less|a little less|much less|not so much|too much|that's too much|softer|weaker|make it weaker|"
    "make it more natural|more natural|keep it natural|make it subtle|that's enough|that's not enough|not enough|"
    "the other side|the other one|on the other side too|same on the other side|same on the right|same on the left|"
    "do the same on my chin|the left one|the right one|no the left one|i meant the left|only the left|"
    "just the left side|just the forehead|only the nose|also the nose|and the chin|now the chin|now my nose|"
    "and my forehead|and the moles|also the moles|and the redness too|what about the moles|both sides|"
    "remove everything|clean up everything|fix everything|fix my skin|clean up my skin|clear skin please|"
    "smooth my skin|leave everything|leave it|leave it like that|that's fine|that's good|looks good|perfect|thank you|"
    "everything back please|i want my face back|wipe everything|wipe it all|drop everything|take it all off|"
    "make them lighter|make it lighter|make that softer|remove them|hide them|hide it|keep it|keep them|leave them"
).split("|")
_FRONTS = (
    "please|can you|could you|can you please|could you please|i want you to|i'd like to|i would like to|would you|"
    "just|now|also|and|okay|hey|let's|you can|try to|go ahead and|i need you to|we can|can we|could we"
).split("|")
_NUMBERS = (
    "ten|fifteen|twenty|twenty five|thirty|forty|fifty|sixty|seventy|seventy five|eighty|ninety|"
    "one hundred|five|thirty five"
).split("|")
_LOOKS = (
    "my {p} is too {a}|my {p} is so {a}|my {p} looks {a}|make my {p} less {a}|i look {a}|my {p} are {a}|my skin is {a}|"
    "my {p} is {a}|{p} is {a}|{p} too {a}"
).split("|")
_ADJECTIVES = "red|shiny|oily|greasy|tired|blotchy|puffy|dark|patchy|uneven|wrinkly|spotty|old|flushed|pink".split(
    "|"
)


def command(rng: np.random.Generator) -> str:
    """One command."""
    make = _PARTS[int(rng.choice(len(_PARTS), p=_SHARES))]
    text = make(rng)
    if make is not _control and rng.random() < 0.16:
        text = f"{_one(_FRONTS, rng)} {text}"
    elif rng.random() < 0.1:
        text = f"{text} please"
    return " ".join(text.split())


def _one(words: tuple[str, ...] | list[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _place(rng: np.random.Generator) -> str:
    return f"{_one(_AT, rng)} {_one(_OWN, rng)} {_one(_PLACES, rng)}"


def _noun(rng: np.random.Generator, placed: float = 0.4) -> str:
    if rng.random() < 0.12:
        return f"{_one(_BEFORE, rng)} {_one(_HOMED, rng)}"
    noun = f"{_one(_BEFORE, rng)} {_one(_KINDS, rng)}"
    return f"{noun} {_place(rng)}" if rng.random() < placed else noun


def _nouns(rng: np.random.Generator) -> str:
    noun = _noun(rng)
    return f"{noun} and {_noun(rng)}" if rng.random() < 0.2 else noun


def _edit(rng: np.random.Generator) -> str:
    if rng.random() < 0.12:
        return f"{_one(_VERBS, rng)} {_one(_OWN, rng)} {_one(_PLACES, rng)}"
    noun = _nouns(rng)
    text = _one(_SPLIT, rng).format(noun) if rng.random() < 0.2 else f"{_one(_VERBS, rng)} {noun}"
    if rng.random() < 0.22:
        amount = _amount(rng)
        text = f"{text} {amount}" if rng.random() < 0.7 else f"{amount} {text}"
    return text


def _amount(rng: np.random.Generator) -> str:
    if rng.random() < 0.3:
        return f"{_one(('by', 'to', '', ''), rng)} {_one(_NUMBERS, rng)} percent"
    return _one(_AMOUNTS, rng)


def _keep(rng: np.random.Generator) -> str:
    if rng.random() < 0.3:
        return f"{_noun(rng)} {_one(_STAYS, rng)}"
    what = f"{_one(_OWN, rng)} {_one(_THINGS, rng)}" if rng.random() < 0.3 else _noun(rng, 0.25)
    return f"{_one(_KEEPS, rng)} {what} {_one(('', '', '', 'alone', 'please'), rng)}"


def _mixed(rng: np.random.Generator) -> str:
    link = _one(("but", "but", "and", "just", "only"), rng)
    pair = (_edit(rng), _keep(rng))
    return f" {link} ".join(pair if rng.random() < 0.75 else pair[::-1])


def _except(rng: np.random.Generator) -> str:
    but = _one(("except", "but", "apart from", "except for", "other than", "but not"), rng)
    what = _one(("everything", "all blemishes", "everything", "all", "the whole face"), rng)
    start = _one(("remove", "clean up", "fix", "hide", "clear", "", "get rid of", "smooth"), rng)
    return f"{start} {what} {but} {_noun(rng, 0.2)}"


def _bare(rng: np.random.Generator) -> str:
    """Without a verb: "pimples away", "less shine", "scar on my chin, remove"."""
    noun = _nouns(rng)
    kind = rng.random()
    if kind < 0.3:
        return (
            f"{noun} {_one(('away', 'off', 'gone', 'out', 'too', 'please', 'only', 'down'), rng)}"
        )
    if kind < 0.55:
        return f"{_one(('less', 'no', 'no more', 'fewer', 'only', 'just', 'not'), rng)} {noun}"
    if kind < 0.7:
        return f"{noun} {_amount(rng)}"
    if kind < 0.85:
        return f"{noun} {_one(('remove', 'hide', 'fix', 'delete', 'remove it', 'hide it'), rng)}"
    return noun


def _look(rng: np.random.Generator) -> str:
    return _one(_LOOKS, rng).format(p=_one(_PLACES, rng), a=_one(_ADJECTIVES, rng))


def _wish(rng: np.random.Generator) -> str:
    start = _one(
        ("i want", "i don't want", "i don't like", "i hate", "there should be no", "i want no", "don't leave"), rng
    )  # fmt: skip
    return f"{start} {_noun(rng)} {_one(('', '', 'gone', 'removed', 'to go', 'to stay', 'hidden'), rng)}"


def _control(rng: np.random.Generator) -> str:
    return _one(_CONTROL, rng)


_PARTS = (_edit, _keep, _mixed, _except, _bare, _look, _wish, _control)
_SHARES = (0.26, 0.05, 0.2, 0.13, 0.16, 0.02, 0.03, 0.15)
