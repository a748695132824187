"""A small training: the made-up cache, a network of few channels, no clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engines.retouchgpt.config import RetouchGPTConfig
from tests.training.made_up_cache import made_up_cache
from training.recipe import Data, Recipe, Stage
from training.retouch import Run

NETWORK = RetouchGPTConfig(
    widths=(8, 8, 16), block_width=32, blocks=1, language_width=32, language_layers=1
)
NO_TIME = 1e9
"""Minutes of a stage that is measured in steps."""


def tiny_run(folder: Path, *stages: Stage, scenes: int = 0, batch: int = 2) -> Run:
    """A training into folder/run; without stages one of four steps."""
    recipe = Recipe(
        stages=stages or (Stage("only", NO_TIME, 4),),
        batch=batch,
        workers=0,
        log_s=0.0,
        data=Data(sides=(256,), side_shares=(1.0,), validation_scenes=scenes),
        network=NETWORK,
    )
    cache = made_up_cache(folder / "cache")
    return Run(recipe, "# tiny\n", folder / "run", cache, folder / "no-vgg.npz")


def resumed(job: Run) -> Run:
    """The same, to go on."""
    return replace(job, resume=True)
