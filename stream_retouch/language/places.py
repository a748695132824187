"""Places as people say them into the plan's categories and regions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stream_retouch.language import lexicon
from stream_retouch.language.phrases import Place
from stream_retouch.language.plan import BLEMISHES, FACE, HOME_ZONES, REGIONS, Category

_HALF = ("under_eye", "crows_feet", "cheek")
_UNDER_EYE = frozenset((Category.DARK_CIRCLE.value, Category.EYE_BAG.value))
_HOMES: dict[str, tuple[str, ...]] = {
    kind.value: tuple(r.value for r in zone) for kind, zone in HOME_ZONES.items()
}
Pairing = tuple[str, tuple[str, ...]]
"""A category (or BLEMISHES) and its regions (or FACE)."""


def _sided(name: str, side: str) -> tuple[str, ...]:
    return tuple(f"{s}_{name}" for s in (("left", "right") if side in ("", "both") else (side,)))


def regions_of(place: Place, kind: str) -> tuple[str, ...]:
    """The regions that `place` means when it is about `kind` (a category, BLEMISHES or LINE)."""
    if place.name in ("cheek", "under_eye", "crows_feet"):
        return _sided(place.name, place.side)
    if place.name == "tzone":
        return lexicon.TZONE
    if place.name == "brow":
        return ("forehead",)
    if place.name in ("eye", "around_eye"):
        if kind in (Category.CROWS_FEET, lexicon.LINE):
            return _sided("crows_feet", place.side)
        under = _sided("under_eye", place.side)
        return under if place.name == "eye" else under + _sided("crows_feet", place.side)
    if place.name in ("side", "face"):
        if place.side not in ("left", "right"):
            return (FACE,)
        return tuple(f"{place.side}_{name}" for name in _HALF)
    return (place.name,)


def in_order(regions: Iterable[str]) -> tuple[str, ...]:
    """`regions` without repeats in the plan's order; all of them, or FACE among them, is (FACE,)."""
    named = set(regions)
    if FACE in named or len(named) == len(REGIONS):
        return (FACE,)
    return tuple(r.value for r in REGIONS if r.value in named)


def _at_home(kind: str, regions: tuple[str, ...]) -> tuple[str, ...]:
    """`regions` cut to where `kind` lives; (FACE,) for the whole home zone or when none is in it."""
    home = _HOMES.get(kind)
    if home is None or regions == (FACE,):
        return regions
    inside = tuple(r for r in home if r in regions)
    return (FACE,) if inside in ((), home) else inside


def are_lines(kinds: Iterable[str]) -> bool:
    """Whether these are the kinds that "lines" means where no place was told."""
    return set(kinds) == {kind for kind, _ in _lines_at(set())}


def _lines(places: Sequence[Place]) -> list[Pairing]:
    """Which kinds of wrinkle "lines" are, by the place."""
    return _lines_at({r for place in places for r in regions_of(place, lexicon.LINE)})


def _lines_at(regions: set[str]) -> list[Pairing]:
    if not regions or FACE in regions:
        kinds = (Category.FOREHEAD_WRINKLE, Category.CROWS_FEET, Category.FINE_LINE)
        return [(kind.value, (FACE,)) for kind in kinds]
    if regions == {"nose", "mouth"}:
        regions = {"mouth"}
    homes = {"forehead": Category.FOREHEAD_WRINKLE, "mouth": Category.NASOLABIAL_FOLD}
    found: list[Pairing] = [
        (kind.value, (FACE,)) for region, kind in homes.items() if region in regions
    ]
    temples = regions & {"left_crows_feet", "right_crows_feet"}
    if temples:
        found.append((Category.CROWS_FEET.value, _at_home(Category.CROWS_FEET, in_order(temples))))
    fine = regions - set(homes) - temples
    if fine:
        found.append((Category.FINE_LINE.value, in_order(fine)))
    return found


def pairings(kinds: Sequence[str], places: Sequence[Place]) -> list[Pairing]:
    """Every category with its regions; no place means the whole face."""
    found: list[Pairing] = []
    for kind in kinds:
        if kind == lexicon.LINE:
            found += _lines(places)
            continue
        regions = in_order(r for place in places for r in regions_of(place, kind))
        found.append((kind, _at_home(kind, regions or (FACE,))))
    return found


def in_regions(kinds: Sequence[str], regions: tuple[str, ...]) -> list[Pairing]:
    """Every category with regions that are known already; "lines" become what they are there."""
    found: list[Pairing] = []
    for kind in kinds:
        found += _lines_at(set(regions)) if kind == lexicon.LINE else [(kind, regions)]
    return found


def at_regions(kind: str, regions: tuple[str, ...]) -> list[Pairing]:
    """One category in regions that may not be its own: a kind that lives elsewhere is meant where it lives."""
    return [(k, _at_home(k, r)) for k, r in in_regions((kind,), regions)]


def of_a_place(places: Sequence[Place], smooth: bool) -> list[Pairing]:
    """What is meant where only a place is named: "clean up my chin", "smooth my forehead"."""
    names = {place.name for place in places}
    if names <= {"under_eye", "eye"}:
        return pairings(sorted(_UNDER_EYE), places)
    if smooth and names <= {"forehead", "brow", "crows_feet", "around_eye", "glabella"}:
        return pairings((lexicon.LINE,), places)
    return pairings((BLEMISHES,), places)


def opposite(region: str) -> str:
    """The same region on the other side; a region without sides is its own opposite."""
    if region.startswith("left_"):
        return "right_" + region[5:]
    return "left_" + region[6:] if region.startswith("right_") else region
