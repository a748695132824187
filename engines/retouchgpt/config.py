"""Sizes of the network, saved as JSON beside every weights file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stream_retouch.engine import (
    BLOCK_WIDTH,
    BLOCKS,
    CROP_SIZE,
    LAYER_SIZE,
    REQUEST_CHANNELS,
    REQUEST_SIZE,
    TEXT_WIDTH,
)
from stream_retouch.errors import WeightsError


@dataclass(frozen=True, slots=True)
class RetouchGPTConfig:
    """Every size that shapes a tensor. Defaults are the CPU model that ships."""

    finer: int = 0
    """Channels of the finer level, which doubles crop and edit layer; 0 for a network without one."""
    request_size: int = REQUEST_SIZE
    """Side of the request map, cells."""
    categories: int = REQUEST_CHANNELS
    """Evidence and request channels."""
    widths: tuple[int, int, int] = (16, 32, 64)
    """Channels of f1, f2, f3 at 1/2, 1/4 and 1/8 of the crop."""
    block_width: int = BLOCK_WIDTH
    """Channels of f4 at 1/16 of the crop and of the transformer R."""
    blocks: int = BLOCKS
    """Blocks of R."""
    heads: int = 4
    """Attention heads of R."""
    text_width: int = TEXT_WIDTH
    """Width of f_txt."""
    language_width: int = 128
    """Width of E_txt, P and the LLM."""
    language_layers: int = 2
    """Layers of E_txt and of the LLM, each."""
    language_heads: int = 4
    """Attention heads of E_txt and of the LLM."""
    max_words: int = 96
    """Canonical words E_txt reads at most."""
    amount_classes: int = 5
    """Classes of amount (0, then four quarters) that the plan decoded from f_r distinguishes."""

    def __post_init__(self) -> None:
        if self.finer < 0:
            raise ValueError(f"finer must be 0 or a number of channels, not {self.finer}")
        if self.block_width % self.heads:
            raise ValueError(f"block_width {self.block_width} must be a multiple of heads")

    @property
    def crop_size(self) -> int:
        """Side of the input crop, pixels."""
        return 2 * CROP_SIZE if self.finer else CROP_SIZE

    @property
    def layer_size(self) -> int:
        """Side of the edit layer and the mask, pixels; half the crop."""
        return 2 * LAYER_SIZE if self.finer else LAYER_SIZE

    @property
    def inner(self) -> RetouchGPTConfig:
        """The network without its finer level, at half the size."""
        return replace(self, finer=0)

    def as_dict(self) -> dict[str, Any]:
        """The configuration as JSON values, with the sizes that follow from it."""
        sizes = {"crop_size": self.crop_size, "layer_size": self.layer_size}
        return {**sizes, **asdict(self), "widths": list(self.widths)}

    def to_json(self) -> str:
        """The configuration as indented JSON."""
        return json.dumps(self.as_dict(), indent=2)

    @staticmethod
    def from_json(path: Path) -> RetouchGPTConfig:
        """Reads a configuration.

        Raises:
            WeightsError: the file is missing, no JSON, holds other fields than this version knows, or sizes that do
                not follow from them.
        """
        try:
            values: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as problem:
            raise WeightsError(str(path), f"configuration unreadable ({problem})") from problem
        try:
            values["widths"] = tuple(values["widths"])
            sizes = {n: values.pop(n) for n in ("crop_size", "layer_size") if n in values}
            config = RetouchGPTConfig(**values)
            for name, size in sizes.items():
                if size != getattr(config, name):
                    raise ValueError(f"{name} is {size}, not {getattr(config, name)}")
            return config
        except (KeyError, TypeError, ValueError) as problem:
            raise WeightsError(str(path), f"not a RetouchGPT configuration ({problem})") from None
