"""Proves the GPU engines on the machine it runs on: ``python -m engines.verify``.

With an NVIDIA GPU it builds tensorrt and inductor for each size (into a folder of its own, kept with --out), compares
them with eager, times batches, and prints a Markdown table. Without one it verifies what needs none (the network as a
typed graph and as ONNX, against eager) and says plainly what it could not. The last line is JSON. It ends with 0 where
everything that could be tried has passed.

Milliseconds are of whole calls of `RetouchEngine.retouch`: the copies to the GPU and back are in them.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines import gpu
from engines.built import BuiltEngine, store
from engines.conditioner import LanguageConditioner
from engines.cuda_device import TorchDevice
from engines.eager import EagerEngine
from engines.feed import edit_layers, feed
from engines.gpu_build import build_inductor, build_tensorrt
from engines.inductor import InductorEngine
from engines.manifest import Parity
from engines.onnx_graph import onnx_bytes
from engines.parity import BOUNDS, Samples, answers, compare, require, samples
from engines.retouchgpt import checkpoint
from engines.retouchgpt.model import RetouchGPT
from engines.tensorrt import TensorRTEngine
from engines.typed_graph import LOW, Precision, typed
from engines.weights_file import chosen
from stream_retouch.engine import CROP_SIZES, RetouchEngine
from stream_retouch.errors import EngineError, StreamRetouchError

BATCHES = (1, 8, 32)
"""Batch sizes that are timed."""
CALLS = 50
"""Timed calls of each batch size, after a tenth as many that do not count."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was found of one engine, or of one form of the network."""

    what: str
    """For example ``tensorrt 512 fp16``."""
    parity: Parity | None = None
    ms: dict[int, float] | None = None
    """Median milliseconds of a call by batch size."""
    problem: str = ""
    """Why it could not be verified; empty where it was and has passed."""
    could_run: bool = True
    """Whether this machine has what it needs: what it has not is no failure."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m engines.verify", description="Prove the GPU engines on this machine."
    )
    parser.add_argument(
        "--size",
        type=int,
        choices=CROP_SIZES,
        action="append",
        help="only this size (default: all)",
    )
    parser.add_argument("--out", type=Path, help="folder to keep the built engines in")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    sizes = args.size or list(CROP_SIZES)
    try:
        here: gpu.Gpu | None = gpu.found()
        _tell(f"GPU: {asdict(gpu.found())}")
        no_gpu = ""
    except EngineError as problem:
        here, no_gpu = None, str(problem)
        _tell(f"no GPU: {problem}")
    rows: list[Row] = []
    try:
        for size in sizes:
            rows += graphs(size)
            rows += engines(size, args.out) if here is not None else missing(size, no_gpu)
    except StreamRetouchError as problem:  # of the weights: nothing can be verified without
        print(f"engines.verify: {problem}", file=sys.stderr)
        return 1
    print(table(rows))
    failed = [row.what for row in rows if row.problem and row.could_run]
    not_tried = [row.what for row in rows if not row.could_run]
    if not_tried:
        print(f"\nNot verified on this machine: {', '.join(not_tried)}.")
    print(json.dumps(_report(rows, here, failed)))
    return 1 if failed else 0


def graphs(size: int) -> list[Row]:
    """The network in each precision, as the graph that engines are built from and as ONNX, on this CPU."""
    path = chosen(None, size)
    model = checkpoint.load(path)
    given = samples(LanguageConditioner(model), crop_size=size)
    truth = answers(EagerEngine(model), given)
    rows = []
    for precision in LOW:
        for what, run in (
            (f"typed graph {size} {precision}", _run_graph),
            (f"ONNX in onnxruntime {size} {precision}", _run_onnx),
        ):
            _tell(what)
            try:
                parity = compare(given.crops, truth, run(model, precision, given))
                require(parity, BOUNDS[precision])
                rows.append(Row(what, parity))
            except ImportError as problem:
                rows.append(Row(what, problem=str(problem), could_run=False))
            except EngineError as problem:
                rows.append(Row(what, problem=str(problem)))
    return rows


def _run_graph(model: RetouchGPT, precision: Precision, given: Samples) -> list[Any]:
    graph = typed(model, precision, 1).module()
    found: list[Any] = []
    with torch.no_grad():
        for arrays in _calls(given):
            answer = graph(*(torch.tensor(array) for array in arrays))
            found += edit_layers(*(each.numpy() for each in answer))
    return found


def _run_onnx(model: RetouchGPT, precision: Precision, given: Samples) -> list[Any]:
    if precision == "bf16":
        raise ImportError("onnxruntime computes no convolution in bf16 on a CPU")
    import importlib

    runtime = importlib.import_module("onnxruntime")
    for name in ("onnx", "onnxscript"):
        importlib.import_module(name)
    session = runtime.InferenceSession(
        onnx_bytes(model, precision, 1), providers=["CPUExecutionProvider"]
    )
    names = [port.name for port in session.get_inputs()]
    found: list[Any] = []
    for arrays in _calls(given):
        found += edit_layers(*session.run(None, dict(zip(names, arrays, strict=True))))
    return found


def _calls(given: Samples) -> Any:
    return feed(given.crops, given.requests, given.conditionings, given.crops.shape[1]).singles()


def engines(size: int, out: Path | None) -> list[Row]:
    """Both engines, built, compared and timed on the GPU that is here."""
    path = chosen(None, size)
    model = checkpoint.load(path)
    given = samples(LanguageConditioner(model), crop_size=size)
    truth = answers(EagerEngine(model), given)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = out or Path(temporary)
        for name in ("tensorrt", "inductor"):
            try:
                found = _built(name, path, folder)
                store(found, folder)
                engine = _engine(name, found)
            except EngineError as problem:
                rows.append(Row(f"{name} {size}", problem=str(problem), could_run=_can(name)))
                continue
            precision = found.manifest.precision
            try:
                parity = compare(given.crops, truth, answers(engine, given))
                require(parity, BOUNDS[precision])
                rows.append(Row(f"{name} {size} {precision}", parity, timings(engine, given)))
            except EngineError as problem:
                rows.append(Row(f"{name} {size} {precision}", problem=str(problem)))
            finally:
                engine.close()
    return rows


def missing(size: int, why: str) -> list[Row]:
    """What of one size cannot be verified without a GPU."""
    return [
        Row(f"{name} {size}", problem=why, could_run=False) for name in ("tensorrt", "inductor")
    ]


def timings(
    engine: RetouchEngine, given: Samples, clock: Callable[[], float] = time.perf_counter
) -> dict[int, float]:
    """Median milliseconds of a call by its number of crops."""
    found = {}
    for batch in BATCHES:
        order = [i % len(given.crops) for i in range(batch)]
        conditionings = [given.conditionings[i] for i in order]
        call = given.crops[order], given.requests[order], conditionings
        taken = []
        for _ in range(CALLS + CALLS // 10):
            began = clock()
            engine.retouch(*call)
            taken.append((clock() - began) * 1e3)
        found[batch] = round(float(np.median(taken[CALLS // 10 :])), 3)
    return found


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    heads = ["", "parity dB", "edit/error dB", "worst crop dB", "mask IoU", "worst pixel"]
    heads += [f"batch {batch} ms" for batch in BATCHES] + ["crops/s", "result"]
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 2) + ["---"]]
    for row in rows:
        cells = [row.what, *_parity_cells(row.parity), *_ms_cells(row.ms)]
        state = "passed" if not row.problem else "failed" if row.could_run else "not tried"
        lines.append([*cells, f"{state}: {row.problem}" if row.problem else state])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _parity_cells(parity: Parity | None) -> list[str]:
    if parity is None:
        return [""] * 5
    decibels = (parity.parity_psnr_db, parity.edit_snr_db, parity.worst_crop_snr_db)
    return [
        *(f"{each:.1f}" for each in decibels),
        f"{parity.mask_iou:.4f}",
        str(parity.worst_pixel),
    ]


def _ms_cells(ms: dict[int, float] | None) -> list[str]:
    if ms is None:
        return [""] * (len(BATCHES) + 1)
    best = max(batch / taken * 1e3 for batch, taken in ms.items())
    return [*(f"{ms[batch]:.3f}" for batch in BATCHES), f"{best:.0f}"]


def _built(name: str, weights: Path | None, folder: Path) -> BuiltEngine:
    if name == "tensorrt":
        return build_tensorrt(weights, "auto", max(BATCHES), _tell, folder)
    return build_inductor(weights, "auto", max(BATCHES), _tell)


def _engine(name: str, found: BuiltEngine) -> RetouchEngine:
    if name == "tensorrt":
        return TensorRTEngine.of(found, TorchDevice(), gpu.tensorrt())
    return InductorEngine.of(found, TorchDevice())


def _can(name: str) -> bool:
    """Whether this machine has the library; with it, what goes wrong is a failure."""
    if name != "tensorrt":
        return True
    try:
        gpu.tensorrt()
    except EngineError:
        return False
    return True


def _report(rows: Sequence[Row], here: gpu.Gpu | None, failed: list[str]) -> dict[str, Any]:
    return {
        "gpu": None if here is None else asdict(here),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "failed": failed,
        "rows": [
            {
                "what": row.what,
                "parity": None if row.parity is None else asdict(row.parity),
                "ms": row.ms,
                "problem": row.problem,
                "could_run": row.could_run,
            }
            for row in rows
        ],
    }


def _tell(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
