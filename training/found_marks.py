"""Real marks that the network itself finds, taken over as true examples: one round of self-training.

``python -m training.found_marks CACHE --weights W`` looks at every training portrait of a cache and writes
``found.npy`` and ``cleaned.npy`` beside it. From then on `training.examples` treats what was found as it treats painted
marks (`training.own_marks`), and an instruction may name it.

Only small isolated marks are taken (moles, pimples, acne, spots): a mark must stand out of the skin around it at the
portrait's own resolution *and* the network must have evidence for it in several looks (mirrored, moved, zoomed), so
that neither pores, which stand out, nor shades, of which the network is in doubt, become examples. Larger defects stay
where the loss looks away. A sheet of the portraits before and after goes beside the arrays: look at it before training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from engines.retouchgpt.canonical import tokens
from engines.retouchgpt.checkpoint import load
from engines.retouchgpt.model import RetouchGPT
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.errors import StreamRetouchError
from stream_retouch.language.plan import (
    BLEMISHES,
    CATEGORIES,
    FACE,
    Category,
    Edit,
    InstructionPlan,
    amounts,
    request_map,
)
from stream_retouch.media.regions import face_maps
from stream_retouch.media.skin import skin_evidence
from training.arrays import new_arrays
from training.own_marks import KINDS
from training.portrait_cache import COVER, CachedPortrait, PortraitCache
from training.progress import progress
from training.warp import warped

SURE = 0.1
"""Mean evidence over all looks from which a mark counts: low, for evidence of what nobody painted is."""
_SEARCHED = (*KINDS, Category.FRECKLE)
_SIGMAS = (0.7, 1.1, 1.7, 2.5, 3.7)
"""Scales of spots, crop pixels; the last only tells what lies around."""
_ROUND, _ROUND_OUTSIDE = 0.35, 0.15
"""Least ratio of a spot's curvatures, and of those of its surroundings."""
_CORNERS = (133, 362, 33, 263, 61, 291)
"""Mesh points at the corners of eyes and mouth."""
_NOSE = (168, 122, 351, 188, 412, 198, 420, 129, 358, 48, 278, 64, 294, 98, 327, 2)
"""Mesh points around the nose, whose flanks and wings shade by themselves."""
_CORNERS_AWAY, _NOSE_AWAY = 9.0, 4.0
"""How far to stay away from both, crop pixels."""
_ROUGH = 1.5
"""Skin so many times rougher than the face's usual skin is stubble or gloss."""
_LOOKS = (
    (0.0, 0.0, 1.0, False),
    (2.0, -1.0, 1.04, True),
    (-2.0, 1.5, 0.96, False),
    (1.0, 2.0, 1.0, True),
)
"""Moves in crop pixels, zoom and mirroring."""


def evidence(model: RetouchGPT, portrait: CachedPortrait) -> NDArray[np.float32]:
    """Mean evidence of every kind over all looks, (17, S, S) on the cached square at a quarter of its side."""
    plan = InstructionPlan((Edit(BLEMISHES, (FACE,), 1.0),))
    words = torch.tensor([tokens(plan, model.config.max_words)])
    small = portrait.side // 4
    total = np.zeros((len(CATEGORIES), small, small), np.float32)
    for dx, dy, zoom, mirrored in _LOOKS:
        step = portrait.crop_side / CROP_SIZE * zoom
        half, middle = (CROP_SIZE - 1) / 2, (portrait.side - 1) / 2
        sign = -1.0 if mirrored else 1.0
        to_square = np.array(
            (
                (sign * step, 0, middle + step * (dx - sign * half)),
                (0, step, middle + step * (dy - half)),
            )
        )
        crop = warped(portrait.rgb, to_square, CROP_SIZE)
        mesh = portrait.landmarks[portrait.mirrored] if mirrored else portrait.landmarks
        points = (mesh[list(LANDMARKS)] - to_square[:, 2]) / np.diag(to_square[:, :2])
        maps = face_maps(points, skin_evidence(crop, points))
        request = request_map(amounts(plan), maps.regions, maps.uncut)
        x = torch.from_numpy(crop.copy())[None].permute(0, 3, 1, 2).float() / 255.0
        with torch.no_grad():
            out, _ = model(x, torch.from_numpy(request)[None], words, torch.ones(1))
        seen = torch.sigmoid(out.logits)[0].numpy()
        cells = seen.shape[-1]
        # from pixels of the small square to cells of the evidence
        to_cells = np.linalg.inv(np.vstack((to_square, (0, 0, 1))))[:2]
        scale, shrink = cells / CROP_SIZE, portrait.side / small
        to_cells = to_cells * scale
        to_cells[:, 2] += to_cells[:, :2] @ np.full(2, (shrink - 1) / 2) + (scale - 1) / 2
        to_cells[:, :2] *= shrink
        for k, plane in enumerate(seen):
            total[k] += cv2.warpAffine(
                plane, to_cells, (small, small), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            )
    return total / len(_LOOKS)


def found(
    model: RetouchGPT, portrait: CachedPortrait
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Number of the kind of each pixel that belongs to a mark (S, S), 0 elsewhere; and the portrait without them.

    Returns:
        (S, S) 0..len(KINDS), and (S, S, 3) RGB.
    """
    side = portrait.side
    seen = evidence(model, portrait)
    searched = seen[[CATEGORIES.index(k) for k in _SEARCHED]].max(0)
    kind = seen[[CATEGORIES.index(k) for k in KINDS]].argmax(0).astype(np.uint8) + 1
    sure = cv2.resize(searched, (side, side), interpolation=cv2.INTER_LINEAR)
    kinds = cv2.resize(kind, (side, side), interpolation=cv2.INTER_NEAREST)
    skin = np.asarray(portrait.skin, np.float32) / 255.0
    labels, chosen = np.zeros((side, side), np.uint8), np.zeros((side, side), np.uint8)
    for x, y, radius in _blobs(np.asarray(portrait.rgb), _open_skin(portrait)):
        box = slice(max(y - radius, 0), y + radius + 1), slice(max(x - radius, 0), x + radius + 1)
        if float(sure[box].max()) < SURE:
            continue
        cv2.circle(chosen, (x, y), radius, 1, -1)
        cv2.circle(labels, (x, y), radius, int(np.bincount(kinds[box].ravel()).argmax()), -1)
    reach = max(round(0.004 * portrait.crop_side), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown = cv2.dilate(chosen, disc)
    labels = np.where(grown > 0, cv2.dilate(labels, disc), 0).astype(np.uint8)
    return labels, _filled(np.asarray(portrait.rgb), grown, skin)


def _open_skin(portrait: CachedPortrait) -> NDArray[np.bool_]:
    """(S, S) skin well away from what has edges of its own: wings of the nose, lids, lips, brows, hair."""
    unit = portrait.crop_side / CROP_SIZE
    solid = (np.asarray(portrait.skin) > 230).astype(np.uint8)
    reach = 2 * round(3.0 * unit) + 1
    open_skin = cv2.erode(solid, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    for x, y in np.rint(portrait.landmarks[list(_CORNERS)]).astype(int):
        cv2.circle(open_skin, (int(x), int(y)), round(_CORNERS_AWAY * unit), 0, -1)
    nose = cv2.convexHull(np.rint(portrait.landmarks[list(_NOSE)]).astype(np.int32))
    cv2.fillConvexPoly(open_skin, nose, 0)
    cv2.polylines(open_skin, [nose], True, 0, 2 * round(_NOSE_AWAY * unit) + 1)
    return (open_skin > 0) & _smooth(np.asarray(portrait.rgb), solid.astype(np.float32), unit)


def _smooth(rgb: NDArray[np.uint8], solid: NDArray[np.float32], unit: float) -> NDArray[np.bool_]:
    """(S, S) where the fine detail of the luma is about as strong as on the face's usual skin.

    Detail is clipped before it is averaged: a mole on smooth skin does not make its surroundings rough.
    """
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), unit))
    inside = solid > 0
    if not inside.any():
        return inside
    rough = _mean(np.minimum(fine, np.quantile(fine[inside], 0.9)), solid, 4.0 * unit)
    return np.asarray(rough < _ROUGH * float(np.median(rough[inside])))


def _blobs(rgb: NDArray[np.uint8], where: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Middle and radius in pixels of spots darker or redder than what is around them in *every* direction.

    The smaller eigenvalue of the Hessian tells: folds and edges are curved in one direction only, and what texture
    there is along them is no longer round at the next larger scale.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    unit = rgb.shape[0] / COVER / CROP_SIZE
    solid = where.astype(np.float32)
    best = np.zeros(where.shape, np.float32)
    radius = np.zeros(where.shape, np.uint8)
    for plane, floor in ((lab[..., 0], 0.55), (-lab[..., 1], 0.45)):
        bends = [_bends(plane, sigma * unit) for sigma in _SIGMAS]
        for sigma, (least, most), (outer_least, outer_most) in zip(
            _SIGMAS, bends[:-1], bends[1:], strict=False
        ):
            isolated = (least > _ROUND * most) & (outer_least > _ROUND_OUTSIDE * outer_most)
            answer = np.maximum(least, 0.0) * isolated
            spread = np.sqrt(_mean(np.minimum(answer, 2.0) ** 2, solid, 24 * unit))
            score = answer / np.maximum(floor, 3.0 * spread) * solid
            take = score > best
            best[take] = score[take]
            radius[take] = max(round(1.7 * sigma * unit), 2)
    reach = 2 * round(1.5 * unit) + 1
    peaks = (best > 1.0) & (best >= cv2.dilate(best, np.ones((reach, reach), np.uint8)))
    ys, xs = np.nonzero(peaks)
    return [(int(x), int(y), int(radius[y, x])) for x, y in zip(xs, ys, strict=True)]


def _bends(
    plane: NDArray[np.float32], sigma: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The smaller and the greater eigenvalue of the Hessian at a scale, normalised, positive in a hollow."""
    smooth = cv2.GaussianBlur(plane, (0, 0), sigma)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *d) / 8.0 for d in ((1, 0), (0, 1)))
    dxx, dxy = (cv2.Sobel(dx, cv2.CV_32F, *d) / 8.0 for d in ((1, 0), (0, 1)))
    dyy = cv2.Sobel(dy, cv2.CV_32F, 0, 1) / 8.0
    middle, half = (dxx + dyy) / 2.0, (dxx - dyy) / 2.0
    apart = np.sqrt(half * half + dxy * dxy)
    scale = np.float32(sigma * sigma)
    return (middle - apart) * scale, (middle + apart) * scale


def _mean(
    plane: NDArray[np.float32], weight: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    return np.asarray(
        cv2.GaussianBlur(plane * weight, (0, 0), sigma)
        / (cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-3)
    )


def _filled(
    rgb: NDArray[np.uint8], holes: NDArray[np.uint8], skin: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """The picture with the skin level of the surround in the holes, and the texture of skin nearby on it."""
    if not holes.any():
        return rgb.copy()
    level = cv2.inpaint(rgb, cv2.dilate(holes, np.ones((3, 3), np.uint8)), 5, cv2.INPAINT_TELEA)
    level = level.astype(np.float32)
    smooth = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), 3.0)
    texture = rgb - smooth
    usable = ((holes == 0) & (skin > 0.9)).astype(np.uint8)
    # the nearest place aside whose whole neighbourhood is untouched skin lends its texture
    moved = np.zeros_like(texture)
    left = np.ones(holes.shape, bool)
    for reach in (14, 22, 34, 48):
        for dx, dy in ((reach, 0), (-reach, 0), (0, reach), (0, -reach)):
            there = np.roll(usable, (dy, dx), (0, 1)) > 0
            take = left & there
            moved[take] = np.roll(texture, (dy, dx), (0, 1))[take]
            left &= ~there
    weight = cv2.GaussianBlur(
        cv2.dilate(holes, np.ones((3, 3), np.uint8)).astype(np.float32), (0, 0), 1.0
    )
    weight = np.maximum(weight, holes)[..., None]
    filled = rgb + weight * (level + moved - rgb)
    return np.clip(np.rint(filled), 0, 255).astype(np.uint8)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.found_marks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("cache", type=Path, help="folder of training.portrait_cache")
    parser.add_argument("--weights", type=Path, help="default: those that ship")
    parser.add_argument(
        "--limit",
        type=int,
        default=10**9,
        help="only the first so many: a trial, of which the sheet alone is kept",
    )
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        search(PortraitCache(args.cache), args.cache, load(args.weights), args.limit)
    except StreamRetouchError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def search(portraits: PortraitCache, cache: Path, model: RetouchGPT, limit: int) -> None:
    """Writes found.npy and cleaned.npy beside the portraits of `cache`, and a sheet to look at.

    Args:
        limit: only the first so many: a trial, of which the sheet alone is kept.

    Raises:
        MediaError: the disk is too full.
    """
    count = min(len(portraits), limit)
    side = portraits[0].side
    shape = (len(portraits), side, side)
    wanted = {"found.tmp": (np.uint8, shape), "cleaned.tmp": (np.uint8, (*shape, 3))}
    kinds, cleaned = new_arrays(cache, wanted).values()
    rows = []
    marks = 0
    for i in range(count):
        if portraits.records[i]["source"] == "congress":
            # graded, sharpened, and often with glasses, whose rims and shadows stand out
            kinds[i], cleaned[i] = 0, portraits[i].rgb
        else:
            kinds[i], cleaned[i] = found(model, portraits[i])
        marks += cv2.connectedComponents((kinds[i] > 0).astype(np.uint8))[0] - 1
        if i % max(count // 12, 1) == 0:
            rows.append(_row(np.asarray(portraits[i].rgb), cleaned[i], kinds[i]))
        progress("portraits", i + 1, count)
    kinds.flush()
    cleaned.flush()
    for name in ("found", "cleaned"):
        if count < len(portraits):
            (cache / f"{name}.tmp.npy").unlink()
            continue
        (cache / f"{name}.tmp.npy").replace(cache / f"{name}.npy")
    cv2.imwrite(str(cache / "found.jpg"), np.vstack(rows)[..., ::-1])
    print(f"{marks} marks on {count} portraits; look at {cache / 'found.jpg'}")


def _row(
    before: NDArray[np.uint8], after: NDArray[np.uint8], kinds: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    inner = slice(before.shape[0] // 5, before.shape[0] * 4 // 5)
    outlined = before.copy()
    lines, _ = cv2.findContours(
        (kinds > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(outlined, lines, -1, (0, 255, 0), 1)
    return np.hstack([p[inner, inner] for p in (before, outlined, after)])


if __name__ == "__main__":
    sys.exit(main())
