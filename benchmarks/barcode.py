"""A frame number painted on a picture that survives lossy video.

32 square blocks along the top edge of the luma plane hold a 24-bit counter and an 8-bit checksum
(XOR of the counter's bytes and 0xA5), least significant bit first: 235 is 1, 16 is 0. The reader
averages the inner half of each block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 32
LARGEST_BLOCK = 16
"""Side of a block where the picture is wide enough, pixels."""
ONE, ZERO, THRESHOLD = 235, 16, 125
_SALT = 0xA5


def block_side(width: int) -> int:
    """Side of one block in a picture of that width, pixels, even.

    Raises:
        ValueError: narrower than 128 pixels, where blocks would not survive.
    """
    side = min(LARGEST_BLOCK, width // BITS // 2 * 2)
    if side < 4:
        raise ValueError(
            f"a picture {width} pixels wide has no room for a barcode; use 128 or more"
        )
    return side


def paint(luma: NDArray[np.uint8], counter: int) -> None:
    """Writes `counter` (0 .. 2**24-1) into the top of `luma` (H, W), in place."""
    side = block_side(luma.shape[1])
    word = counter | _checksum(counter) << 24
    bits = np.array([word >> i & 1 for i in range(BITS)], np.uint8)
    row = np.where(bits == 1, np.uint8(ONE), np.uint8(ZERO)).repeat(side)
    luma[:side, : BITS * side] = row


def read(luma: NDArray[np.uint8]) -> int | None:
    """The counter in `luma` (H, W), or None when its checksum is wrong."""
    side = block_side(luma.shape[1])
    inner = side // 4
    blocks = luma[:side, : BITS * side].reshape(side, BITS, side)
    means = blocks[inner : side - inner, :, inner : side - inner].mean(axis=(0, 2))
    word = sum(1 << i for i, mean in enumerate(means) if mean > THRESHOLD)
    counter = word & 0xFFFFFF
    return counter if word >> 24 == _checksum(counter) else None


def _checksum(counter: int) -> int:
    return (counter ^ counter >> 8 ^ counter >> 16 ^ _SALT) & 0xFF
