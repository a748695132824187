"""The weights file as every engine needs it, without torch: where it lies, its fingerprint, its configuration."""

from __future__ import annotations

import hashlib
from pathlib import Path

from engines.retouchgpt.config import RetouchGPTConfig
from stream_retouch.engine import CROP_SIZE
from stream_retouch.errors import WeightsError

_FOLDER = Path(__file__).resolve().parent / "weights"
DEFAULT_WEIGHTS = _FOLDER / f"retouchgpt-{CROP_SIZE}.safetensors"
"""The weights that ship for the size that is usual."""
SIZE_HELP = "size of the network: 256, for CPUs, or 512 (default: that of the weights, else 256)"
"""What the option ``--size`` means, wherever there is one."""


def chosen(weights: Path | None, size: int | None) -> Path | None:
    """The weights file that is meant by a file, a size, both or neither; None for DEFAULT_WEIGHTS.

    Args:
        weights: the file that is asked for; None for one that ships.
        size: crop size of the network, one of CROP_SIZES; None for that of the file, or the usual one.

    Raises:
        WeightsError: no network of that size ships; or the file is missing, is not for this service or of another size.
    """
    if weights is not None:
        found = serving_config(weights).crop_size
        if size not in (None, found):
            remedy = "leave the size out, or name another file"
            raise WeightsError(str(weights), f"the network's size is {found}, not {size}", remedy)
        return weights
    if size is None or size == CROP_SIZE:
        return None
    path = _FOLDER / f"retouchgpt-{size}.safetensors"
    if not path.is_file():
        remedy = (
            "train one as training/README.md says and name it with --weights, or use --size 256"
        )
        raise WeightsError(str(path), f"no network of size {size} comes with this version", remedy)
    return path


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
        WeightsError: the weights or it is missing, it is unreadable, or for requests or conditionings of another size.
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
    "request_size",
    "categories",
    "text_width",
    "blocks",
    "block_width",
)
