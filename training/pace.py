"""How far a training is and what it has to show: the clock, the learning rate, the bar and ``log.jsonl``."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.recipe import Stage

LOG = "log.jsonl"


class Pace:
    """How far a stage has come by the clock or by its steps, whichever is further."""

    def __init__(self, stage: Stage, spent_s: float) -> None:
        self._stage, self._start = stage, time.monotonic() - spent_s

    @property
    def spent_s(self) -> float:
        """Seconds of the stage so far, those before --resume included."""
        return time.monotonic() - self._start

    def share(self, step: int) -> float:
        """0..1, after so many steps of the stage."""
        by_step = 0.0 if self._stage.steps is None else step / max(self._stage.steps, 1)
        return min(1.0, max(self.spent_s / (self._stage.minutes * 60), by_step))

    def ended(self, step: int) -> bool:
        """Whether time or steps are used up."""
        none = self._stage.steps is not None and step >= self._stage.steps
        return none or self.share(step) >= 1.0

    def minutes_left(self, step: int) -> float:
        """Of the stage, as things go."""
        share = max(self.share(step), 1e-3)
        return self.spent_s / 60 / share * (1 - share)


def learning_rate(share: float) -> float:
    """Factor of the learning rate: warm-up, then a cosine down to a hundredth."""
    warm = 0.04
    if share < warm:
        return max(share / warm, 0.02)
    return 0.5 * (1 + math.cos(math.pi * (share - warm) / (1 - warm))) * 0.99 + 0.01


class Log:
    """Means of the terms between two lines, and the lines."""

    def __init__(self, folder: Path, step: int) -> None:
        """`step` is where the training goes on: lines that were written after it are taken back."""
        self._path = folder / LOG
        self._sums: dict[str, float] = {}
        self._shown_step, self._shown_s = step, time.monotonic()
        if self._path.exists():
            kept = [row for row in rows(folder) if step and row["step"] <= step]
            self._path.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def add(self, terms: Mapping[str, float]) -> None:
        """The terms of a step."""
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def pending(self, step: int) -> bool:
        """Whether there are steps that no line tells of."""
        return step > self._shown_step

    def is_time(self, every_s: float) -> bool:
        """Whether so many seconds have passed since the last line."""
        return time.monotonic() - self._shown_s >= every_s

    def show(
        self, step: int, batch: int, share: float, eta_min: float, more: Mapping[str, Any]
    ) -> None:
        """Prints bar, eta and the mean terms since the last line; appends them to the file.

        Args:
            step: of the whole training.
            batch: images a step.
            share: 0..1 of the whole training.
            eta_min: minutes to its end.
            more: further values of the line.
        """
        count, now = max(step - self._shown_step, 1), time.monotonic()
        row: dict[str, Any] = {k: round(v / count, 4) for k, v in self._sums.items()}
        rate = count * batch / max(now - self._shown_s, 1e-6)
        row |= {"step": step, "images": step * batch, "images_s": round(rate, 1)} | dict(more)
        bar = "#" * round(20 * share)
        print(f"[{bar:<20}] {share:4.0%} eta {eta_min:4.0f} min {json.dumps(row)}", flush=True)
        self._write(row)
        self._sums, self._shown_step, self._shown_s = {}, step, now

    def validated(self, step: int, batch: int, found: Mapping[str, Any]) -> None:
        """A line of its own with the figures on validation persons."""
        row = {"step": step, "images": step * batch, "validation": dict(found)}
        shown = {k: v for k, v in found.items() if not isinstance(v, dict)}
        print(f"validation persons after {step * batch} images: {json.dumps(shown)}", flush=True)
        self._write(row)

    def _write(self, row: Mapping[str, Any]) -> None:
        try:
            with self._path.open("a") as log:
                log.write(json.dumps(row) + "\n")
        except OSError as problem:
            print(f"{self._path}: this line is not kept ({problem.strerror}); free some space")


def rows(folder: Path) -> list[dict[str, Any]]:
    """The lines of a training's log; one that was cut short is left out."""
    found = []
    for line in (folder / LOG).read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
