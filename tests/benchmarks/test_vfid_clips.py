"""Folders of videos, the face that is followed, and marks that move with the skin."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.vfid import clips, pixels
from benchmarks.vfid.__main__ import main
from benchmarks.vfid.followed import SEGMENT, Sight, placed, segments, square
from benchmarks.vfid.painting import KINDS, Layer, Spline, kinds_of, mesh_of, paint, with_marks
from benchmarks.vfid.rows import smoothed
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.errors import MediaError
from stream_retouch.language.plan import CATEGORIES
from stream_retouch.media.frames import picture_of
from stream_retouch.media.regions import CANONICAL_POINTS, region_maps
from tests.training.mesh import made_up_mesh

SIDE = 320


def _frame(rgb: NDArray[np.uint8], pts: int = 0) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 25)
    return frame


def _video(path: Path, count: int = 3, side: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = side
        for i in range(count):
            grey = np.full((side, side, 3), 40 + 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        container.mux(stream.encode(None))
    return path


def test_videos_are_paired_by_name_whatever_their_suffix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a/two.mkv", "a/one.mp4", "b/one.avi", "b/two.mkv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / "a" / ".hidden").touch()
    found = clips.pairs(tmp_path / "a", tmp_path / "b")
    assert [(name, r.name, o.name) for name, r, o in found] == [
        ("one", "one.mp4", "one.avi"),
        ("two", "two.mkv", "two.mkv"),
    ]
    told = capsys.readouterr().err
    assert "no videos, left out: notes.txt" in told and "hidden" not in told


def test_missing_halves_empty_folders_and_twins_are_told(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    with pytest.raises(MediaError, match="no such folder; name one"):
        clips.pairs(a, b)
    a.mkdir()
    b.mkdir()
    (b / "one.mp4").touch()
    with pytest.raises(MediaError, match="no video here .*; name another folder"):
        clips.pairs(a, b)
    for name in ("one.mp4", "two.mp4", "three.mp4"):
        (a / name).touch()
    with pytest.raises(
        MediaError, match=r"b: no counterpart of three.mp4 \(and 1 more: two\); add"
    ):
        clips.pairs(a, b)
    with pytest.raises(MediaError, match="a: no counterpart of four.mp4; add it"):
        (b / "four.mp4").touch()
        (b / "two.mp4").touch()
        (b / "three.mp4").touch()
        clips.pairs(a, b)
    (a / "one.mkv").touch()
    with pytest.raises(MediaError, match="two videos of the name 'one'.*rename one"):
        clips.pairs(a, b)


def test_the_middle_of_a_video_is_what_it_says(tmp_path: Path) -> None:
    path = _video(tmp_path / "clip.mp4", 9)
    assert clips.length(path) == 9
    levels = [int(clips.rgb_of(frame).mean()) for frame in clips.middle(path, 3)]
    assert levels == pytest.approx([70, 80, 90], abs=3)
    assert len(clips.middle(path, 20)) == len(clips.middle(path, None)) == 9
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError, match="no readable video.*encode it again"):
        clips.length(tmp_path / "broken.mp4")


@pytest.mark.parametrize(("count", "side"), [(4, 64), (3, 48)])
def test_halves_of_unlike_length_or_size_end_the_run_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, side: int
) -> None:
    _video(tmp_path / "a" / "one.mp4")
    _video(tmp_path / "b" / "one.mp4", count, side)
    weights = tmp_path / "weights" / "vgg19_slim16x_5SE.npz"
    weights.parent.mkdir()
    weights.touch()
    folders = ["--reference", str(tmp_path / "a"), "--output", str(tmp_path / "b")]
    code = main([*folders, "--shared", str(tmp_path), "--workers", "1"])
    told = capsys.readouterr().err
    assert code == 1
    assert f"{count} frames of {side}x{side} but 3 frames of 64x64" in told
    assert "make both the same length and size" in told


def test_a_run_that_could_measure_nothing_says_what_to_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--shared", str(tmp_path)]) == 1
    assert "name the data folder with --shared" in capsys.readouterr().err
    assert main(["--shared", str(tmp_path), "--reference", str(tmp_path)]) == 1
    assert "--reference and --output belong together" in capsys.readouterr().err
    assert main(["--shared", str(tmp_path), "--i3d", str(tmp_path / "none.pt")]) == 1
    assert "no such file; name I3D's rgb_imagenet.pt with --i3d" in capsys.readouterr().err


def _sight(face: int = 1, shown: bool = True, move: float = 0.0, turn: float = 0.0) -> Sight:
    """The made-up face in a SIDE x SIDE frame."""
    scale, angle = SIDE / CROP_SIZE, np.radians(turn)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    middle = np.full(2, (SIDE - 1) / 2) + move
    linear = np.array([[cos, -sin], [sin, cos]])
    points = (CANONICAL_POINTS - (CROP_SIZE - 1) / 2) @ linear.T + middle
    regions = region_maps(CANONICAL_POINTS)
    empty = Sight(face, np.zeros((2, 3)), points, regions, shown)
    return placed(empty, points)


def test_a_segment_is_one_face_in_full_view_and_no_frame_is_in_two() -> None:
    one, other, hidden = _sight(1), _sight(2), _sight(1, shown=False)
    run = [one] * SEGMENT
    assert segments(run * 3, 8) == [8, 8 + SEGMENT]
    assert segments([*run, *run], 0) == [0, SEGMENT]
    assert segments([None, *run, hidden, *run], 0) == [1, SEGMENT + 2]
    assert segments([one] * 10 + [other] * SEGMENT, 0) == [10]
    assert segments([*run[1:], None, *run[1:]], 0) == []


def _skin(seed: int = 1) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE, 3), (205, 160, 135), np.float64)
    return np.clip(picture + rng.normal(0, 3, picture.shape[:2])[..., None], 0, 255).astype(
        np.uint8
    )


def test_a_box_is_changed_and_no_sample_outside_it() -> None:
    frame = _frame(_skin())
    box = (40, 60, 120, 160)
    before, after = picture_of(frame), picture_of(pixels.changed(frame, box, lambda rgb: rgb * 0.5))
    inside = after.y[60:160, 40:120].astype(float)
    assert inside.mean() < 0.7 * before.y[60:160, 40:120].mean()
    for plane in ("y", "u", "v"):
        was, now = getattr(before, plane), np.array(getattr(after, plane))
        by = 1 if plane == "y" else 2
        now[60 // by : 160 // by, 40 // by : 120 // by] = was[
            60 // by : 160 // by, 40 // by : 120 // by
        ]
        assert np.array_equal(was, now)
    same = picture_of(pixels.changed(frame, box, lambda rgb: rgb.copy()))
    assert np.array_equal(same.y, before.y) and np.array_equal(same.u, before.u)


def test_a_spline_goes_through_its_points_and_takes_affine_maps_as_they_are() -> None:
    rng = np.random.default_rng(3)
    points, places = rng.uniform(0, CROP_SIZE, (30, 2)), rng.uniform(-20, 280, (50, 2))
    values = rng.normal(0, 3, (30, 2))
    assert Spline(points, values, 0.0)(points) == pytest.approx(values, abs=1e-6)
    matrix = np.array([[1.1, 0.2], [-0.1, 0.9]])
    bent = Spline(points, points @ matrix + 5, 0.003)(places)
    assert bent == pytest.approx(places @ matrix + 5, abs=1e-6)


def test_every_category_is_painted_as_often_as_the_others() -> None:
    counts = dict.fromkeys(CATEGORIES, 0)
    for number in range(len(CATEGORIES)):
        kinds = kinds_of(number)
        assert len(set(kinds)) == KINDS
        for kind in kinds:
            counts[kind] += 1
    assert set(counts.values()) == {KINDS}


def _dotted(sight: Sight) -> Layer:
    """A layer with one dark dot on the right cheek."""
    gain = np.ones((CROP_SIZE, CROP_SIZE, 3), np.float32)
    y, x = np.indices(gain.shape[:2])
    gain[np.hypot(x - 85, y - 150) < 6] = 0.4
    points = (sight.points - sight.transform[:, 2]) @ np.linalg.inv(sight.transform[:, :2]).T
    return Layer(gain, None, points, (60, 120, 110, 180), ())


def _dot_at(frame: av.VideoFrame) -> NDArray[np.float64]:
    dark = np.clip(150.0 - picture_of(frame).y.astype(float), 0, None)
    assert dark.sum() > 1000
    y, x = np.indices(dark.shape)
    return np.asarray(np.array([(x * dark).sum(), (y * dark).sum()]) / dark.sum(), np.float64)


@pytest.mark.parametrize(("move", "turn"), [(0.0, 0.0), (7.3, 0.0), (-5.5, 12.0)])
def test_a_mark_moves_with_the_face_to_a_tenth_of_a_pixel(move: float, turn: float) -> None:
    first, later = _sight(), _sight(move=move, turn=turn)
    frame = _frame(np.full((SIDE, SIDE, 3), 200, np.uint8))
    found = _dot_at(with_marks(frame, later, _dotted(first)))
    assert found == pytest.approx(
        later.transform[:, :2] @ (85, 150) + later.transform[:, 2], abs=0.1
    )


def test_a_mark_goes_where_the_landmarks_around_it_go() -> None:
    first = _sight()
    points = first.points.copy()
    cheek = points[:, 0] < SIDE / 2
    points[cheek] += 4.0 * first.transform[0, 0] * np.array([1.0, 0.0])
    # The transform stays: the skin has moved in the crop.
    later = Sight(1, first.transform, points, first.regions, True)
    frame = _frame(np.full((SIDE, SIDE, 3), 200, np.uint8))
    moved = _dot_at(with_marks(frame, later, _dotted(first))) - _dot_at(
        with_marks(frame, first, _dotted(first))
    )
    assert moved[0] == pytest.approx(4.0 * first.transform[0, 0], rel=0.35)
    assert abs(moved[1]) < 1.0


def test_what_is_painted_darkens_skin_the_same_each_time_and_keeps_its_grain() -> None:
    frame, mesh = _frame(_skin()), made_up_mesh(CROP_SIZE).astype(np.float64)
    sight = _sight()
    layer = paint(frame, sight, mesh, 3)
    again = paint(frame, sight, mesh, 3)
    assert np.array_equal(layer.gain, again.gain) and layer.kinds == kinds_of(3)
    assert layer.gain.min() < 0.9
    marked = picture_of(with_marks(frame, sight, layer)).y.astype(float)
    clean = picture_of(frame).y.astype(float)
    assert np.abs(marked - clean).max() > 8 and (marked == clean).mean() > 0.2
    grain = [np.diff(p, axis=1).std() for p in (marked, clean)]
    assert grain[0] > 0.9 * grain[1]


def test_a_mesh_is_the_faces_own_or_the_mean_one_bent_to_its_landmarks() -> None:
    mean = made_up_mesh(CROP_SIZE).astype(np.float64)
    sight = _sight()
    at = (sight.points - sight.transform[:, 2]) @ np.linalg.inv(sight.transform[:, :2]).T
    mesh = mesh_of(sight, mean)
    assert mesh[list(LANDMARKS)] == pytest.approx(at)
    assert np.abs(mesh[205] - mean[205]).max() < 2.0
    exact = Sight(
        1,
        sight.transform,
        mean @ sight.transform[:, :2].T + sight.transform[:, 2],
        sight.regions,
        True,
    )
    assert mesh_of(exact, np.zeros((478, 2))) == pytest.approx(mean)


def test_the_classical_row_smooths_skin_and_nothing_else() -> None:
    frame, sight = _frame(_skin()), _sight()
    before, after = (square(f, sight).astype(float) for f in (frame, smoothed(frame, sight)))
    cheek, corner = (slice(140, 160), slice(70, 95), 1), (slice(2, 12), slice(2, 12))
    assert after[cheek].std() < 0.7 * before[cheek].std()
    assert np.array_equal(after[corner], before[corner])
    assert smoothed(frame, None) is frame
