"""Recipes: what is told is taken, what is not known is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_retouch.errors import SettingsError
from training.losses import Weights
from training.recipe import from_values, read, shortened

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.toml"))
STAGE = {"name": "only", "minutes": 10}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_that_ships_can_be_read(path: Path) -> None:
    assert read(path).stages


def test_tables_fill_their_parts_and_a_stage_overrides_the_losses() -> None:
    recipe = from_values(
        {
            "seed": 7,
            "data": {"sides": [512], "side_shares": [1]},
            "network": {"finer": 16},
            "loss": {"outside": 40, "l1": 5},
            "reinforce": {"steps": 3},
            "stages": [
                STAGE,
                {
                    "name": "b",
                    "minutes": 5,
                    "loss": {"outside": 20},
                    "lr": 1,
                    "paces": {"finer": 1, "": 0.1},
                },
            ],
        }
    )
    assert (recipe.seed, recipe.network.crop_size, recipe.reinforce.steps) == (7, 512, 3)
    assert recipe.data.sides == (512,)
    assert recipe.stages[0].loss == Weights(outside=40.0, l1=5.0)
    assert recipe.stages[1].loss == Weights(outside=20.0, l1=5.0)
    assert isinstance(recipe.stages[1].lr, float)
    assert list(recipe.stages[1].paces.items()) == [("finer", 1), ("", 0.1)]
    assert not recipe.stages[0].paces


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"lrr": 1, "stages": [STAGE]}, r"unknown key 'lrr' in the recipe; known are seed, batch"),
        ({"stages": [STAGE | {"lrr": 1}]}, r"unknown key 'lrr' in stage 'only'; known are name"),
        ({"stages": [STAGE], "loss": {"L1": 1}}, r"unknown key 'L1' in \[loss\]; known are l1"),
        ({"stages": [STAGE | {"loss": {"L1": 1}}]}, r"\[stages.loss\] of stage 'only'"),
        ({"stages": [STAGE], "network": {"width": 1}}, r"'width' in \[network\]; known are finer"),
        ({"stages": [STAGE], "batch": "12"}, r"batch in the recipe is '12'; give a value of type"),
        ({"stages": [STAGE | {"paces": {"finer": "x"}}]}, r"give a table of names with numbers"),
        ({"stages": [STAGE | {"paces": {"finer": -1}}]}, r"give a table of names with numbers"),
        ({"stages": [STAGE], "batch": True}, r"batch in the recipe is True"),
        ({"stages": [STAGE], "network": {"heads": 5}}, r"block_width 128 must be a multiple"),
        ({"stages": [STAGE], "data": {"sides": [300]}}, r"give multiples of the layer, 128"),
        ({"stages": [STAGE], "data": {"sides": [256]}}, r"give a share for each"),
        ({"stages": [{"name": "a"}]}, r"stage 'a'.*minutes"),
        ({"stages": [STAGE | {"minutes": 0}]}, r"give minutes above 0"),
        ({}, r"no \[\[stages\]\]; give at least one"),
    ],
)
def test_what_is_not_known_or_not_possible_is_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        from_values(values)


def test_a_missing_recipe_and_a_broken_one_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    with pytest.raises(SettingsError, match=r"r\.toml: no such recipe; name one with --config"):
        read(path)
    path.write_text("seed = ")
    with pytest.raises(SettingsError, match=r"r\.toml: no TOML"):
        read(path)


def test_a_shorter_run_keeps_the_stages_shares() -> None:
    recipe = from_values({"stages": [STAGE | {"minutes": 90}, STAGE | {"minutes": 30}]})
    short = shortened(recipe, minutes=8, steps=10)
    assert [s.minutes for s in short.stages] == [6, 2]
    assert [s.steps for s in short.stages] == [8, 2]
    assert shortened(recipe, None, None) == recipe
