"""How far the landmarks are off: ``nme``, mean distance over the distance of the outer eye corners (33 to 263).

* portraits: the held-out portraits, looked at a few times each in the loose crop of the true alignment, rolled, scaled
  and shifted a little as a follower's last position is.
* clips: the semi-synthetic clips through the tracker, `Face.landmarks` against the exact ones of the same frame; lag
  and filter count. Those persons are in no portrait set.

``nme`` is the greater of the two. OpenSeeFace's row is of the 42 points that both have, its own definition of each
point taken off (mean offset on portraits that are not held out), and it is told where the face is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces.matching import match, oval_of
from benchmarks.faces.ours import picture_of_bgr, spot
from benchmarks.faces.stills import bgr_of
from benchmarks.faces.tones import Person, angle_of
from benchmarks.teachers.openseeface import OURS, THEIRS, OpenSeeFace
from stream_retouch.engine import LANDMARKS, FaceFinder
from stream_retouch.errors import MediaError
from stream_retouch.media.affine import Affine, compose
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.frames import Picture, picture_of
from stream_retouch.media.loose_crop import LOOSE_TO_CROP, loose_crop
from stream_retouch.media.regions import CANONICAL_POINTS, alignment
from training.splits import portraits

LOOKS = 4
"""Looks at each portrait."""
ROLL_DEG, SCALE, SHIFT = 4.0, 0.04, 0.015
"""Deviations of the last position: rolled, scaled, shifted by a share of the loose crop."""
PROBED = 10
"""Frames of each clip that are also looked at as a portrait is, for the skin tones."""
_EYES = LANDMARKS.index(33), LANDMARKS.index(263)
_MIDDLE = CANONICAL_POINTS.mean(axis=0)

Points = NDArray[np.float64]


def nme(points: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Mean distance of (K, 2) landmarks from the true ones, in distances of the true outer eye corners."""
    unit = float(np.hypot(*(truth[_EYES[1]] - truth[_EYES[0]])))
    return float(np.hypot(*(points - truth).T).mean()) / unit


def nudged(transform: Affine, rng: np.random.Generator) -> Affine:
    """The crop a little rolled, scaled and shifted about the face's middle."""
    angle, scale = np.radians(rng.normal(0, ROLL_DEG)), rng.normal(1, SCALE)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[c, -s], [s, c]])
    side = 96.0 * LOOSE_TO_CROP[0, 0]
    shift = _MIDDLE - matrix @ _MIDDLE + rng.normal(0, SHIFT, 2) * side
    return compose(transform, np.column_stack([matrix, shift]))


def look(
    finder: FaceFinder, picture: Picture, truth: Points, rng: np.random.Generator, looks: int
) -> list[Points]:
    """(K, 2) landmarks in frame pixels of so many looks near the true place."""
    looses = [compose(nudged(alignment(truth), rng), LOOSE_TO_CROP) for _ in range(looks)]
    found = finder.landmarks(np.stack([loose_crop(picture, loose) for loose in looses])).points
    return [
        points.astype(np.float64) @ loose[:, :2].T + loose[:, 2]
        for points, loose in zip(found, looses, strict=True)
    ]


def measure(
    finder: FaceFinder, shared: Path, share: float, tell: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, Person]]:
    """The figures, and each person's looks."""
    persons: dict[str, Person] = {}
    rng = np.random.default_rng(72)
    on_portraits, ours_common, theirs = _portraits(finder, shared, share, tell, persons, rng)
    on_clips, followed, by_clip = _clips(finder, shared, share, tell, persons, rng)
    means = [float(np.mean(v)) for v in (on_portraits, on_clips) if v]
    return {
        "nme": round(max(means), 4) if means else None,
        "nme_portraits": _mean(on_portraits),
        "nme_portraits_p95": _p95(on_portraits),
        "nme_clips": _mean(on_clips),
        "nme_clips_p95": _p95(on_clips),
        "nme_by_clip": by_clip,
        "clips_followed": round(followed, 4),
        "nme_common_points": {"ours": _mean(ours_common), "OpenSeeFace": theirs},
    }, persons


def _portraits(
    finder: FaceFinder,
    shared: Path,
    share: float,
    tell: Callable[[str], None],
    persons: dict[str, Person],
    rng: np.random.Generator,
) -> tuple[list[float], list[float], float | str]:
    people = portraits(shared, heldout=True)
    people = people[: max(2, round(len(people) * share))]
    every: list[float] = []
    common: list[float] = []
    teacher, offsets = _openseeface(shared, share)
    theirs: list[float] = []
    for n, portrait in enumerate(people):
        tell(f"landmarks of portraits {n + 1}/{len(people)}")
        bgr = bgr_of(portrait.file)
        truth = portrait.landmarks[list(LANDMARKS)].astype(np.float64)
        unit = float(np.hypot(*(truth[_EYES[1]] - truth[_EYES[0]])))
        seen = look(finder, picture_of_bgr(bgr), truth, rng, LOOKS)
        errors = [nme(points, truth) for points in seen]
        every += errors
        common += [float(np.hypot(*(p[OURS] - truth[OURS]).T).mean()) / unit for p in seen]
        person = persons.get(portrait.person_id)
        if person is None:
            tone = angle_of(np.ascontiguousarray(bgr[..., ::-1]), portrait.landmarks)
            person = persons.setdefault(portrait.person_id, Person(tone))
        person.errors += errors
        if teacher is not None:
            off = _theirs(teacher, bgr, truth) - offsets
            theirs.append(float(np.hypot(*off.T).mean()))
    if teacher is None:
        return every, common, f"left out: no {OpenSeeFace.name} weights in the data folder"
    return every, common, round(float(np.mean(theirs)), 4)


def _openseeface(shared: Path, share: float) -> tuple[OpenSeeFace | None, Points]:
    """The teacher, and where each of its points lies to ours, from portraits that are not held out."""
    try:
        teacher = OpenSeeFace(shared / "weights")
    except MediaError:
        return None, np.zeros((len(OURS), 2))
    offsets = []
    for portrait in portraits(shared, heldout=False)[:: max(6, round(6 / share))]:
        truth = portrait.landmarks[list(LANDMARKS)].astype(np.float64)
        offsets.append(_theirs(teacher, bgr_of(portrait.file), truth))
    return teacher, np.mean(offsets, axis=0)


def _theirs(teacher: OpenSeeFace, bgr: NDArray[np.uint8], truth: Points) -> Points:
    """(42, 2) its common points less ours, in distances of the outer eye corners."""
    brows = truth[[LANDMARKS.index(mesh) for mesh in (70, 105, 300, 334)], 1].min()
    low, high = truth.min(axis=0), truth.max(axis=0)
    found = teacher.landmarks(bgr, np.array([low[0], brows]), high)
    unit = float(np.hypot(*(truth[_EYES[1]] - truth[_EYES[0]])))
    return np.asarray((found[THEIRS] - truth[OURS]) / unit)


def _clips(
    finder: FaceFinder,
    shared: Path,
    share: float,
    tell: Callable[[str], None],
    persons: dict[str, Person],
    rng: np.random.Generator,
) -> tuple[list[float], float, dict[str, float | None]]:
    folder = shared / "faces" / "video" / "semi_synthetic"
    paths = sorted(folder.glob("*.mp4"))
    paths = paths[: max(1, round(len(paths) * share))]
    if not paths:
        raise MediaError(str(folder), "no clips here; name the data folder with --shared")
    every: list[float] = []
    by_clip: dict[str, float | None] = {}
    frames = followed = 0
    for n, path in enumerate(paths):
        tell(f"landmarks of clips {n + 1}/{len(paths)}")
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as data:
            meshes = data["landmarks"].astype(np.float64)
        tracker, errors = FaceTracker(finder), []
        with av.open(str(path)) as container:
            for i, frame in enumerate(container.decode(video=0)):
                picture, truth = picture_of(frame), meshes[i][list(LANDMARKS)]
                faces = tracker.update(picture, float(frame.time or 0.0))
                tracker.seek(picture)
                frames += 1
                at = match([oval_of(truth)], [spot(face) for face in faces])[0]
                if at is not None:
                    followed += 1
                    errors.append(nme(faces[at].landmarks, truth))
                if i % (len(meshes) // PROBED) == 0:
                    _probe(finder, frame, picture, meshes[i], path.stem, persons, rng)
        every += errors
        by_clip[path.stem] = _mean(errors)
    return every, followed / max(frames, 1), by_clip


def _probe(
    finder: FaceFinder,
    frame: av.VideoFrame,
    picture: Picture,
    mesh: Points,
    name: str,
    persons: dict[str, Person],
    rng: np.random.Generator,
) -> None:
    """One look at a frame as at a portrait, for the person's tone group."""
    truth = mesh[list(LANDMARKS)]
    if name not in persons:
        persons[name] = Person(
            angle_of(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), mesh)
        )
    persons[name].errors += [nme(p, truth) for p in look(finder, picture, truth, rng, 1)]


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _p95(values: list[float]) -> float | None:
    return round(float(np.percentile(values, 95)), 4) if values else None
