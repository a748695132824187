"""What goes into a network and what comes out of it, checked: the numpy side that all engines share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import (
    BLOCK_WIDTH,
    BLOCKS,
    REQUEST_CHANNELS,
    REQUEST_SIZE,
    TEXT_WIDTH,
    Conditioning,
    EditLayer,
)
from stream_retouch.errors import EngineError

Shapes = dict[str, tuple[int, ...]]
"""Shape of each array by its name, in their order."""


def inputs(crop_size: int) -> Shapes:
    """Inputs of a per-frame network for one crop; crops are uint8, the rest float32.

    Args:
        crop_size: of the network, as its configuration says.
    """
    return {
        "crops": (1, crop_size, crop_size, 3),
        "requests": (1, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE),
        "f_txt": (1, TEXT_WIDTH),
        "alpha": (1, BLOCKS, BLOCK_WIDTH),
        "beta": (1, BLOCKS, BLOCK_WIDTH),
        "gamma": (1, BLOCKS, BLOCK_WIDTH),
    }


def outputs(crop_size: int) -> Shapes:
    """Its outputs; codes and mask are uint8."""
    side = crop_size // 2
    return {"codes": (1, 4, side, side), "mask": (1, side, side), "skin_luma": (1,)}


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """A batch as the network takes it: contiguous, of the right types, B first."""

    crops: NDArray[np.uint8]
    requests: NDArray[np.float32]
    f_txt: NDArray[np.float32]
    alpha: NDArray[np.float32]
    beta: NDArray[np.float32]
    gamma: NDArray[np.float32]

    def arrays(self) -> list[NDArray[np.uint8] | NDArray[np.float32]]:
        """The arrays in the order of `inputs`."""
        return [self.crops, self.requests, self.f_txt, self.alpha, self.beta, self.gamma]

    def singles(self) -> Iterator[list[NDArray[np.uint8] | NDArray[np.float32]]]:
        """The same, one crop after the other, each with B = 1; views."""
        for i in range(len(self.crops)):
            yield [array[i : i + 1] for array in self.arrays()]


def feed(
    crops: NDArray[np.uint8],
    requests: NDArray[np.float32],
    conditionings: Sequence[Conditioning],
    crop_size: int,
) -> Feed:
    """The arguments of `RetouchEngine.retouch`, checked and gathered.

    Args:
        crops, requests, conditionings: as the engine was handed them.
        crop_size: of the network.

    Raises:
        EngineError: something has another shape, type or range than the seam says.
    """
    count = len(conditionings)
    if count == 0:
        raise EngineError("there is nothing to retouch; pass at least one crop")
    shapes = inputs(crop_size)
    _check("crops", crops, (count, *shapes["crops"][1:]), np.uint8)
    _check("requests", requests, (count, *shapes["requests"][1:]), np.float32)
    # written so that NaN fails too
    if not (requests.min() >= 0 and requests.max() <= 1):
        raise EngineError("requests hold values outside 0..1; pass amounts as request_map does")
    for name in ("f_txt", "alpha", "beta", "gamma"):
        for conditioning in conditionings:
            _check(name, getattr(conditioning, name), shapes[name][1:], np.float32)
    return Feed(
        np.ascontiguousarray(crops),
        np.ascontiguousarray(requests),
        np.stack([c.f_txt for c in conditionings]),
        np.stack([c.alpha for c in conditionings]),
        np.stack([c.beta for c in conditionings]),
        np.stack([c.gamma for c in conditionings]),
    )


def _check(
    name: str, array: NDArray[np.generic], shape: tuple[int, ...], kind: type[np.generic]
) -> None:
    if array.shape != shape or array.dtype != kind:
        raise EngineError(
            f"{name} is {array.shape} {array.dtype}, not {shape} {np.dtype(kind)}; "
            "pass arrays as stream_retouch.engine describes them"
        )


def edit_layers(
    codes: NDArray[np.uint8], mask: NDArray[np.uint8], skin_luma: NDArray[np.float32]
) -> list[EditLayer]:
    """The network's outputs (B first) as edit layers of their own memory."""
    return [
        EditLayer(codes[i].copy(), mask[i].copy(), float(skin_luma[i])) for i in range(len(codes))
    ]
