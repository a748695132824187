"""What batch norms do while a network is trained further."""

from __future__ import annotations

from torch import nn


def to_training(model: nn.Module, fixed_norms: bool) -> None:
    """Training mode; with `fixed_norms`, batch norms scale by the statistics that ran along, as they serve, and leave
    them as they are. Their own weights are trained either way."""
    model.train()
    if fixed_norms:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
