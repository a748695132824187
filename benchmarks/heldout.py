"""The frozen held-out set: persons nobody trains on, what is painted on them, and what is asked.

``python -m benchmarks.heldout --freeze`` wrote ``heldout.json`` once; it is not written again. The file names pictures,
seeds, kinds and plans; the marks themselves come from `training.imperfections`, so each scene carries a fingerprint of
what its painting did, and a scene that paints differently than it did when it was frozen is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.errors import MediaError, StreamRetouchError
from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    Category,
    Edit,
    InstructionPlan,
    amounts,
    plan_from_json,
    plan_to_json,
    request_map,
)
from stream_retouch.media.regions import alignment, region_maps
from training.imperfections import Canvas, compose, paint_face
from training.imperfections.anatomy import skin_of
from training.plans import random_plan
from training.splits import Portrait, portraits

FROZEN = Path(__file__).parent / "heldout.json"
KINDS_A_FACE = 5
_FROZEN_SEED = 20261120
_TOLERANCE = 0.03
"""How far a fingerprint may lie off, as a share: other versions of numpy and OpenCV round differently."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One painted portrait and what was asked."""

    name: str
    portrait: Portrait
    kinds: tuple[Category, ...]
    plan: InstructionPlan
    clean: NDArray[np.uint8]
    """(H, W, 3) RGB, the whole portrait at native resolution."""
    source: NDArray[np.uint8]
    """(H, W, 3) RGB, painted."""
    target: NDArray[np.uint8]
    """(H, W, 3) RGB, what the plan asks for."""
    by_kind: dict[Category, NDArray[np.float32]]
    """For each painted kind its coverage (H, W), 0..1."""
    skin: NDArray[np.float32]
    """(H, W) 0..1."""
    box: tuple[int, int, int]
    """First column, first row and side of the face's square, where the marks are painted."""
    regions: NDArray[np.float32]
    """(12, 32, 32) region maps over that square."""
    seed: int


def frozen() -> dict[str, object]:
    """What `heldout.json` holds."""
    data: dict[str, object] = json.loads(FROZEN.read_text())
    return data


def frozen_hash() -> str:
    """SHA-256 of `heldout.json`, printed in every result."""
    return hashlib.sha256(FROZEN.read_bytes()).hexdigest()


def scenes(shared: Path) -> Iterator[Scene]:
    """All frozen scenes, painted.

    Raises:
        MediaError: the portraits are missing, or a scene no longer paints as it was frozen.
    """
    people = {p.file.name: p for p in portraits(shared, heldout=True)}
    rows = frozen()["scenes"]
    assert isinstance(rows, list)
    for row in rows:
        if row["file"] not in people:
            raise MediaError(
                row["file"], "held-out portrait missing; name the folder with --shared"
            )
        plan = plan_from_json(row["plan"])
        kinds = tuple(Category(k) for k in row["kinds"])
        scene = paint(people[row["file"]], kinds, plan, int(row["seed"]), row["name"])
        for key, value in fingerprint(scene).items():
            if abs(value - row["fingerprint"][key]) > _TOLERANCE * max(
                row["fingerprint"][key], 0.2
            ):
                reason = (
                    f"scene {row['name']} paints differently than when it was frozen ({key} {value:.3f}, "
                    f"was {row['fingerprint'][key]:.3f}); keep the old painters for the held-out set"
                )
                raise MediaError(str(FROZEN), reason)
        yield scene


def paint(
    portrait: Portrait, kinds: tuple[Category, ...], plan: InstructionPlan, seed: int, name: str
) -> Scene:
    """Paints on the native pixels: a square around the face, neither scaled nor turned."""
    bgr = cv2.imread(str(portrait.file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError(str(portrait.file), "no readable picture; copy the portraits again")
    clean = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    box = square(portrait, clean.shape[:2])
    x0, y0, side = box
    inside = (slice(y0, y0 + side), slice(x0, x0 + side))
    points = portrait.landmarks - np.array((x0, y0), np.float32)
    regions = region_maps(points[list(LANDMARKS)] * (CROP_SIZE / side))
    skin = skin_of(np.ascontiguousarray(clean[inside]), points)
    rng = np.random.default_rng(seed)
    canvas = Canvas(clean[inside].astype(np.float32) / 255.0, points, skin, regions)
    marks = paint_face(canvas, rng, kinds)
    request = request_map(amounts(plan), regions)
    left = [1.0 - request[CATEGORIES.index(m.category)] for m in marks]
    pictures = []
    for shares in ([1.0] * len(marks), left):
        whole = clean.copy()
        whole[inside] = np.rint(compose(canvas, marks, shares) * 255).astype(np.uint8)
        pictures.append(whole)
    by_kind: dict[Category, NDArray[np.float32]] = {}
    for mark in marks:
        area = by_kind.setdefault(mark.category, np.zeros(clean.shape[:2], np.float32))
        patch = area[y0 + mark.y0 : y0 + mark.y1, x0 + mark.x0 : x0 + mark.x1]
        np.maximum(patch, mark.mask, out=patch)
    whole_skin = np.zeros(clean.shape[:2], np.float32)
    whole_skin[inside] = skin
    return Scene(
        name,
        portrait,
        kinds,
        plan,
        clean,
        pictures[0],
        pictures[1],
        by_kind,
        whole_skin,
        box,
        regions,
        seed,
    )


def square(portrait: Portrait, shape: tuple[int, int]) -> tuple[int, int, int]:
    """First column, first row and side of the canonical crop's square, cut to the picture."""
    transform = alignment(portrait.landmarks[list(LANDMARKS)])
    middle = transform[:, :2] @ np.full(2, (CROP_SIZE - 1) / 2) + transform[:, 2]
    side = round(float(np.hypot(transform[0, 0], transform[1, 0])) * CROP_SIZE)
    side = min(side, *shape)
    x0 = int(np.clip(round(middle[0] - side / 2), 0, shape[1] - side))
    y0 = int(np.clip(round(middle[1] - side / 2), 0, shape[0] - side))
    return x0, y0, side


def fingerprint(scene: Scene) -> dict[str, float]:
    source, target = scene.source.astype(np.float32), scene.target.astype(np.float32)
    return {
        "painted": round(float(np.abs(source - scene.clean).mean()), 4),
        "asked": round(float(np.abs(source - target).mean()), 4),
    }


def draw(people: Sequence[Portrait], seed: int) -> Iterator[Scene]:
    """Two scenes of every portrait, painted: all blemishes are to go, then a random plan.

    Kinds come from a shuffled deck, so that each comes about as often as any other.
    """
    rng = np.random.default_rng(seed)
    deck: list[Category] = []
    for portrait in people:
        for turn, everything in enumerate((True, False)):
            while len(set(deck)) < KINDS_A_FACE:
                deck += [CATEGORIES[i] for i in rng.permutation(len(CATEGORIES))]
            kinds = tuple(dict.fromkeys(deck))[:KINDS_A_FACE]
            for kind in kinds:
                deck.remove(kind)
            plan = InstructionPlan((Edit(BLEMISHES, (FACE,), 1.0),))
            if not everything:
                plan = InstructionPlan()
                while not plan.edits or plan.edits[0].category == BLEMISHES:
                    plan = random_plan(rng, kinds)
            own = int(rng.integers(2**31))
            yield paint(portrait, kinds, plan, own, f"{portrait.file.stem}-{turn}")


def freeze(shared: Path) -> None:
    """Draws and writes the set; refuses to do so twice."""
    if FROZEN.exists():
        raise MediaError(str(FROZEN), "the held-out set is frozen; it is not written again")
    people = portraits(shared, heldout=True)
    rows = []
    for number, scene in enumerate(draw(people, _FROZEN_SEED)):
        portrait = scene.portrait
        row: dict[str, object] = {"name": scene.name, "file": portrait.file.name}
        row |= {
            "person": portrait.person_id,
            "seed": scene.seed,
            "kinds": [k.value for k in scene.kinds],
        }
        rows.append(row | {"plan": plan_to_json(scene.plan), "fingerprint": fingerprint(scene)})
        print(f"\rpainting {number + 1}/{2 * len(people)}", end="", flush=True)
    persons = sorted({p.person_id for p in people})
    text = json.dumps({"version": 1, "persons": persons, "scenes": rows}, indent=1)
    FROZEN.write_text(text + "\n")
    print(f"\nwrote {FROZEN.name}: {len(rows)} scenes of {len(persons)} persons")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--freeze", action="store_true", required=True)
    try:
        freeze(parser.parse_args().shared)
    except StreamRetouchError as problem:
        raise SystemExit(f"benchmarks.heldout: {problem}") from None
