"""Builds the OpenVINO engine: exports the network, takes the first precision that passes the gate and is worth it.

With precision auto, int8 is tried first, and taken where eager agrees and it is worth it: `WORTH` faster on this
machine. Then comes bf16 where the CPU computes it natively, and f32 where eager does not agree with that.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch

from engines import openvino as openvino_engine
from engines.built import BuiltEngine, finished
from engines.feed import feed, inputs, outputs
from engines.gate import accept, judged, sentence
from engines.manifest import EngineIdentity, Parity
from engines.parity import BOUNDS, CROPS, Bounds, Samples
from engines.quantised import Ir, calibration, quantised, written
from engines.retouchgpt import checkpoint
from engines.retouchgpt.model import RetouchGPT
from engines.retouchgpt.serving import ServingModel
from stream_retouch.engine import EditLayer, RetouchEngine
from stream_retouch.errors import EngineError

Tell = Callable[[str], None]
CallMs = Callable[[Sequence[RetouchEngine], Samples], list[float]]
WORTH = 0.10
"""So much less time, as a share, makes the coarser of two precisions worth taking."""
_TIMED_CALLS = 40


def build_openvino(
    weights: Path | None,
    identity: EngineIdentity,
    tell: Tell,
    crops: Path = CROPS,
    bounds: Bounds | None = None,
) -> BuiltEngine:
    """The engine of that identity, compared with eager and found equal. Writes nothing.

    Args:
        weights: None for those that ship.
        identity: as `engines.openvino.identity` gives it.
        tell: is told each step in a sentence.
        crops: what to compare on.
        bounds: what it must reach; None for what is asked of its precision.

    Raises:
        WeightsError: the weights cannot be used.
        ParityError: it does not compute what eager computes.
        EngineError: eager changes nothing, or OpenVINO cannot run it.
    """
    tell("reading the weights")
    model = checkpoint.load(weights)
    tell("exporting the network")
    ir = exported(model)
    tell("running eager on the parity crops")
    given, truth = judged(model, crops)
    precision, parity, (xml, numbers) = accepted(ir, identity, given, truth, tell, bounds)
    contents = {".xml": xml, ".bin": numbers}
    return finished(identity, precision, parity, ("openvino", "torch"), contents)


def accepted(
    ir: Ir,
    identity: EngineIdentity,
    given: Samples,
    truth: Sequence[EditLayer],
    tell: Tell,
    bounds: Bounds | None = None,
    call_ms: CallMs | None = None,
) -> tuple[str, Parity, Ir]:
    """The first precision that passes and is worth it, its figures, and the network in it.

    Args:
        call_ms: how long a call of each engine takes; `milliseconds` unless given.

    Raises:
        ParityError, EngineError: none passes.
    """
    call_ms = call_ms or milliseconds
    asked = identity.asked_precision
    exact = ["bf16", "f32"] if "BF16" in identity.capabilities else ["f32"]
    candidates = ["int8", *exact] if asked == "auto" else [asked]
    if asked not in openvino_engine.PRECISIONS:
        raise EngineError(f"no precision {asked}; use {', '.join(openvino_engine.PRECISIONS)}")
    for precision, following in zip(candidates, [*candidates[1:], None], strict=True):
        tell(f"comparing {precision} with eager")
        try:
            form = _in_8_bits(ir, given) if precision == "int8" else ir
            engine = openvino_engine.OpenVINOEngine(form, precision, threads=1)
            parity = accept(engine, given, truth, bounds or BOUNDS[precision])
        except EngineError as problem:  # ParityError too
            if following is None:
                raise
            tell(f"{precision} is left out ({problem}), going on with {following}")
            continue
        if precision == "int8" and following is not None:
            other = openvino_engine.OpenVINOEngine(ir, following, threads=1)
            taken = call_ms((engine, other), given)
            told = f"{precision} takes {taken[0]:.1f} ms, {following} {taken[1]:.1f} ms"
            if taken[0] > (1 - WORTH) * taken[1]:
                tell(f"{told}: not worth it, going on with {following}")
                continue
            tell(told)
        tell(sentence(precision, parity))
        return precision, parity, form
    raise AssertionError("the last candidate is taken, or its problem raised")


def _in_8_bits(ir: Ir, given: Samples) -> Ir:
    shown = calibration(given)
    calls = feed(shown.crops, shown.requests, shown.conditionings, shown.crops.shape[1])
    try:
        return quantised(ir, calls.singles())
    except RuntimeError as problem:
        raise EngineError("openvino cannot quantise this network; use bf16 or f32") from problem


def milliseconds(engines: Sequence[RetouchEngine], given: Samples) -> list[float]:
    """The 25 % quantile of each engine's calls, in turn, so that what else runs here slows all alike."""
    one = given.crops[:1], given.requests[:1], given.conditionings[:1]
    taken: list[list[float]] = [[] for _ in engines]
    for _ in range(_TIMED_CALLS):
        for engine, calls in zip(engines, taken, strict=True):
            began = time.perf_counter()
            engine.retouch(*one)
            calls.append(time.perf_counter() - began)
    return [float(np.quantile(calls, 0.25)) * 1e3 for calls in taken]


def exported(model: RetouchGPT) -> tuple[bytes, bytes]:
    """The per-frame network for one crop as OpenVINO IR: the graph's XML and its numbers, fp32."""
    taken, given = inputs(model.config.crop_size), outputs(model.config.crop_size)
    example = tuple(
        torch.zeros(shape, dtype=torch.uint8 if name == "crops" else torch.float32)
        for name, shape in taken.items()
    )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporters about themselves
        program = torch.export.export(ServingModel(model).eval(), example)
        graph: Any = ov.convert_model(program)
    # without this OpenVINO keeps every size open, and runs half as fast
    graph.reshape({i: list(shape) for i, shape in enumerate(taken.values())})
    for port, name in zip((*graph.inputs, *graph.outputs), (*taken, *given), strict=True):
        port.tensor.set_names({name})
    return written(graph)
