"""The network of `engines.speech.sound_model` in torch, to be trained."""

from __future__ import annotations

from torch import Tensor, log_softmax, nn

from engines.speech.features import BANDS
from engines.speech.phones import CLASSES
from engines.speech.sound_model import STRIDE, SoundConfig


class _Block(nn.Module):
    """Along time in every channel by itself, then across channels (Z. Liu et al., 2022, "A ConvNet for the 2020s")."""

    def __init__(self, config: SoundConfig) -> None:
        super().__init__()
        width, wide = config.width, config.width * config.expansion
        self.along = nn.Conv1d(
            width, width, config.kernel, padding=config.kernel // 2, groups=width
        )
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, wide)
        self.narrow = nn.Linear(wide, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.along(x.transpose(1, 2)).transpose(1, 2)
        added: Tensor = self.narrow(_gelu(self.wide(self.norm(y))))
        return x + added


class SoundNet(nn.Module):
    """Convolutions over bands of the mel scale."""

    def __init__(self, config: SoundConfig) -> None:
        """Random weights."""
        super().__init__()
        self.config = config
        self.begin = nn.Conv1d(BANDS, config.width, 2 * STRIDE + 1, STRIDE, padding=STRIDE)
        self.blocks = nn.Sequential(*(_Block(config) for _ in range(config.blocks)))
        self.norm = nn.LayerNorm(config.width)
        self.end = nn.Linear(config.width, CLASSES)

    def forward(self, seen: Tensor) -> Tensor:
        """(B, ceil(T / STRIDE), CLASSES) log probabilities from (B, T, BANDS) of `batched.seen`."""
        x = _gelu(self.begin(seen.transpose(1, 2))).transpose(1, 2)
        return log_softmax(self.end(self.norm(self.blocks(x))).float(), -1)


def _gelu(x: Tensor) -> Tensor:
    return nn.functional.gelu(x, approximate="tanh")
