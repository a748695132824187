"""Training the finder, for a few steps on drawn people."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from engines.face_finder import NetFinder
from stream_retouch.media.regions import CANONICAL_OVAL, CANONICAL_POINTS
from tests.training.scene_people import drawn
from training.finder import COLUMNS, ROWS, Config, stacked, train, truth_of
from training.scenes.compose import Composer
from training.scenes.portraits import Portrait
from training.scenes.scene import SceneFace


@pytest.fixture(scope="module")
def people() -> list[Portrait]:
    return [drawn(seed, colour=False) for seed in range(2)]


def placed(scale: float, roll: float, shift: tuple[float, float]) -> SceneFace:
    """The canonical face, rolled and moved."""
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    points = (CANONICAL_POINTS @ (scale * turn).T + shift).astype(np.float32)
    seen = np.ones(len(points), np.bool_)
    return SceneFace(points, seen, roll, 0.0, 0.0, "nobody", frozenset(), False)


def test_the_truth_is_the_aligned_crops_oval() -> None:
    truth = truth_of(placed(0.5, 0.3, (200.0, 100.0)))
    low, high = CANONICAL_OVAL
    assert truth.roll == pytest.approx(0.3, abs=1e-3)
    assert truth.size == pytest.approx(0.5 * np.sqrt(np.prod(high - low)), rel=1e-3)
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    wanted = 0.5 * turn @ (low + high) / 2 + [200, 100]
    assert [truth.x, truth.y] == pytest.approx(wanted, abs=0.05)


def test_scenes_are_stacked_with_a_cell_for_every_face(people: list[Portrait]) -> None:
    composer = Composer(people, seed=3, width=COLUMNS, height=ROWS)
    scenes = [composer.scene() for _ in range(4)]
    luma, face, place = stacked(scenes)
    assert luma.shape == (4, 1, ROWS, COLUMNS) and luma.dtype == torch.uint8
    assert place.shape == (*face.shape, 4)
    for i, scene in enumerate(scenes):
        wanted = sum(
            not f.ignore and 0 <= truth_of(f).x < COLUMNS and 0 <= truth_of(f).y < ROWS
            for f in scene.faces
        )
        told = {tuple(row) for row in place[i][face[i] > 0].tolist()}
        assert len(told) >= wanted


def test_a_short_run_learns_saves_and_can_go_on(people: list[Portrait], tmp_path: Path) -> None:
    config = Config(tmp_path, steps=4, workers=0, evaluate_scenes=2)
    figures = train(people, people[:1], config)
    assert figures["steps"] == 4.0 and 0.0 <= figures["recall_heldout"] <= 1.0
    about = json.loads((tmp_path / "finder.json").read_text(encoding="utf-8"))
    assert about["figures"] == figures and about["parameters"] > 200_000
    finder = NetFinder.load(finder_weights=tmp_path / "finder.safetensors")
    finder.find(np.full((360, 640), 128, np.uint8))
    on = tmp_path / "on"
    train(people, [], Config(on, steps=1, workers=0, init=tmp_path / "finder.safetensors"))
    before, after = load_file(tmp_path / "finder.safetensors"), load_file(on / "finder.safetensors")
    for name, weight in before.items():
        off = np.abs(weight.astype(float) - after[name].astype(float)).mean()
        assert off < 0.1 * np.abs(weight.astype(float)).mean() + 0.05, name


def test_a_run_that_was_stopped_goes_on_where_it_was(
    people: list[Portrait], tmp_path: Path
) -> None:
    train(people, [], Config(tmp_path, steps=2, workers=0, evaluate_every_s=0.0))
    assert (tmp_path / "last.pt").exists()
    resume = Config(tmp_path, steps=1, workers=0, resume=tmp_path / "last.pt")
    assert train(people, [], resume)["steps"] == 3.0
