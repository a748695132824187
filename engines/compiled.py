"""Builds an engine for a GPU: compiles it for each batch size and compares each with eager, before anything is kept.

With precision auto, fp16 is tried first, then bf16, then f32: on NVIDIA's GPUs the first two take the same time, and
fp16 is three bits closer to eager (a network whose numbers it cannot hold is found out by the gate).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch

from engines.batch_sizes import batch_sizes
from engines.built import BuiltEngine, batch_ending, finished
from engines.gate import accept, judged, sentence
from engines.manifest import EngineIdentity, Parity
from engines.parity import BOUNDS, CROPS, Bounds, Samples
from engines.retouchgpt import checkpoint
from engines.retouchgpt.model import RetouchGPT
from engines.typed_graph import LOW, Precision
from stream_retouch.engine import EditLayer, RetouchEngine
from stream_retouch.errors import DeviceFailure, EngineError

Tell = Callable[[str], None]


class Maker(Protocol):
    """A way to compile the network for a GPU."""

    name: str
    """Of the engine."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """Packages that take part in a build."""
        ...

    def made(self, model: RetouchGPT, precision: Precision, batch: int) -> bytes:
        """The compiled network for exactly `batch` crops, as it is kept.

        Raises:
            EngineError: it cannot be compiled.
        """
        ...

    def engine(self, files: dict[int, bytes], precision: str, crop_size: int) -> RetouchEngine:
        """The engine of compiled networks, by batch size.

        Raises:
            EngineError: it cannot run them.
        """
        ...


def build_gpu(
    weights: Path | None,
    identity: EngineIdentity,
    maker: Maker,
    tell: Tell,
    crops: Path = CROPS,
    bounds: Bounds | None = None,
) -> BuiltEngine:
    """The engine of that identity, compared with eager and found equal. Writes nothing.

    Args:
        weights: None for those that ship.
        identity: as `engines.gpu_cache.identity` gives it.
        tell: is told each step in a sentence.
        crops: what to compare on.
        bounds: what it must reach; None for what is asked of its precision.

    Raises:
        WeightsError: the weights cannot be used.
        ParityError: it does not compute what eager computes.
        EngineError: it cannot be compiled, or eager changes nothing.
    """
    tell("reading the weights")
    model = checkpoint.load(weights)
    tell("running eager on the parity crops")
    given, truth = judged(model, crops)
    try:
        precision, files, parity = _accepted(model, identity, maker, given, truth, tell, bounds)
    except torch.OutOfMemoryError as problem:
        raise DeviceFailure(
            "the GPU has no memory left to build on; end what else runs on it, or take a smaller --max-batch"
        ) from problem
    contents = {batch_ending(identity.engine, size): data for size, data in files.items()}
    return finished(identity, precision, parity, maker.libraries, contents)


def _accepted(
    model: RetouchGPT,
    identity: EngineIdentity,
    maker: Maker,
    given: Samples,
    truth: Sequence[EditLayer],
    tell: Tell,
    bounds: Bounds | None,
) -> tuple[str, dict[int, bytes], Parity]:
    """The first precision that passes: its name, its files by batch size, the figures of its worst batch size."""
    candidates = [each for each in LOW if identity.asked_precision in ("auto", each)]
    if not candidates:
        raise EngineError(f"no precision {identity.asked_precision}; use auto, {', '.join(LOW)}")
    for precision, following in zip(candidates, [*candidates[1:], None], strict=True):
        wanted = bounds or BOUNDS[precision]
        try:
            files, parity = _compared(
                model, precision, identity.max_batch, maker, given, truth, tell, wanted
            )
        except DeviceFailure:
            raise  # no precision mends it
        except EngineError as problem:  # ParityError too
            if following is None:
                raise
            tell(f"{precision} is left out ({problem}), going on with {following}")
            continue
        tell(sentence(precision, parity))
        return precision, files, parity
    raise AssertionError("the last candidate is taken, or its problem raised")


def _compared(
    model: RetouchGPT,
    precision: Precision,
    max_batch: int,
    maker: Maker,
    given: Samples,
    truth: Sequence[EditLayer],
    tell: Tell,
    bounds: Bounds,
) -> tuple[dict[int, bytes], Parity]:
    """Compiles one batch size after the other; the first that differs from eager ends it."""
    sizes = batch_sizes(max_batch)
    files: dict[int, bytes] = {}
    worst: Parity | None = None
    for place, size in enumerate(sizes, start=1):
        tell(f"compiling {precision} for batches of {size} ({place} of {len(sizes)})")
        files[size] = maker.made(model, precision, size)
        tell(f"comparing {precision} with eager in batches of {size}")
        engine = maker.engine({size: files[size]}, precision, model.config.crop_size)
        try:
            shown, wanted = _filled(given, truth, size)
            parity = accept(engine, shown, wanted, bounds, size)
        finally:
            engine.close()
        if worst is None or parity.edit_snr_db < worst.edit_snr_db:
            worst = parity
    assert worst is not None
    return files, worst


def _filled(
    given: Samples, truth: Sequence[EditLayer], size: int
) -> tuple[Samples, list[EditLayer]]:
    """The crops so often that they fill whole batches, so that each place of a batch is looked at."""
    count = -(-len(truth) // size) * size
    order = [i % len(truth) for i in range(count)]
    conditionings = [given.conditionings[i] for i in order]
    shown = Samples(given.crops[order], given.requests[order], conditionings)
    return shown, [truth[i] for i in order]
