"""Arrays on disk: begun anew without touching what others hold, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_retouch.errors import MediaError
from training import found_marks
from training.arrays import new_arrays


def test_what_a_link_points_to_stays_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "others.npy", np.ones(3))
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "rgb.npy").symlink_to(tmp_path / "others.npy")
    arrays = new_arrays(folder, {"rgb": (np.float64, (3,)), "skin": (np.uint8, (2, 2))})
    arrays["rgb"][:] = 7
    arrays["rgb"].flush()  # type: ignore[attr-defined]
    assert np.load(folder / "rgb.npy").tolist() == [7, 7, 7]
    assert np.load(tmp_path / "others.npy").tolist() == [1, 1, 1]
    assert np.load(folder / "skin.npy").shape == (2, 2)


def test_a_disk_too_full_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    np.save(tmp_path / "rgb.npy", np.ones(3))
    (tmp_path / "index.json").write_text("{}")
    huge = {"rgb": (np.uint8, (1,)), "skin": (np.uint8, (10**9, 10**9))}
    with pytest.raises(MediaError, match="make room or take less"):
        new_arrays(tmp_path, huge, stale=[tmp_path / "index.json"])
    assert np.load(tmp_path / "rgb.npy").tolist() == [1, 1, 1]
    assert (tmp_path / "index.json").is_file()
    new_arrays(tmp_path, {"rgb": (np.uint8, (1,))}, stale=[tmp_path / "index.json"])
    assert not (tmp_path / "index.json").exists()


def test_what_is_taken_away_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "cleaned.npy", np.ones(1000))
    full = type("Usage", (), {"free": 100})
    monkeypatch.setattr("training.arrays.shutil.disk_usage", lambda folder: full)
    wanted = {"rgb": (np.uint8, (4000,))}
    with pytest.raises(MediaError, match="make room"):
        new_arrays(tmp_path, wanted)
    new_arrays(tmp_path, wanted, stale=[tmp_path / "cleaned.npy"])
    assert not (tmp_path / "cleaned.npy").exists()


def test_marks_are_not_looked_for_where_there_is_no_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert found_marks.main([str(tmp_path)]) == 1
    assert "run python -m training.portrait_cache" in capsys.readouterr().err
