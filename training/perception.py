"""H(.) of equation 9: features of a slim VGG-19 (Wang et al., Collaborative Distillation, CVPR 2020; MIT).

The weights are a training aid, read from the shared data folder and never shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stream_retouch.errors import WeightsError

_TRUNK = (
    *("conv11", "conv12", "pool", "conv21", "conv22", "pool"),
    *("conv31", "conv32", "conv33", "conv34", "pool"),
    *("conv41", "conv42", "conv43", "conv44", "pool", "conv51"),
)
_TAPS = ("conv11", "conv21", "conv31")


class SlimVGG(nn.Module):
    """relu1_1, relu2_1 and relu3_1 of RGB pictures 0..1, or the taps that are named; frozen."""

    def __init__(self, path: Path, taps: Sequence[str] = _TAPS) -> None:
        """Reads the weights up to the last of `taps`, which are names of 3x3 layers in their order."""
        super().__init__()
        self._taps = tuple(taps)
        self._trunk = _TRUNK[: _TRUNK.index(self._taps[-1]) + 1]
        try:
            with np.load(path, allow_pickle=False) as data:
                names = ["conv0", *(n for n in self._trunk if n != "pool")]
                for name in names:
                    for part in ("weight", "bias"):
                        key = f"{name}.{part}"
                        self.register_buffer(key.replace(".", "_"), torch.from_numpy(data[key]))
        except (OSError, KeyError, ValueError) as problem:
            raise WeightsError(str(path), f"not the slim VGG archive ({problem})") from problem

    def forward(self, rgb_B3HW: torch.Tensor) -> list[torch.Tensor]:
        """Features at the taps; a picture has at least 32 pixels a side."""
        x = F.conv2d(rgb_B3HW, self.conv0_weight, self.conv0_bias)
        taps = []
        for name in self._trunk:
            if name == "pool":
                x = F.max_pool2d(x, 2)
                continue
            weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
            x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weight, bias))
            if name in self._taps:
                taps.append(x)
        return taps

    def distance(self, out_B3HW: torch.Tensor, target_B3HW: torch.Tensor) -> torch.Tensor:
        """Mean absolute difference of the features, each over the target's own mean magnitude, summed."""
        with torch.no_grad():
            wanted = self(target_B3HW)
        parts = [
            (a - b).abs().mean() / (b.abs().mean() + 1e-6)
            for a, b in zip(self(out_B3HW), wanted, strict=True)
        ]
        return torch.stack(parts).sum()
