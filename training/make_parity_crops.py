"""Freezes the crops that engines are compared with eager on: ``python -m training.make_parity_crops``.

Two public-domain portraits (NASA's Eileen Collins inside scikit-image, the US Navy's Grace Hopper inside matplotlib)
are found and aligned by the code that serves, painted with marks of known kinds at several poses and exposures, and
written as one JPEG strip with the region maps beside it: engines/weights/parity_crops.npz, at most 300 kB.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from engines.face_finder import NetFinder
from engines.parity import CROPS
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.errors import MediaError, StreamRetouchError
from stream_retouch.language.plan import Category
from stream_retouch.media.faces import FaceTracker
from stream_retouch.media.frames import Picture, picture_of, take_crop
from stream_retouch.media.regions import into_crop, region_maps
from training.imperfections import Canvas, compose, paint_face

MAX_BYTES = 300_000
JPEG_QUALITY = 90
PAINT_SIDE = 2 * CROP_SIZE
"""Marks are painted finer than the crop, as a camera sees them."""
SEED = 20

POSES: tuple[tuple[float, float, float, float, float], ...] = (
    (0.0, 0.0, 0.0, 1.00, 1.00),
    (6.0, 9.0, -6.0, 1.08, 0.62),
    (-9.0, -8.0, 5.0, 0.93, 1.22),
    (3.0, 4.0, 10.0, 1.15, 0.80),
)
"""Turn (degrees), shift right and down (crop pixels), size and exposure of each crop of a portrait."""
KINDS = (
    Category.SPOT,
    Category.MOLE,
    Category.PIMPLE,
    Category.ACNE,
    Category.FRECKLE,
    Category.REDNESS,
)
"""Kinds that need no landmark beyond those of the seam."""


def portraits() -> list[NDArray[np.uint8]]:
    """Both portraits, (H, W, 3) RGB.

    Raises:
        MediaError: one cannot be read.
    """
    from matplotlib.cbook import get_sample_data
    from skimage.data import astronaut

    path = get_sample_data("grace_hopper.jpg", asfileobj=False)
    hopper = cv2.imread(str(path))
    if hopper is None:
        raise MediaError(str(path), "cannot be read; reinstall matplotlib")
    return [astronaut(), np.ascontiguousarray(hopper[..., ::-1], np.uint8)]


def face_in(picture: Picture, finder: NetFinder) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Transform and landmarks of the only face.

    Raises:
        MediaError: there is none.
    """
    tracker = FaceTracker(finder)
    for step in range(30):  # a still: the tracker settles
        faces = tracker.update(picture, step / 30)
    if not faces:
        raise MediaError("portrait", "no face is found; train the landmarker")
    return faces[0].transform, faces[0].landmarks


def posed(
    transform: NDArray[np.float64], degrees: float, right: float, down: float, size: float
) -> NDArray[np.float64]:
    """The transform of a crop that shows the face turned, shifted and larger, as a tracker may be off."""
    turn = np.radians(degrees)
    cos, sin = np.cos(turn) / size, np.sin(turn) / size
    inner = np.array(((cos, -sin), (sin, cos)))
    middle = np.full(2, (CROP_SIZE - 1) / 2)
    shift = middle - inner @ (middle + (right, down))
    matrix = transform[:, :2] @ inner
    return np.column_stack((matrix, transform[:, :2] @ shift + transform[:, 2]))


def sample(
    picture: Picture,
    transform: NDArray[np.float64],
    landmarks: NDArray[np.float32],
    exposure: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A painted crop (CROP_SIZE, CROP_SIZE, 3) RGB and its region maps (12, 32, 32)."""
    points = into_crop(landmarks, transform).astype(np.float32)
    regions = region_maps(points)
    scale = PAINT_SIDE / CROP_SIZE
    mesh = np.zeros((478, 2), np.float32)
    mesh[list(LANDMARKS)] = (points + 0.5) * scale - 0.5
    large = take_crop(picture, transform, PAINT_SIDE).astype(np.float32) / 255
    skin = cv2.resize(regions.max(0), (PAINT_SIDE, PAINT_SIDE), interpolation=cv2.INTER_LINEAR)
    canvas = Canvas(np.clip(large * exposure, 0, 1), mesh, np.asarray(skin, np.float32), regions)
    marks = paint_face(canvas, rng, KINDS)
    painted = compose(canvas, marks, [1.0] * len(marks))
    small = cv2.resize(painted, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8), regions


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.make_parity_crops",
        description="Freeze the crops engines are compared on.",
    )
    parser.add_argument("--out", type=Path, default=CROPS)
    args = parser.parse_args(argv)
    rng = np.random.default_rng(SEED)
    crops, regions = [], []
    try:
        finder = NetFinder.load()
        for rgb in portraits():
            picture = picture_of(av.VideoFrame.from_ndarray(rgb, format="rgb24"))
            transform, landmarks = face_in(picture, finder)
            for degrees, right, down, size, exposure in POSES:
                pose = posed(transform, degrees, right, down, size)
                crop, maps = sample(picture, pose, landmarks, exposure, rng)
                crops.append(crop)
                regions.append(maps)
    except StreamRetouchError as problem:
        print(f"training.make_parity_crops: {problem}", file=sys.stderr)
        return 1
    strip = np.concatenate(crops)[..., ::-1]
    _, jpeg = cv2.imencode(".jpg", strip, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    codes = np.rint(np.stack(regions) * 255).astype(np.uint8)
    np.savez_compressed(args.out, jpeg=jpeg, regions=codes)
    size = args.out.stat().st_size
    print(f"{args.out}: {len(crops)} crops, {size} bytes")
    if size > MAX_BYTES:
        print(f"larger than {MAX_BYTES} bytes; lower JPEG_QUALITY", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
