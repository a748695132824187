"""Everyday text into plain lower-case words: one spelling a word, typing slips mended. Pure.

Slips are mended against the words of `language.lexicon` only, within a bounded edit distance, and never where
the word is an ordinary English one (`ORDINARY`), because "right" must not become "tight" or "mouse" "mouth".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_TOKEN = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_]+|%|[.,;!?:]")
_SHORTEST_MENDED = 5
_SHORTEST_TWO_SLIPS = 8

ORDINARY = frozenset(
    """
    about above after again along alone already always another around asked badly basic beard before being below
    better black blame blank blink block blood board brave bread break bring broad broke brush build cause chain
    chair chance change charm chart cheap check cheer chess chest child china choice class clean clear click clock
    close cloud coach color colour could count court cover cream crime cross crowd crown dance death dirty doing
    doubt dough dozen drain drama dream dress drink drive eight enjoy every extra faith false fancy feels fever field
    fight final finer first fixed flash floor flour focus folds forget found frame fresh front fruit funny given
    glass going grace grade grain grand grass great green group guess guest happy heard heart heavy hello hence horse
    hotel house ideal image inner issue joint judge juice knife knock known label large laser later laugh learn least
    leave level light likes limit liner lists lived liver lives local logic lower lucky lunch magic major march match
    maybe means meant metal might minor model money month moral mouse movie music needs never night noise north
    noted nurse ocean offer often order other ought ounce paint panel paper party pasta peace phase phone photo piano
    piece pilot pizza place plain plane plant plate point porch poses pound power press price pride prime print prize
    proud prove quick quiet quite radio raise range rapid reach ready realm refer relax reply right river roman rough
    round route royal rural salad scale scare scene scope score sense serve seven shade shake shall shape share sharp
    sheep sheet shelf shell shift shirt shock shoot shore short shout sight since skill sleep slept slide small smart
    smell smile smoke snake solid solve sorry sound south space speak speed spend spent spite split spoke sport staff
    stage stair stake stand stare start state steam steel steep stick still stock stone store storm story strip stuck
    study stuff style sugar suite super sweet swing table taken taste teach teeth thank their theme there these thick
    thing think third those three throw thumb tiger tight times title today token tooth total touch tough tower track
    trade trail train treat trend trial tribe trick tried truck truly trunk trust truth twice twist uncle under union
    until upper urban usage usual valid value video virus visit vital voice waste watch water weigh weird wheel where
    which while white whole whose woman women words world worry worse worst worth would write wrong wrote yield young
    yours youth store bangs bands bagel dimple dimples chicken kitchen recipe person people prices reason really
    record recent season second secret series serious simple single sister spring strange strand stream street strike
    summer system talent target tennis theory thirty ticket tomato travel twenty volume wallet weight window winter
    wonder yellow weather whether together tonight thought through reading heading heather feather leather mother
    father brother letter listen minute moment monday friday morning evening nothing notice number object office
    parent pretty profit public rather return review screen search select senior should silver source speech square
    stupid sudden supply survey switch tongue toward vision wealth weekly wicked within without worker writer blackbird
    scores scarf scars lines lights signs sings shins chins mouths pages places planes poles rules roles holes males
    shower shines spends sports stores states shoots speckles tables tables teams terms texts things thinks tires
    tests tasks takes makes makeup making taking talking walking working looking booking cooking marry carry berry
    merry parts party ports posts points paints pants hours yours paths poems marks masks tasks larks fears years
    tears bears hairs pairs fairs heirs stairs stars smells spells shells skills kills pills bills fills wills gills
    model models camera dinner colors colours eyelash eyelashes eyeliner lipstick eyeshadow mascara blush blusher
    """.split()
)
"""Words that are never mended into something else."""


def normalised(text: str) -> str:
    """`text` in lower case, NFKC, without accents, apostrophes and hyphens inside words."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))
    bare = re.sub(r"[\u2018\u2019\u02bc`\u00b4]", "'", bare)
    bare = re.sub(r"\bcan't\b", "cant", bare)
    bare = re.sub(r"'s\b|'", "", bare)
    bare = re.sub(r"\u2026|\.{2,}", " . ", bare)
    return re.sub(r"\s[-\u2013\u2014]+\s|[\u2013\u2014]", " , ", bare)


def words_of(text: str) -> list[str]:
    """The words, numbers and marks (one of ``.,;!?:%``) of `text`, in order."""
    return _TOKEN.findall(normalised(text))


def edit_distance(a: str, b: str) -> int:
    """Slips between two words: letters added, lost, changed, or two neighbours swapped (each swapped once)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row, before_last = row, [i], before
        before = above
        for j, y in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before_last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _with_letters_lost(word: str, lost: int) -> set[str]:
    shorter = {word}
    for _ in range(lost):
        shorter |= {w[:i] + w[i + 1 :] for w in shorter for i in range(len(w))}
    return shorter


def _slips_allowed(word: str) -> int:
    if len(word) < _SHORTEST_MENDED:
        return 0
    return 2 if len(word) >= _SHORTEST_TWO_SLIPS else 1


class Speller:
    """Mends typing slips against a fixed vocabulary.

    The vocabulary is indexed by what is left of each word when letters are lost, so that a look-up costs tens
    of microseconds whatever the size of the vocabulary.
    """

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._known = frozenset(vocabulary) | ORDINARY
        self._index: dict[str, list[str]] = {}
        for word in sorted(self._known - ORDINARY):
            for key in _with_letters_lost(word, _slips_allowed(word)):
                self._index.setdefault(key, []).append(word)

    def mended(self, word: str) -> str:
        """The vocabulary's nearest word, or `word` itself when none is near enough."""
        allowed = _slips_allowed(word)
        if allowed == 0 or len(word) > 24 or word in self._known:
            return word
        single = re.sub(r"(.)\1+", r"\1", word)
        if single in self._known:
            return single
        near: set[str] = set()
        for key in _with_letters_lost(word, allowed):
            near.update(self._index.get(key, ()))
        best = min(((edit_distance(word, w), w) for w in near if w[0] == word[0]), default=None)
        if best is None or best[0] > min(allowed, _slips_allowed(best[1])):
            return word
        return best[1]
