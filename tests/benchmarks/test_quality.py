"""The arithmetic of the quality figures, and the frozen held-out set."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import heldout
from benchmarks.quality.__main__ import main as quality_main
from benchmarks.quality.pictures import psnr, to_frame, to_rgb
from benchmarks.quality.scenes import TRAINED, people
from benchmarks.quality.sums import Sums, gain_db, pooled
from benchmarks.quality.views import Views, views
from stream_retouch.language.plan import InstructionPlan, Keep
from tests.benchmarks.quality_scenes import MOLE, SPOT, scene
from training.splits import HELDOUT_PERSONS, VALIDATION_PERSONS

SHARED = Path(__file__).parents[2].parent / "shared"
needs_portraits = pytest.mark.skipif(
    not (SHARED / "faces" / "portraits" / "landmarks.npz").is_file(),
    reason="needs ../shared/faces/portraits",
)


@pytest.fixture(scope="module")
def seen() -> Views:
    return views(scene())


def sums(picture: np.ndarray, seen: Views) -> Sums:
    found = Sums()
    found.add(picture, seen)
    return found


def test_doing_nothing_removes_nothing_and_changes_nothing(seen: Views) -> None:
    found = sums(seen.source, seen).figures()
    assert found["named_removed"] == pytest.approx(0.0)
    assert found["unnamed_changed"] == found["kept_changed"] == 0.0
    assert found["clean_psnr_db"] == 99.0
    assert found["masked_psnr_db"] == pytest.approx(20 * np.log10(255 / 40), abs=0.05)


def test_the_target_removes_all_that_was_named(seen: Views) -> None:
    found = sums(seen.target, seen).figures()
    assert found["named_removed"] == pytest.approx(1.0)
    assert found["unnamed_changed"] == 0.0
    assert found["masked_psnr_db"] == 99.0


def test_removing_everything_is_charged_for_what_was_not_named_and_what_was_kept(
    seen: Views,
) -> None:
    found = sums(seen.clean, seen).figures()
    assert found["unnamed_changed"] == pytest.approx(1.0)
    assert found["kept_changed"] == pytest.approx(1.0)


def test_half_an_edit_removes_half(seen: Views) -> None:
    half = (seen.source + seen.target) / 2
    assert sums(half, seen).figures()["named_removed"] == pytest.approx(0.5)


def test_kinds_are_told_apart(seen: Views) -> None:
    assert sums(seen.target, seen).removed_by_kind() == {"mole": pytest.approx(1.0)}


def test_kept_pixels_lie_where_the_kept_kind_is_in_its_kept_region(seen: Views) -> None:
    assert seen.kept[SPOT].all() and not seen.kept[MOLE].any()
    other = Keep("spot", ("right_cheek",))
    elsewhere = replace(scene(), plan=InstructionPlan(scene().plan.edits, (other,)))
    assert not views(elsewhere).kept.any()


def test_without_a_keep_nothing_is_said_about_kept_pixels() -> None:
    bare = views(scene(keep=False))
    assert sums(bare.clean, bare).figures()["kept_changed"] is None


def test_pooled_sums_are_those_of_all_scenes_together(seen: Views) -> None:
    both = sums(seen.source, seen)
    both.add(seen.target, seen)
    assert pooled([sums(seen.source, seen), sums(seen.target, seen)]) == both


def test_the_gain_of_half_an_edit_is_6_db(seen: Views) -> None:
    half = (seen.source + seen.target) / 2
    gain = gain_db(sums(half, seen), sums(seen.source, seen))
    assert gain == pytest.approx(20 * np.log10(2), abs=0.01)


def test_psnr_of_one_code_is_48_db() -> None:
    assert psnr(100.0, 100.0) == pytest.approx(48.13, abs=0.01)


def test_a_picture_passes_420_and_comes_back() -> None:
    rgb = np.full((16, 24, 3), (200, 150, 120), np.uint8)
    assert np.abs(to_rgb(to_frame(rgb)) - rgb).max() < 2.0


def test_the_frozen_set_holds_only_held_out_persons_and_every_kind() -> None:
    data = json.loads(heldout.FROZEN.read_text())
    assert set(data["persons"]) == HELDOUT_PERSONS
    assert {scene["person"] for scene in data["scenes"]} == HELDOUT_PERSONS
    assert len({kind for scene in data["scenes"] for kind in scene["kinds"]}) == 17
    assert len(heldout.frozen_hash()) == 64


def test_nobody_is_held_out_and_chosen_on() -> None:
    assert not HELDOUT_PERSONS & VALIDATION_PERSONS


@needs_portraits
def test_each_split_shows_its_own_persons() -> None:
    for split, persons in (("heldout", HELDOUT_PERSONS), ("validation", VALIDATION_PERSONS)):
        assert {p.person_id for p in people(SHARED, split)} == persons
    trained = {p.person_id for p in people(SHARED, TRAINED)}
    assert trained and not trained & (HELDOUT_PERSONS | VALIDATION_PERSONS)
    assert all(person.startswith("london") for person in trained | HELDOUT_PERSONS)


@needs_portraits
def test_frozen_scenes_still_paint_what_they_painted() -> None:
    for frozen in itertools.islice(heldout.scenes(SHARED), 2):
        asked = np.abs(frozen.source.astype(int) - frozen.target).max(-1) > 8
        assert asked.any()
        assert frozen.by_kind


def test_a_folder_as_result_file_is_told_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        quality_main(["--split", "validation", "--out", str(tmp_path)])
    assert f"name a file, {tmp_path / 'result.md'} say" in capsys.readouterr().err
