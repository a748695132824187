"""From scenes to the JSON and the result file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.quality import monotone, painted, report, sheets
from benchmarks.quality.lpips import distance_of, lpips
from benchmarks.quality.ours import Answer
from benchmarks.quality.pictures import to_frame, to_rgb
from benchmarks.quality.real import RealSums
from benchmarks.quality.result import result
from benchmarks.quality.unpainted import Unpainted
from stream_retouch.engine import CROP_SIZE
from stream_retouch.language.plan import InstructionPlan
from tests.benchmarks.quality_scenes import SIDE, scene

torch = pytest.importorskip("torch", reason="torch is not installed")


class Halver:
    """A row that does half of what is asked of the made-up scene, times the amount."""

    name, weights, faces_missed = "ours", "none", 0

    def retouch(self, picture: np.ndarray, plan: InstructionPlan) -> Answer:
        share = 0.5 * plan.edits[0].amount
        source, target = (to_rgb(to_frame(p)) for p in (scene().source, scene().target))
        mask = np.zeros((128, 128), np.float32)
        mask[32:48, 32:48] = 1.0
        step = SIDE / CROP_SIZE
        whole = np.array([[step, 0.0, step / 2 - 0.5], [0.0, step, step / 2 - 0.5]])
        return Answer(source + share * (target - source), 1, mask, whole)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    row: Any = Halver()
    drawn = painted.measure(iter([scene()]), 1, [row], None)
    real = Unpainted({"ours": RealSums(before=2.0, after=1.0, texture=[0.9], likeness=[0.98])})
    amounts = monotone.removals(row, [scene()], 1)
    values = result(drawn, real, amounts, [row])
    values |= {"engine": "none", "split": "validation", "left_out": ["lpips, for no reason"]}
    return values


def test_every_key_of_the_model_s_bounds_is_there(found: dict[str, Any]) -> None:
    assert {name for name, _, _ in report.BOUNDS} <= found.keys()
    assert {"tone_gap_db", "ssim", "mask_ssim", "worst_kind", "rows", "holds"} <= found.keys()
    assert {"nothing", "bilateral", "guided", "gpupixel", "ours"} == found["rows"].keys()
    json.dumps(found)


def test_half_an_edit_is_reported_as_half(found: dict[str, Any]) -> None:
    assert found["named_removed"] == pytest.approx(0.5, abs=1e-3)
    assert found["masked_psnr_gain_db"] == pytest.approx(6.02, abs=0.02)
    assert found["worst_kind"] == "mole" and found["kept_changed"] == 0.0
    assert found["soft_iou"] > 0.9
    assert found["real_blob_energy"] == 0.5
    assert found["ssim"] > found["rows"]["nothing"]["ssim"]


def test_removal_that_rises_with_the_amount_is_monotone(found: dict[str, Any]) -> None:
    assert found["amount_monotone"] == 1.0
    assert found["amounts"]["mean_removed"]["0.5"] == pytest.approx(0.25, abs=1e-3)
    assert monotone.rises([0.1, 0.2, 0.3]) and not monotone.rises([0.1, 0.2, 0.2])


def test_bounds_are_judged(found: dict[str, Any]) -> None:
    assert found["holds"]["named_removed"] is False
    assert found["holds"]["identity_cosine"] is found["holds"]["texture_kept"] is True
    rough = report.holds({**found, "texture_kept": 1.2})
    assert rough["texture_kept"] is False
    gap = {"tone_gap_db": 2.0, "tone_gap_db_ci95": [0.5, 3.0]}
    assert report.holds({**found, **gap})["tone_gap_db"] is False
    assert report.holds({**found, **gap, "tone_gap_db_ci95": [-0.1, 4.0]})["tone_gap_db"] is True


def test_a_filter_that_does_as_much_is_not_beaten(found: dict[str, Any]) -> None:
    assert found["holds"]["masked_psnr_gain_db_above_classical"] is True
    rows = {**found["rows"], "guided": found["rows"]["ours"]}
    assert report.holds({**found, "rows": rows})["masked_psnr_gain_db_above_classical"] is False


def test_the_result_file_shows_tables_sheets_and_json(
    found: dict[str, Any], tmp_path: Path
) -> None:
    row = np.full((20, 60, 3), 90, np.uint8)
    path = report.write(tmp_path / "q.md", "the command", found, [row], [row, row])
    text = path.read_text()
    assert "| ours |" in text and "`kept_changed`" in text and "the command" in text
    assert "(q.jpg)" in text and "(q_real.jpg)" in text
    assert (tmp_path / "q.jpg").is_file() and (tmp_path / "q_real.jpg").is_file()
    assert json.loads(text.split("```json\n")[1].split("```")[0])["named_removed"]
    assert "Left out: lpips, for no reason." in text


def test_another_size_or_plans_through_words_have_a_file_of_their_own(
    found: dict[str, Any],
) -> None:
    plain = {k: v for k, v in found.items() if k != "through_words"} | {"crop_size": 256}
    names = [
        report.file_name(each)
        for each in (plain, {**plain, "crop_size": 512}, {**plain, "through_words": {}})
    ]
    assert [n.partition("_")[0] for n in names] == [
        "quality",
        "quality-512",
        "quality-through-words",
    ]
    assert len({n.partition("_")[2] for n in names}) == 1


def test_rows_of_a_sheet_are_spread_over_all() -> None:
    assert sheets.spread(56, 3) == {0, 27, 55}
    assert sheets.spread(2, 8) == {0, 1}


def test_lpips_says_what_is_missing(tmp_path: Path) -> None:
    distance, why = lpips(tmp_path)
    assert distance is None and why is not None and "alexnet" in why


@pytest.fixture(scope="module")
def alexnet() -> Iterator[SimpleNamespace]:
    """Random weights of the true shapes."""
    draw = torch.Generator().manual_seed(1)
    shapes = {
        0: (64, 3, 11),
        3: (192, 64, 5),
        6: (384, 192, 3),
        8: (256, 384, 3),
        10: (256, 256, 3),
    }
    convolutions, linear = {}, {}
    for i, (number, (out, into, side)) in enumerate(shapes.items()):
        weight = torch.randn(out, into, side, side, generator=draw) / (into * side**2) ** 0.5
        convolutions[f"features.{number}.weight"] = weight
        convolutions[f"features.{number}.bias"] = torch.zeros(out)
        linear[f"lin{i}.model.1.weight"] = torch.rand(1, out, 1, 1, generator=draw)
    yield SimpleNamespace(convolutions=convolutions, linear=linear)


def test_lpips_is_0_for_the_same_picture_and_grows_with_the_difference(
    alexnet: SimpleNamespace,
) -> None:
    rng = np.random.default_rng(1)
    a = rng.uniform(0, 255, (64, 64, 3)).astype(np.float32)
    noise = rng.normal(0, 1, a.shape).astype(np.float32)
    distances = [
        distance_of(a, a + k * noise, alexnet.convolutions, alexnet.linear) for k in (0, 5, 30)
    ]
    assert distances[0] == 0.0 and 0 < distances[1] < distances[2]
