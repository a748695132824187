"""Measures each detector's `MAPPING`, on portraits that are not held out: ``python -m benchmarks.teachers``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from benchmarks.faces.matching import oval_of
from benchmarks.teachers.blazeface import BlazeFace
from benchmarks.teachers.boxes import BoxMapping, Teacher, measured
from benchmarks.teachers.cascade import Cascade
from benchmarks.teachers.yunet import YuNet
from stream_retouch.engine import LANDMARKS
from stream_retouch.errors import StreamRetouchError
from training.splits import portraits


def main() -> None:
    """Prints the median of each constant, and how many portraits it is of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--every", type=int, default=3, help="take every so-manieth portrait")
    args = parser.parse_args()
    plain, weights = BoxMapping(0.0, 1.0), args.shared / "weights"
    teachers: list[Teacher] = [
        YuNet(weights, mapping=plain),
        BlazeFace(weights, mapping=plain),
        Cascade(plain),
    ]
    found: dict[str, list[BoxMapping]] = {teacher.name: [] for teacher in teachers}
    for portrait in portraits(args.shared, heldout=False)[:: args.every]:
        bgr = np.asarray(cv2.imread(str(portrait.file), cv2.IMREAD_COLOR), np.uint8)
        small = cv2.resize(bgr, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        truth = oval_of((portrait.landmarks[list(LANDMARKS)] + 0.5) / 2 - 0.5)
        for teacher in teachers:
            seen = sorted(teacher.find(np.asarray(small, np.uint8)), key=lambda s: -s.score)
            found[teacher.name] += [measured(spot, truth) for spot in seen[:1]]
    for name, rows in found.items():
        down, scale = (np.array([getattr(row, key) for row in rows]) for key in ("down", "scale"))
        print(
            f"{name}: down={np.median(down):.3f} (sd {down.std():.3f}), "
            f"scale={np.median(scale):.3f} (sd {scale.std():.3f}), {len(rows)} portraits"
        )


if __name__ == "__main__":
    try:
        main()
    except StreamRetouchError as problem:
        sys.exit(f"benchmarks.teachers: {problem}")
