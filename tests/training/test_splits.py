"""The split by person, on a folder made by the test."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from stream_retouch.errors import MediaError
from training.splits import SOURCE_WEIGHTS, portraits

ROWS = [
    {"file": "london_001_neutral.jpg", "person_id": "london_001", "expression": "neutral"},
    {"file": "london_002_neutral.jpg", "person_id": "london_002", "expression": "neutral"},
    {"file": "canada_003f.jpg", "person_id": "canada_003f", "expression": "neutral"},
    {"file": "house_some-body.jpg", "person_id": "house_some-body", "expression": ""},
]


def write(shared: Path, known: int) -> None:
    """A manifest of ROWS, and landmarks for the first so many of them."""
    folder = shared / "faces" / "portraits"
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="") as out:
        table = csv.DictWriter(out, [*ROWS[0], "gender", "ethnicity"], restval="")
        table.writeheader()
        table.writerows(ROWS)
    files = np.array([row["file"] for row in ROWS[:known]])
    points = np.arange(known * 478 * 3, dtype=np.float32).reshape(known, 478, 3)
    np.savez(folder / "landmarks.npz", files=files, landmarks=points)


def test_persons_are_split_and_sources_weighted(tmp_path: Path) -> None:
    write(tmp_path, known=4)
    kept, held = portraits(tmp_path, heldout=False), portraits(tmp_path, heldout=True)
    assert [p.person_id for p in held] == ["london_002"]
    assert [p.source for p in kept] == ["london", "canada", "congress"]
    assert [p.weight for p in kept] == list(SOURCE_WEIGHTS.values())


def test_landmarks_go_with_their_file(tmp_path: Path) -> None:
    write(tmp_path, known=4)
    (held,) = portraits(tmp_path, heldout=True)
    assert held.landmarks.shape == (478, 2) and held.depth.shape == (478,)
    assert held.landmarks[0, 0] == 478 * 3 and held.depth[0] == 478 * 3 + 2


def test_a_portrait_without_landmarks_is_named(tmp_path: Path) -> None:
    write(tmp_path, known=3)
    with pytest.raises(
        MediaError, match="does not know house_some-body.jpg; copy the folder again"
    ):
        portraits(tmp_path, heldout=False)


def test_a_folder_without_landmarks_is_told(tmp_path: Path) -> None:
    write(tmp_path, known=4)
    (tmp_path / "faces" / "portraits" / "landmarks.npz").unlink()
    with pytest.raises(MediaError, match="no landmarks here; name the folder with --shared"):
        portraits(tmp_path, heldout=False)
