"""What the reinforcement stage is worth: the same weights, steps and seeds, with it and without it.

``python -m training.reinforce_ablation --init W --minutes 60`` fine-tunes twice and measures both, and the weights
that went in, on the validation persons. Both take the same number of steps (so many that both fit into the minutes,
found by timing a few) and see the same batches. Prints a table; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engines.retouchgpt.checkpoint import load
from stream_retouch.errors import StreamRetouchError
from training import portrait_cache, validation
from training.portrait_cache import PortraitCache
from training.recipe import Recipe, Stage
from training.retouch import Run, Trainer, run
from training.run_folder import WEIGHTS

ROWS = ("as given", "without", "reinforced")
FIGURES = (
    "masked_psnr_gain_db",
    "clean_psnr_db",
    "named_removed",
    "worst_kind_removed",
    "unnamed_changed",
)
_TIMED_STEPS = 3


def compared(recipe: Recipe, job: Run, minutes: float, steps: int | None) -> dict[str, Any]:
    """Figures of every row, and how many steps were taken.

    Args:
        recipe: all but the stages.
        job: where things lie; each training gets a folder of its own in its `out`.
        minutes: of both trainings together.
        steps: of each, instead.
    """
    assert job.cache is not None
    count = steps or max(1, round(60 * minutes / sum(_step_s(recipe, job, r) for r in ROWS[1:])))
    scenes = validation.painted_scenes(
        PortraitCache(job.cache), recipe.data.validation_scenes, recipe.network.crop_size
    )
    found: dict[str, Any] = {"as given": validation.measure(load(Path(recipe.init)), scenes)}
    for name in ROWS[1:]:
        out = job.out / name
        run(replace(job, out=out, recipe=_told(recipe, name == "reinforced", count)))
        found[name] = validation.measure(load(out / WEIGHTS), scenes)
    return {"steps": count, "rows": found}


def table(found: dict[str, dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    for name, figures in found.items():
        cells = [str(figures.get(key, "-")) for key in FIGURES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _told(recipe: Recipe, reinforce: bool, steps: int) -> Recipe:
    # the clock has no say, so that both take the same steps at the same rates
    stage = Stage("fine", 1e9, steps, 5e-4, settled=True, reinforce=reinforce)
    return replace(recipe, stages=(stage,), save_s=1e12)


def _step_s(recipe: Recipe, job: Run, row: str) -> float:
    """Seconds of a step with its batch, in one process."""
    recipe = replace(recipe, processes=1, data=replace(recipe.data, validation_scenes=0))
    job.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(replace(job, recipe=_told(recipe, row == "reinforced", 1)))
    trainer.begin_stage()
    batches = trainer.batches()
    trainer.step(next(batches))
    start = time.monotonic()
    for _ in range(_TIMED_STEPS):
        trainer.step(next(batches))
    return (time.monotonic() - start) / _TIMED_STEPS


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    args = _arguments(argv)
    recipe = Recipe(
        stages=(),
        seed=args.seed,
        batch=args.batch,
        processes=args.processes,
        device=args.device,
        bf16=args.bf16,
        average=0.995,
        init=str(args.init),
    )
    try:
        recipe = replace(recipe, network=load(args.init).config)
        cache = portrait_cache.build(args.shared, args.cache)
        vgg = args.shared / "weights" / "vgg19_slim16x_5SE.npz"
        text = f"# {' '.join(sys.argv)}\n"
        found = compared(recipe, Run(recipe, text, args.out, cache, vgg), args.minutes, args.steps)
    except StreamRetouchError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(table(found["rows"]))
    print(json.dumps({"init": str(args.init), "batch": args.batch, "seed": args.seed, **found}))
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.reinforce_ablation")
    parser.add_argument("--init", type=Path, required=True, help="weights to start from")
    parser.add_argument("--minutes", type=float, default=60.0, help="of both trainings together")
    parser.add_argument("--steps", type=int, help="of each, instead of a time")
    parser.add_argument("--out", type=Path, default=Path("runs/reinforce_ablation"))
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--cache", type=Path, default=Path("runs/portraits"))
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--processes", type=int, default=1, help="that train together")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    parser.add_argument("--seed", type=int, default=61)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
