"""Builds an engine, compares it with eager, and only then stores it.

    python -m engines.build --engine openvino --size 256 --precision auto

With precision auto, int8 is tried first, and taken where eager agrees and it is worth it: `WORTH` faster on this
machine. Then comes bf16 where the CPU computes it natively, and f32 where eager does not agree with that.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch

from engines import openvino as openvino_engine
from engines.built import BuiltEngine, file_names, store
from engines.conditioner import LanguageConditioner
from engines.eager import EagerEngine
from engines.feed import feed, inputs, outputs
from engines.manifest import EngineIdentity, EngineManifest, Parity
from engines.parity import BOUNDS, CROPS, Bounds, Samples, answers, compare, require, samples
from engines.quantised import Ir, calibration, quantised, written
from engines.retouchgpt import checkpoint
from engines.retouchgpt.model import RetouchGPT
from engines.retouchgpt.serving import ServingModel
from engines.weights_file import SIZE_HELP, chosen
from stream_retouch.engine import CROP_SIZES, EditLayer, RetouchEngine
from stream_retouch.errors import EngineError, StreamRetouchError

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
    given = samples(LanguageConditioner(model), crops, model.config.crop_size)
    truth = answers(EagerEngine(model), given)
    precision, parity, (xml, numbers) = accepted(ir, identity, given, truth, tell, bounds)
    manifest = EngineManifest(
        identity=identity,
        precision=precision,
        parity=parity,
        libraries={name: importlib.metadata.version(name) for name in ("openvino", "torch")},
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        files=file_names(identity, xml, numbers),
    )
    return BuiltEngine(manifest, xml, numbers)


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
    if asked not in ("auto", *BOUNDS):
        raise EngineError(f"no precision {asked}; use auto, {', '.join(BOUNDS)}")
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
        tell(
            f"{precision} accepted: parity {parity.parity_psnr_db:.1f} dB, edit to error "
            f"{parity.edit_snr_db:.1f} dB (worst crop {parity.worst_crop_snr_db:.1f}), "
            f"mask IoU {parity.mask_iou:.4f}, worst pixel {parity.worst_pixel}"
        )
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


def accept(
    engine: RetouchEngine,
    given: Samples,
    truth: Sequence[EditLayer],
    bounds: Bounds = BOUNDS["f32"],
) -> Parity:
    """The gate: the figures of an engine that computes what eager computes.

    Raises:
        ParityError: it does not.
        EngineError: eager changes nothing, so that nothing can be said.
    """
    parity = compare(given.crops, truth, answers(engine, given))
    require(parity, bounds)
    return parity


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


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m engines.build", description="Build an engine and compare it with eager."
    )
    parser.add_argument("--engine", choices=("openvino", "eager"), default="openvino")
    parser.add_argument("--precision", choices=openvino_engine.PRECISIONS, default="auto")
    parser.add_argument("--weights", type=Path, help="weights file (default: those that ship)")
    parser.add_argument("--size", type=int, choices=CROP_SIZES, help=SIZE_HELP)
    parser.add_argument(
        "--out", type=Path, help="folder to store it in (default ~/.cache/stream_retouch)"
    )
    args = parser.parse_args(argv)
    try:
        args.weights = chosen(args.weights, args.size)
        if args.engine == "eager":
            EagerEngine.load(args.weights).close()
            print("eager runs the weights as they are: they are whole, nothing is to be built")
        else:
            print(f"stored {_stored(args)}")
    except (StreamRetouchError, OSError) as problem:
        print(f"engines.build: {problem}", file=sys.stderr)
        return 1
    return 0


def _stored(args: argparse.Namespace) -> Path:
    folder = args.out or openvino_engine.default_cache()
    if folder is None:
        raise EngineError("there is no home directory; name a folder with --out")
    torch.set_num_threads(1)
    identity = openvino_engine.identity(args.weights, args.precision)
    return store(build_openvino(args.weights, identity, print), folder)


if __name__ == "__main__":
    sys.exit(main())
