"""The weights file as every engine needs it, without torch: where it lies, its fingerprint, its configuration."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engines.retouchgpt.config import RetouchGPTConfig
from stream_retouch.errors import WeightsError

DEFAULT_WEIGHTS = Path(__file__).resolve().parent / "weights" / "retouchgpt-256.safetensors"
"""The weights that ship."""


def weights_hash(path: Path | None = None) -> str:
    """SHA-256 of the weights file, hex.

    Raises:
        WeightsError: the file cannot be read.
    """
    path = DEFAULT_WEIGHTS if path is None else path
    if not path.is_file():
        raise WeightsError(str(path), "no such file")
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as problem:
        raise WeightsError(str(path), f"cannot be read ({problem})") from problem


def serving_config(path: Path | None = None) -> RetouchGPTConfig:
    """The configuration beside the weights, if it fits the seam.

    Raises:
        WeightsError: the weights or it is missing, it is unreadable, or for crops or conditionings of another size.
    """
    path = DEFAULT_WEIGHTS if path is None else path
    if not path.is_file():
        raise WeightsError(str(path), "no such file")
    path = path.with_suffix(".json")
    config, seam = RetouchGPTConfig.from_json(path), RetouchGPTConfig()
    for size in _SEAM_SIZES:
        found, expected = getattr(config, size), getattr(seam, size)
        if found != expected:
            raise WeightsError(str(path), f"{size} is {found}, the service works with {expected}")
    return config


_SEAM_SIZES = (
    "crop_size",
    "layer_size",
    "request_size",
    "categories",
    "text_width",
    "blocks",
    "block_width",
)
