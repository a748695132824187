"""Figures of f_r on made-up states."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.language.clusters import draw, figures, single_edits, unit


def states() -> tuple[np.ndarray, list[str]]:
    """Three tight groups and one scattered one."""
    rng = np.random.default_rng(1)
    kinds = [k for k in ("mole", "scar", "shine") for _ in range(6)]
    middles = {k: rng.normal(0, 1, 16) for k in set(kinds)}
    return np.stack([middles[k] + rng.normal(0, 0.1, 16) for k in kinds]), kinds


def test_tight_groups_are_near_and_apart_from_others() -> None:
    rows, kinds = states()
    found = figures(unit(rows), kinds)
    assert found["instructions"] == 18 and found["groups"] == 3
    assert found["within"] > 0.9 and found["between"] < 0 and found["nearest_same"] == 1.0


def test_mixed_labels_are_not() -> None:
    rows, kinds = states()
    mixed = [kinds[(7 * i) % 18] for i in range(18)]
    found = figures(unit(rows), mixed)
    assert found["within"] < 0.5 and found["nearest_same"] < 0.7


def test_groups_of_few_are_left_out() -> None:
    rows, kinds = states()
    assert figures(unit(rows), [*kinds[:-2], "mole", "pores"])["groups"] == 3


def test_only_single_turns_with_one_edit_count() -> None:
    def item(turns: list[str], kinds: list[str]) -> dict[str, object]:
        edits = [{"category": k, "regions": ["chin"], "amount": [0.5, 1.0]} for k in kinds]
        return {"turns": turns, "plan": {"edits": edits, "keep": [], "action": "apply"}}

    items = [item(["a"], ["mole"]), item(["a", "b"], ["mole"]), item(["c"], ["mole", "scar"])]
    assert single_edits(items) == [("a", "mole", "chin")]


def test_the_picture_is_written(tmp_path: Path) -> None:
    rows, kinds = states()
    draw(unit(rows), kinds, tmp_path / "f_r.png")
    assert (tmp_path / "f_r.png").stat().st_size > 10_000
