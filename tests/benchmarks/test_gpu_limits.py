"""benchmarks.gpu_limits: FLOPs and bytes as they come out by hand, and what follows for a card."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch
from torch import nn

from benchmarks.gpu_limits import CARDS, Card, CropCost, crop_cost, flops, limits, weight_bytes
from engines.retouchgpt.model import RetouchGPT
from tests.engines.networks import FINER, SMALL


class Half(nn.Module):
    """One layer that is used and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.used(x)
        return out


def test_a_multiply_and_an_add_count_each() -> None:
    conv = nn.Conv2d(3, 16, 3, padding=1)
    assert flops(conv, [torch.zeros(1, 3, 10, 10)]) == 2 * 3 * 16 * 9 * 100
    assert flops(nn.Linear(8, 4), [torch.zeros(5, 8)]) == 2 * 8 * 4 * 5


def test_weights_that_are_not_used_are_not_read() -> None:
    program = torch.export.export(Half().eval(), (torch.zeros(1, 8),))
    assert weight_bytes(program) == (8 * 4 + 4) * 4


@pytest.mark.parametrize("config", [SMALL, FINER], ids=["256", "512"])
def test_in_16_bits_a_crop_needs_less_for_weights_and_the_same_for_all_else(config) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    model = RetouchGPT(config).eval()
    half, full = crop_cost(model, "bf16"), crop_cost(model, "f32")
    assert 0.45 < half.weight_bytes / full.weight_bytes < 0.9
    assert half.flops == full.flops > 1e6 and half.in_out_bytes == full.in_out_bytes
    side = config.crop_size
    conditioning = 4 * (64 + 3 * 4 * 128)
    requests, answer = 4 * 17 * 32 * 32, 5 * (side // 2) ** 2 + 4
    assert half.in_out_bytes == side * side * 3 + requests + conditioning + answer


def test_the_limits_are_the_cards_figures_over_the_crops_and_a_batch_reads_weights_once() -> None:
    cost, card = CropCost(flops=1000, weight_bytes=800, in_out_bytes=100), Card(9000.0, 5000.0)
    assert limits(cost, card, 1) == (5.0, 10.0)
    assert limits(cost, card, 8) == (5.0, 45.0)


def test_a_card_with_a_similar_name_is_another_card() -> None:
    assert CARDS["NVIDIA L40S"].flops_per_s > 2 * CARDS["NVIDIA L4"].flops_per_s
    assert CARDS["NVIDIA H200"] == Card(bytes_per_s=4.8e12, flops_per_s=989e12)
    assert "NVIDIA H200 NVL" not in CARDS and "NVIDIA H100 PCIe" not in CARDS
