"""What a GPU could do at most, in crops a second: by its arithmetic, and by its memory.

* by arithmetic: the card's dense 16-bit tensor FLOP/s over the FLOPs of a crop, a multiply and an add each counted, of
  convolutions and matrix products (torch's counter). The rest of the network is not counted.
* by memory: the card's bytes a second over the bytes that a crop cannot do without: its inputs and its edit layer, and
  the weights, which a batch reads once. What layers hand to each other is not counted, for it need not leave the chip.

Nobody reaches either; the share tells which one is nearer, and how much there is to gain. Copies from and to the
computer's own memory are in neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engines.cuda_slots import IN_8_BITS
from engines.feed import inputs, outputs
from engines.retouchgpt.model import RetouchGPT
from engines.typed_graph import GpuModel, Precision, example, typed


@dataclass(frozen=True, slots=True)
class Card:
    """What a data sheet says of a GPU."""

    bytes_per_s: float
    """Of its memory."""
    flops_per_s: float
    """Of its tensor cores in fp16 and bf16, without sparsity."""


CARDS = {
    "NVIDIA H200": Card(4.8e12, 989e12),
    "NVIDIA H100 80GB HBM3": Card(3.35e12, 989e12),
    "NVIDIA A100-SXM4-80GB": Card(2.04e12, 312e12),
    "NVIDIA L4": Card(0.30e12, 121e12),
    "NVIDIA L40S": Card(0.864e12, 362e12),
    "NVIDIA GeForce RTX 4090": Card(1.008e12, 165e12),
    "Tesla T4": Card(0.32e12, 65e12),
}
"""By the name that the driver gives, from NVIDIA's data sheets of these cards (half of what one says with sparsity).
Another name, even a similar one, is another card."""


@dataclass(frozen=True, slots=True)
class CropCost:
    """What the network needs for a crop, whatever runs it."""

    flops: int
    weight_bytes: int
    """Of all weights that it uses, in the precision it runs in."""
    in_out_bytes: int
    """Of one crop's inputs and outputs."""

    def bytes_in(self, batch: int) -> float:
        """Of a crop in a batch of so many."""
        return self.weight_bytes / batch + self.in_out_bytes


def crop_cost(model: RetouchGPT, precision: Precision) -> CropCost:
    """What the network needs in that precision; counted on the CPU."""
    size = model.config.crop_size
    arrays = {**inputs(size), **outputs(size)}
    return CropCost(
        flops=flops(GpuModel(model).eval(), example(size, 1)),
        weight_bytes=weight_bytes(typed(model, precision, 1)),
        in_out_bytes=sum(
            int(np.prod(shape)) * (1 if name in IN_8_BITS else 4) for name, shape in arrays.items()
        ),
    )


def flops(network: nn.Module, given: Sequence[torch.Tensor]) -> int:
    """Multiplications and additions of a run."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*given)
    return int(counter.get_total_flops())


def weight_bytes(program: torch.export.ExportedProgram) -> int:
    """Of the weights and constants that a graph uses."""
    kept = {**program.state_dict, **program.constants}
    used = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    return sum(
        kept[spec.target].numel() * kept[spec.target].element_size()
        for spec in program.graph_signature.input_specs
        if spec.target in kept and spec.arg.name in used
    )


def limits(cost: CropCost, card: Card, batch: int) -> tuple[float, float]:
    """Crops a second in batches of that size, by arithmetic and by memory."""
    return card.flops_per_s / cost.flops, card.bytes_per_s / cost.bytes_in(batch)
