"""How the teachers' outputs are read, on made-up tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.faces.matching import Spot
from benchmarks.teachers import blazeface, openseeface, yunet
from benchmarks.teachers.boxes import BoxMapping, measured
from stream_retouch.errors import MediaError

PLAIN = BoxMapping(0.0, 1.0)


def yunet_maps(width: int, height: int) -> dict[str, np.ndarray]:
    """Nothing to see anywhere."""
    maps = {}
    for stride in yunet.STRIDES:
        cells = (width // stride) * (height // stride)
        for key, channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            maps[f"{key}_{stride}"] = np.zeros((cells, channels))
    return maps


def test_yunet_reads_the_cell_s_place_the_logarithm_of_the_size_and_the_root_of_both_scores() -> (
    None
):
    maps = yunet_maps(128, 64)
    cell = 2 * (128 // 16) + 5  # row 2, column 5 at stride 16
    maps["cls_16"][cell], maps["obj_16"][cell] = 0.81, 1.0
    maps["bbox_16"][cell] = 0.5, 0.25, np.log(3), np.log(2)
    maps["kps_16"][cell, :4] = 0.0, 0.0, 1.0, 1.0
    (row,) = yunet.decode(maps, 128)
    assert row[:4] == pytest.approx([88 - 24, 36 - 16, 48, 32])
    assert row[4:8] == pytest.approx([80, 32, 96, 48])
    assert row[14] == pytest.approx(0.9)
    (spot,) = yunet.spots(row[None], PLAIN)
    assert (spot.x, spot.y, spot.size) == pytest.approx((88, 36, np.sqrt(48 * 32)))
    assert spot.roll == pytest.approx(np.pi / 4)


def test_yunet_keeps_the_best_row_of_a_face_and_other_faces() -> None:
    rows = np.zeros((3, 15))
    rows[:, :4] = (0, 0, 20, 20), (2, 2, 20, 20), (100, 0, 20, 20)
    rows[:, 14] = 0.8, 0.95, 0.7
    kept = yunet.merged(rows)
    assert sorted(kept[:, 0]) == [2, 100]
    assert len(yunet.merged(rows[:0])) == 0


def test_blazeface_reads_offsets_from_the_anchor_in_128ths() -> None:
    coords, logits = np.zeros((4, 16)), np.full(4, -9.0)
    anchors = np.full((4, 4), 1.0)
    anchors[2, :2] = 0.5, 0.25
    logits[2] = 3.0
    coords[2, :6] = 12.8, 0.0, 25.6, 12.8, -12.8, 0.0
    (row,) = blazeface.decode(coords, logits, anchors)
    assert row[:4] == pytest.approx([0.5, 0.2, 0.7, 0.3])
    assert row[4:6] == pytest.approx([0.4, 0.25])
    assert row[16] == pytest.approx(1 / (1 + np.exp(-3)))


def test_blazeface_averages_what_overlaps_by_its_scores() -> None:
    rows = np.zeros((3, 17))
    rows[:, :4] = (0.1, 0.1, 0.3, 0.3), (0.12, 0.1, 0.32, 0.3), (0.6, 0.6, 0.8, 0.8)
    rows[:, 16] = 0.9, 0.8, 0.95
    far, near = blazeface.merged(rows)
    assert far[:4] == pytest.approx(rows[2, :4])
    assert near[0] == pytest.approx((0.9 * 0.1 + 0.8 * 0.12) / 1.7)
    assert near[16] == pytest.approx(0.85)


def random_blazeface() -> dict[str, torch.Tensor]:
    """Weights of the shapes that the file has."""
    torch.manual_seed(1)
    widths = [24, 24, 28, 32, 36, 42, 48, 56, 64, 72, 80, 88]
    tensors = {"backbone1.0": (24, 3, 5)}
    blocks = [
        (f"backbone1.{i + 2}", a, b)
        for i, (a, b) in enumerate(zip(widths, widths[1:], strict=False))
    ]
    blocks += [(f"backbone2.{i}", 88 if i == 0 else 96, 96) for i in range(5)]
    for name, before, after in blocks:
        tensors[f"{name}.convs.0"], tensors[f"{name}.convs.1"] = (before, 1, 3), (after, before, 1)
    for name, out, before in (
        ("classifier_8", 2, 88),
        ("classifier_16", 6, 96),
        ("regressor_8", 32, 88),
        ("regressor_16", 96, 96),
    ):
        tensors[name] = (out, before, 1)
    made = {}
    for name, (out, before, side) in tensors.items():
        made[f"{name}.weight"] = torch.randn(out, before, side, side) * 0.2
        made[f"{name}.bias"] = torch.zeros(out)
    return made


def test_blazeface_s_network_answers_every_anchor_and_the_fine_cells_come_first() -> None:
    tensors = random_blazeface()
    for step, first in ((8, 0.0), (16, 1000.0)):
        tensors[f"regressor_{step}.weight"].zero_()
        width = len(tensors[f"regressor_{step}.bias"])
        tensors[f"regressor_{step}.bias"] = first + torch.arange(width).float()
    with torch.inference_mode():
        coords, scores = blazeface.network(tensors, torch.randn(1, 3, 128, 128))
    assert coords.shape == (1, 896, 16) and scores.shape == (1, 896)
    assert coords[0, 1].tolist() == list(range(16, 32))  # two anchors a fine cell
    assert coords[0, 510].tolist() == list(range(16))
    assert coords[0, 517].tolist() == list(range(1080, 1096))  # six a coarse one
    assert float(scores.std()) > 0


def test_the_square_holds_the_whole_picture_in_its_middle() -> None:
    bgr = np.full((72, 128, 3), 200, np.uint8)
    square, scale, left, top = blazeface.padded(np.repeat(np.repeat(bgr, 2, 0), 2, 1))
    assert scale == 0.5 and (left, top) == (0, 56)
    assert square[27].max() == 0 and square[28].min() == 200 and square[99].min() == 200


def test_openseeface_reads_the_best_cell_and_adds_the_offsets() -> None:
    maps = np.full((198, 28, 28), 0.5)
    maps[:66] = 0.0
    maps[7, 20, 4] = 0.9
    maps[66 + 7, 20, 4] = 1 / (1 + np.exp(-16 * 3 / 224))
    maps[132 + 7, 20, 4] = 1 / (1 + np.exp(16 * 2 / 224))
    points = openseeface.decode(maps)
    assert points.shape == (66, 2)
    step = 223 / 27
    assert points[7] == pytest.approx([4 * step - 2, 20 * step + 3])
    assert points[0] == pytest.approx([0, 0])


def test_common_points_are_named_once_on_both_sides() -> None:
    assert len(set(openseeface.THEIRS)) == len(set(openseeface.OURS)) == len(openseeface.COMMON)


def test_a_mapping_gives_back_what_was_measured_however_the_head_is_rolled() -> None:
    for roll in (0.0, 0.6, -1.0):
        box = PLAIN.spot((10, 20, 30, 30), roll, 1.0)
        truth = Spot(box.x - 6 * np.sin(roll), box.y + 6 * np.cos(roll), 27.0, roll)
        mapping = measured(box, truth)
        assert (mapping.down, mapping.scale) == pytest.approx((0.2, 0.9))
        spot = mapping.spot((10, 20, 30, 30), roll, 1.0)
        assert (spot.x, spot.y, spot.size) == pytest.approx((truth.x, truth.y, truth.size))


@pytest.mark.parametrize("make", [yunet.YuNet, blazeface.BlazeFace, openseeface.OpenSeeFace])
def test_a_missing_teacher_says_what_to_do(make: type, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such teacher; name the data folder with --shared"):
        make(tmp_path)
