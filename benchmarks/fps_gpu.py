"""What `benchmarks.fps` tells of an engine for a GPU, beside its own calls: other ways to run the network, and limits.

Rows, each for the same crops in the same batches and in the engine's precision:

* the engine's whole calls.
* eager: the graph that the engine is built from, run by PyTorch on the GPU, operator by operator; whole calls.
* torch.compile: the same, compiled while it runs, in its default mode; whole calls.
* overlapped: the engine with two batches under way, so that copies and Python go on beside the graph.
* graphs alone: the engine's CUDA graphs, one behind the other, without copies: what is left if those cost nothing.

Whole calls go from numpy arrays to edit layers. Each row tells milliseconds a batch, crops a second, how many streams
of 30 frames a second that is (whole ones, one face each), and its share of what the card could do (`gpu_limits`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.batch_timing import (
    Asked,
    Graphs,
    batch,
    figures,
    graphs_ms,
    overlapped_ms,
    whole_ms,
)
from benchmarks.gpu_limits import CARDS, CropCost, crop_cost, limits
from engines import gpu
from engines.batching import Overlapping
from engines.feed import edit_layers, feed
from engines.gpu import first_line
from engines.parity import Samples
from engines.retouchgpt.model import RetouchGPT
from engines.typed_graph import Precision, typed
from stream_retouch.engine import Conditioning, EditLayer, RetouchEngine

OWN = "whole calls"
"""The row of the engine's whole calls; tables show the engine's name."""
LEAST_CALLS = 50
"""Timed batches of each size at the least: one takes a millisecond or less, and a few tell little."""
STREAM_FPS = 30

Run = Callable[..., Sequence[torch.Tensor]]
"""A network: outputs in the order of `engines.feed.outputs`, of inputs in that of `inputs`."""
Timed = Callable[[int, Asked, int], float]
"""Milliseconds of a batch, of its size, its crops and the number of batches that count."""
Row = dict[str, dict[str, Any]]
"""Figures by crops of a batch."""


class GpuEngine(RetouchEngine, Overlapping, Graphs, Protocol):
    """One that all rows can be measured of."""


class PlainEngine:
    """Implements `RetouchEngine` as far as it is timed: arrays to the GPU, the network as PyTorch runs it, and back."""

    name, calls_at_once, crops_at_once, cores_per_call = "plain", 1, 1, 0

    def __init__(self, run: Run, crop_size: int, device: str) -> None:
        """`run` takes as many crops as every call has; `device` is torch's name for it."""
        self.crop_size = crop_size
        self._run, self._device = run, device

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """See `RetouchEngine.retouch`."""
        arrays = feed(crops, requests, conditionings, self.crop_size).arrays()
        with torch.no_grad():
            found = self._run(*(torch.tensor(array, device=self._device) for array in arrays))
        return edit_layers(*(each.cpu().numpy() for each in found))

    def close(self) -> None:
        """Frees nothing that its owner does not."""


def measured(
    engine: GpuEngine,
    model: RetouchGPT,
    precision: Precision,
    given: Samples,
    batches: Sequence[int],
    frames: int,
    tell: Callable[[str], None],
    card: str | None = None,
    device: str = "cuda",
    compiled: Callable[[Run], Run] = torch.compile,
    least: int = LEAST_CALLS,
) -> dict[str, Any]:
    """All rows, and the limits of the card.

    Args:
        engine: on the GPU, free for this alone.
        model: its network.
        frames: crops of each row and size that count.
        card: the GPU's name; None for that of the one that is here.
        device: torch's name of it.
        compiled: how the network is compiled while it runs.
        least: batches that count, if `frames` are fewer.

    Returns:
        JSON values: ``name``, ``crop``, ``limits`` (None for a card that is not known), and ``rows`` by their names.
    """
    card = card or gpu.found().name
    tell("counting what a crop costs")
    cost = crop_cost(model, precision)
    ours: dict[str, Timed] = {
        OWN: lambda size, asked, calls: whole_ms(engine, asked, calls),
        "overlapped": lambda size, asked, calls: overlapped_ms(engine, asked, calls),
        "graphs alone": lambda size, asked, calls: graphs_ms(engine, size, calls),
    }
    plain = {
        f"eager {precision}": _plain(model, precision, device, lambda run: run),
        f"torch.compile {precision}": _plain(model, precision, device, compiled),
    }
    rows: dict[str, Row] = {}
    for name, milliseconds in {**ours, **plain}.items():
        rows[name] = {}
        for size in batches:
            tell(f"{name}, batches of {size}")
            timed = _told if name in plain else _figures
            calls = max(frames // size, least)
            rows[name][str(size)] = timed(milliseconds, batch(given, size), size, calls)
        complete(rows[name], cost, card)
    return {
        "name": card,
        "crop": {**asdict(cost), "bytes": cost.weight_bytes + cost.in_out_bytes},
        "limits": _limits(cost, card),
        "rows": rows,
    }


def _plain(
    model: RetouchGPT, precision: Precision, device: str, way: Callable[[Run], Run]
) -> Timed:
    """How long PyTorch itself takes, the network run that way."""

    def milliseconds(size: int, asked: Asked, calls: int) -> float:
        run = way(typed(model, precision, size, device).module(check_guards=False))
        return whole_ms(PlainEngine(run, model.config.crop_size, device), asked, calls)

    return milliseconds


def _figures(milliseconds: Timed, asked: Asked, size: int, calls: int) -> dict[str, Any]:
    return figures(size, milliseconds(size, asked, calls))


def _told(milliseconds: Timed, asked: Asked, size: int, calls: int) -> dict[str, Any]:
    """The figures of PyTorch itself, or why there are none: the engine's own are worth having all the same."""
    try:
        return _figures(milliseconds, asked, size, calls)
    except Exception as problem:  # compilers' errors have no common base
        return {"problem": first_line(problem)}


def complete(row: Row, cost: CropCost, card: str) -> None:
    """Adds streams, and the shares of what the card could do where it is known."""
    for size, found in row.items():
        if "problem" in found:
            continue
        found["streams_at_30_fps"] = int(found["crops_per_s"] // STREAM_FPS)
        if card in CARDS:
            by_flops, by_bytes = limits(cost, CARDS[card], int(size))
            found["share_of_flops"] = round(found["crops_per_s"] / by_flops, 5)
            found["share_of_bytes"] = round(found["crops_per_s"] / by_bytes, 5)


def _limits(cost: CropCost, card: str) -> dict[str, float] | None:
    if card not in CARDS:
        return None
    by_flops, by_bytes = limits(cost, CARDS[card], 1)
    return {
        **asdict(CARDS[card]),
        "crops_per_s_by_flops": round(by_flops),
        "crops_per_s_by_bytes": round(by_bytes),
    }


def table(found: dict[str, Any], own: str) -> str:
    """What `measured` gives in Markdown: its rows, and a sentence on the limits.

    Args:
        own: the engine's name and precision.
    """
    heads = ["", "crops a call", "ms", "crops/s", "streams of 30 fps", "of FLOP/s", "of bytes/s"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for name, row in found["rows"].items():
        lines += [[own if name == OWN else name, size, *_cells(each)] for size, each in row.items()]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\n{_sentence(found)}"


def _cells(found: dict[str, Any]) -> list[str]:
    if "problem" in found:
        return [f"failed: {found['problem'].replace('|', '/')}", *[""] * 4]
    shares = [
        f"{found[key]:.2%}" if key in found else "unknown"
        for key in ("share_of_flops", "share_of_bytes")
    ]
    return [
        f"{found['ms']:.3f}",
        f"{found['crops_per_s']:.0f}",
        str(found["streams_at_30_fps"]),
        *shares,
    ]


def _sentence(found: dict[str, Any]) -> str:
    crop, most = found["crop"], found["limits"]
    text = (
        f"{found['name']}: a crop is {crop['flops'] / 1e9:.2f} GFLOP, {crop['weight_bytes'] / 1e6:.2f} MB of weights "
        f"and {crop['in_out_bytes'] / 1e6:.2f} MB in and out; "
    )
    if most is None:
        return f"{text}the limits of this card are unknown (benchmarks/gpu_limits.py)"
    return (
        f"{text}at most {most['crops_per_s_by_flops']:.0f} crops/s by {most['flops_per_s'] / 1e12:.0f} TFLOP/s "
        f"(dense, 16 bits), and {most['crops_per_s_by_bytes']:.0f}, one at a time, by "
        f"{most['bytes_per_s'] / 1e12:.2f} TB/s"
    )
