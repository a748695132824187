"""The mask that is handed out says where the picture changes, and the edit under it stays what it was."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from engines.retouchgpt.mask import FAINT, MOST, remasked, visible_mask  # noqa: E402


def plane(value: float) -> torch.Tensor:
    return torch.full((1, 1, 4, 4), value)


def layer(flatten: float, offset: float = 0.0, cb: float = 0.0, cr: float = 0.0) -> torch.Tensor:
    return torch.cat([plane(v) for v in (flatten, offset, cb, cr)], 1)


def test_the_edit_under_the_new_mask_is_the_old_edit() -> None:
    generator = torch.Generator().manual_seed(1)
    gate = torch.rand(2, 1, 16, 16, generator=generator)
    contrast = 20 * torch.randn(2, 1, 16, 16, generator=generator)
    old = torch.cat(
        (
            torch.rand(2, 1, 16, 16, generator=generator),
            10 * torch.randn(2, 3, 16, 16, generator=generator),
        ),
        1,
    )
    mask = visible_mask(old, gate, contrast)
    new = remasked(old, gate, mask)
    assert torch.allclose(new * mask, old * gate, atol=1e-3)
    # what is to be handed out has to fit into its codes
    assert float(new[:, :1].max()) <= 1.0 + 1e-6
    assert float(new[:, 1:].abs().max()) < 127.0


def test_a_closed_gate_has_no_mask() -> None:
    assert not visible_mask(layer(1.0, 40.0, 9.0, -9.0), plane(0.0), plane(30.0)).any()


@pytest.mark.parametrize(
    "channels", [(0.0, 1.2), (0.0, -1.2), (0.0, 0.0, 0.68), (0.0, 0.0, 0.0, 0.88)]
)
def test_what_changes_red_green_or_blue_by_enough_counts_whole(channels: tuple[float, ...]) -> None:
    enough = layer(*(FAINT * c for c in channels))
    assert torch.allclose(visible_mask(enough, plane(1.0), plane(0.0)), plane(1.0))
    faint = visible_mask(enough, plane(0.4), plane(0.0))
    assert 0.3 < float(faint.min()) == float(faint.max()) < 1.0


def test_a_quarter_of_a_strong_mark_is_still_the_whole_mark() -> None:
    assert torch.allclose(visible_mask(layer(0.0, 40.0), plane(0.25), plane(0.0)), plane(1.0))


def test_beside_a_strong_change_a_faint_one_counts_less_and_never_below_the_most() -> None:
    faint, strong = layer(0.0, 4.5), layer(0.0, 4.5)
    strong[..., 0, 0] *= 8.0
    alone, beside = (visible_mask(x, plane(1.0), plane(0.0))[..., 1, 1] for x in (faint, strong))
    assert float(beside) < 0.7 < float(alone)
    strong[..., 0, 0] *= 100.0
    furthest = visible_mask(strong, plane(1.0), plane(0.0))[..., 1, 1]
    assert float(furthest) == pytest.approx(4.5 / MOST)


def test_the_crops_of_a_batch_do_not_see_each_other() -> None:
    both = torch.cat((layer(0.0, 4.5), layer(0.0, 90.0)))
    gates = torch.cat((plane(1.0), plane(1.0)))
    together = visible_mask(both, gates, torch.zeros_like(gates))
    assert torch.equal(together[:1], visible_mask(both[:1], plane(1.0), plane(0.0)))


def test_flattening_that_leaves_the_mean_as_it_is_counts_by_its_strength() -> None:
    """Within a cell pixels may change by more than the cell."""
    even = visible_mask(layer(0.8), plane(0.5), plane(0.0))
    assert torch.allclose(even, plane(0.4))
    dark = visible_mask(layer(0.5), plane(1.0), plane(-20.0))
    assert torch.allclose(dark, plane(1.0))
