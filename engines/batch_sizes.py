"""Which batch sizes a GPU engine is compiled for, and in which of them crops are run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stream_retouch.errors import EngineError

USUAL_MOST = 8
"""Crops of the largest batch, unless told otherwise."""


def batch_sizes(most: int) -> tuple[int, ...]:
    """1, 2, 4, 8 and so on up to `most`, which is one of them.

    Raises:
        EngineError: `most` is less than 1.
    """
    if most < 1:
        raise EngineError(f"a batch holds at least 1 crop, not {most}; use --max-batch 8")
    powers = [1 << i for i in range(most.bit_length())]
    return tuple(sorted({*powers, most}))


def pieces(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """How `count` crops are run: crops and batch size of each run. The last one may be padded.

    Args:
        sizes: what there are networks for, ascending.
    """
    while count > 0:
        size = next((size for size in sizes if size >= count), sizes[-1])
        yield min(count, size), size
        count -= size
