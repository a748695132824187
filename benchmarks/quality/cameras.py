"""Whether it works on other people's cameras: ``python -m benchmarks.quality.cameras [FILE ...]``.

The portraits that training and all other figures know are of one studio. Webcams draw edges after, deepen shadows, and
have colours of their own. Here the painted scenes of the validation persons (source and target alike) are made up as
such cameras do, each network answers them, and gain and untouched skin are told as in `benchmarks.quality`, by camera.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import heldout
from benchmarks.quality import ours, scenes
from benchmarks.quality.paired import FIRST_SEED
from benchmarks.quality.sums import Sums, gain_db
from benchmarks.quality.told import told
from benchmarks.quality.views import views
from training.progress import progress

Picture = NDArray[np.uint8]
Made = NDArray[np.float32]
Camera = Callable[[Made, int], Made]
"""Makes up a picture (H, W, 3) RGB 0..1 with a face of so many pixels a side; may leave that range."""

FACE_PX = 380
"""Side of the face's square at which the steps below are meant: about what a webcam shows."""
_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)


def sharp(amount: float) -> Camera:
    """What a blur of 1.2 pixels takes away is added `amount` times."""

    def made(picture: Made, side: int) -> Made:
        soft = cv2.GaussianBlur(picture, (0, 0), 1.2 * side / FACE_PX)
        return np.asarray(picture + np.float32(amount) * (picture - soft), np.float32)

    return made


def contrast(more: float) -> Camera:
    """A curve whose slope is 1 + `more` in the middle and 1 - 2 `more` at both ends."""

    def made(picture: Made, side: int) -> Made:
        x = np.clip(picture, 0, 1)
        return np.asarray(x + np.float32(4 * more) * (x - 0.5) * x * (1 - x), np.float32)

    return made


def colours(strength: float) -> Camera:
    """Colours so many times as strong, luma as it was."""
    turn = strength * np.eye(3, dtype=np.float32) + (1 - strength) * _LUMA
    return lambda picture, side: np.asarray(cv2.transform(picture, turn), np.float32)


def light(red: float, blue: float) -> Camera:
    """A white balance that is off."""
    return lambda picture, side: picture * np.array((red, 1, blue), np.float32)


def grain(sigma: float) -> Camera:
    """Noise of so many code values, lumps of a pixel and a half."""

    def made(picture: Made, side: int) -> Made:
        noise = np.random.default_rng(0).standard_normal(picture.shape[:2]).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), 0.8 * side / FACE_PX)
        return np.asarray(picture + (noise * (sigma / 255 / noise.std()))[..., None], np.float32)

    return made


def after(*steps: Camera) -> Camera:
    """One step after the other."""

    def made(picture: Made, side: int) -> Made:
        for step in steps:
            picture = step(picture, side)
        return picture

    return made


CAMERAS: dict[str, Camera] = {
    "as it is": after(),
    "edges drawn after": sharp(1.0),
    "more contrast": contrast(0.4),
    "strong colours": colours(1.5),
    "pale colours": colours(0.6),
    "warm light": light(1.15, 0.8),
    "cold light": light(0.9, 1.15),
    "grain": grain(4.0),
    "all that webcams do": after(sharp(1.0), contrast(0.4), colours(1.3), grain(4.0)),
}


def seen_by(camera: Camera, scene: heldout.Scene) -> heldout.Scene:
    """The scene as that camera shows it."""

    def shown(picture: Picture) -> Picture:
        made = camera(picture.astype(np.float32) / 255, scene.box[2])
        return np.asarray(np.rint(np.clip(made, 0, 1) * 255), np.uint8)

    return dataclasses.replace(
        scene, clean=shown(scene.clean), source=shown(scene.source), target=shown(scene.target)
    )


def figures(row: ours.AnyRow, drawn: Sequence[heldout.Scene]) -> dict[str, float | None]:
    """Gain, untouched skin and the share removed, pooled over scenes."""
    sums, nothing = Sums(), Sums()
    for scene in drawn:
        s = views(scene)
        sums.add(row.retouch(scene.source, scene.plan).picture, s)
        nothing.add(s.source, s)
    values = sums.figures()
    return {
        "masked_psnr_gain_db": round(gain_db(sums, nothing), 2),
        "clean_psnr_db": round(values["clean_psnr_db"] or 0.0, 2),
        "named_removed": round(sums.removed(), 3),
    }


def table(rows: dict[str, dict[str, dict[str, float | None]]]) -> str:
    """By camera, each network in columns, in Markdown."""
    names = list(rows)
    head = "".join(f" {name}: gain dB | clean dB | removed |" for name in names)
    lines = [f"| camera |{head}", "|---|" + "---:|" * 3 * len(names)]
    for camera in rows[names[0]]:
        cells = (value for name in names for value in rows[name][camera].values())
        lines.append(f"| {camera} | " + " | ".join(f"{value}" for value in cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    return told("cameras", lambda: _measured(args), lambda found: table(found["rows"]))


def _measured(args: argparse.Namespace) -> dict[str, Any]:
    drawn = list(heldout.draw(scenes.people(args.shared, "validation"), FIRST_SEED))
    rows: dict[str, dict[str, dict[str, float | None]]] = {}
    whole = len(CAMERAS) * max(1, len(args.weights))
    for file in args.weights or [None]:
        row = ours.whole(args.engine, file)
        of = rows.setdefault("ships" if file is None else str(file), {})
        with contextlib.closing(row.engine):
            for name, camera in CAMERAS.items():
                of[name] = figures(row, [seen_by(camera, scene) for scene in drawn])
                progress("cameras", sum(map(len, rows.values())), whole)
    return {"scenes": len(drawn), "rows": rows}


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.cameras",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "weights", nargs="*", type=Path, help="networks (default: the one that ships)"
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--engine", default="openvino")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
