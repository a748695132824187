"""What training minimises, on made-up answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engines.retouchgpt.model import FrameOutput
from training.losses import Weights, mask_loss, retouch_loss, steadiness_loss

L = 128


def answer(mask: torch.Tensor, offset: float = 20.0) -> FrameOutput:
    """An answer that adds `offset` to the luma wherever the mask is."""
    layer = torch.zeros(1, 4, L, L)
    layer[:, 1] = offset
    return FrameOutput(layer, mask, torch.zeros(1, 17, 64, 64), torch.tensor([128.0]), mask)


def batch(asked: bool = True) -> dict[str, torch.Tensor]:
    """Grey; a square of it is painted with the first kind, 20 codes darker, and asked away or not."""
    target = torch.full((1, L, L, 3), 150, dtype=torch.uint8)
    source = target.clone()
    source[:, 40:60, 40:60] = 130
    masks = torch.zeros(1, 17, L, L, dtype=torch.uint8)
    masks[:, 0, 20:30, 20:30] = 255
    changed = masks[:, 0] if asked else torch.zeros(1, L, L, dtype=torch.uint8)
    return {
        "source": source,
        "target": target if asked else source,
        "masks": masks,
        "changed": changed,
        "look_away": torch.zeros(1, L, L, dtype=torch.uint8),
        "request": torch.full((1, 17, 32, 32), 1.0 if asked else 0.0),
        "texture": torch.zeros(1, 32, 32),
        "window": torch.tensor((0, 0)),
    }


def square() -> torch.Tensor:
    """(1, 1, L, L) the mask of what is painted, on the layer."""
    mask = torch.zeros(1, 1, L, L)
    mask[..., 20:30, 20:30] = 1
    return mask


def test_the_right_mask_costs_nothing_and_a_wrong_one_something() -> None:
    assert float(mask_loss(answer(square()), batch(), Weights())) == 0.0
    assert float(mask_loss(answer(square() * 0.5), batch(), Weights())) > 0.1
    assert float(mask_loss(answer(1 - square()), batch(), Weights())) > 0.1


def test_a_mask_that_is_too_wide_costs_as_much_as_one_that_misses() -> None:
    wide, narrow = square(), square()
    wide[..., 10:20, 20:30] = 1
    narrow[..., 25:30, 20:30] = 0
    costs = [float(mask_loss(answer(mask), batch(), Weights())) for mask in (wide, narrow)]
    assert abs(costs[0] / costs[1] - 1) < 0.25


def test_half_of_the_amount_is_half_of_the_mask() -> None:
    half = batch()
    half["request"] *= 0.5
    assert float(mask_loss(answer(square() * 0.5), half, Weights())) == 0.0


def test_what_was_asked_for_is_paid_for_and_what_was_not_costs() -> None:
    done, idle = answer(square()), answer(torch.zeros(1, 1, L, L))
    asked = [retouch_loss(o, batch(), (0, 0), None, Weights()) for o in (done, idle)]
    assert asked[0]["masked"] < 0.2 * asked[1]["masked"]
    assert asked[0]["squared"] < 0.2 * asked[1]["squared"]
    unasked = [retouch_loss(o, batch(asked=False), (0, 0), None, Weights()) for o in (done, idle)]
    assert unasked[0]["outside"] > 0
    assert unasked[1]["outside"] == 0


@pytest.mark.parametrize("asked, name", [(False, "spared"), (True, "edges")])
def test_untouched_skin_counts_more_where_something_lies(asked: bool, name: str) -> None:
    """Something that was not asked for, or that was and is too faint there to be seen."""
    seen = batch(asked=False) | {"request": torch.full((1, 17, 32, 32), float(asked))}
    none = replace(Weights(), spared=0.0, edges=0.0)
    plain, strict, other = (
        float(retouch_loss(answer(square()), seen, (0, 0), None, w)["moved"])
        for w in (none, replace(none, **{name: 4.0}), replace(Weights(), **{name: 0.0}))
    )
    assert 3.0 * plain < strict < 5.1 * plain
    assert other == plain


def test_an_answer_that_moves_with_the_picture_is_steady() -> None:
    mask = torch.rand(1, 1, L, L, generator=torch.Generator().manual_seed(3))
    moved = torch.roll(mask, (0, 1), (2, 3))
    assert float(steadiness_loss(answer(mask), answer(moved), (1, 0), Weights())) < 1e-6
    assert float(steadiness_loss(answer(mask), answer(mask), (1, 0), Weights())) > 0.1
