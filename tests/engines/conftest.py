"""A small network with random weights, on disk and built: what the tests of the engines share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.engine import (
    BLOCK_WIDTH,
    BLOCKS,
    CROP_SIZE,
    REQUEST_CHANNELS,
    REQUEST_SIZE,
    TEXT_WIDTH,
    Conditioning,
)
from tests.engines.networks import FINER, SMALL, learned


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a small network that fits the seam."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("transformers", reason="transformers is not installed")
    from engines.retouchgpt import checkpoint
    from engines.retouchgpt.model import RetouchGPT

    torch.set_num_threads(1)
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    checkpoint.save(RetouchGPT(SMALL), path)
    return path


@pytest.fixture(scope="session")
def finer_weights(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a small network with a finer level that has something to say."""
    from engines.retouchgpt import checkpoint
    from engines.retouchgpt.model import RetouchGPT

    path = tmp_path_factory.mktemp("weights") / "finer.safetensors"
    checkpoint.save(learned(RetouchGPT(FINER)), path)
    return path


@pytest.fixture(scope="session")
def cache(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the built engine of `weights` in f32: exporting takes seconds, so once."""
    pytest.importorskip("openvino", reason="openvino is not installed")
    from engines.openvino import OpenVINOEngine

    folder = tmp_path_factory.mktemp("cache")
    OpenVINOEngine.load(weights, cache=folder, precision="f32").close()
    return folder


def conditioning(seed: int) -> Conditioning:
    """Some conditioning near neutral."""
    rng = np.random.default_rng(seed)

    def draw(middle: float, *shape: int) -> NDArray[np.float32]:
        return (middle + 0.1 * rng.standard_normal(shape)).astype(np.float32)

    block = (BLOCKS, BLOCK_WIDTH)
    return Conditioning(draw(0, TEXT_WIDTH), draw(1, *block), draw(0, *block), draw(0, *block))


@pytest.fixture(scope="session")
def batch() -> tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]:
    """Three crops with requests and conditionings."""
    rng = np.random.default_rng(7)
    crops = rng.integers(0, 256, (3, CROP_SIZE, CROP_SIZE, 3)).astype(np.uint8)
    shape = (3, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE)
    requests = rng.random(shape, np.float32)
    return crops, requests, [conditioning(i) for i in range(3)]
