"""How long an engine needs for one crop, beside eager: ``python -m benchmarks.fps --engine openvino --size 256``.

``--batch 1,8,32`` times batches too: milliseconds a call, and crops a second. On a CPU they gain nothing. For an engine
of a GPU they come with PyTorch's own times, overlapped batches, graphs alone and the card's limits (`fps_gpu`).

The number: milliseconds from the arguments of ``RetouchEngine.retouch`` to its edit layer, one crop a call, one call at
a time, as one user's frames arrive. Finding the face, taking the crop, pasting and coding come on top
(``benchmarks.latency``). images/s is what one core could do at most; a camera gives 25 to 30. The parity figures are
those of the gate of ``engines.build``, on the same crops: an engine that does nothing is fast, and has 0 dB of edit.

Before the table, a line tells each step; the last line is JSON. ``--out`` writes both to a file; the figures of a GPU
are always written.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import platform
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import fps_gpu
from benchmarks.batch_timing import WARM_UP, batch, figures, whole_ms
from engines.conditioner import LanguageConditioner
from engines.cuda_graphs import GraphBatches
from engines.eager import EagerEngine
from engines.gpu_cache import cpu_name
from engines.openvino import PRECISIONS, AskedPrecision, OpenVINOEngine
from engines.parity import CROPS, Samples, answers, compare, samples
from engines.retouchgpt import checkpoint
from engines.weights_file import SIZE_HELP, chosen, weights_hash
from stream_retouch.engine import CROP_SIZE, CROP_SIZES, RetouchEngine
from stream_retouch.errors import StreamRetouchError

RESULTS = Path(__file__).parent / "results"
OUT_HELP = "also write benchmarks/results/fps_*.md (always done for an engine of a GPU)"
LIBRARIES = ("openvino", "torch", "tensorrt", "triton", "numpy")
"""Told with their versions where they are installed."""


def timings_ms(engine: RetouchEngine, given: Samples, frames: int) -> NDArray[np.float64]:
    """(frames,) milliseconds of each call, the crops taken in turn."""
    taken = []
    for index in range(WARM_UP + frames):
        i = index % len(given.crops)
        one = slice(i, i + 1)
        start = time.perf_counter()
        engine.retouch(given.crops[one], given.requests[one], given.conditionings[one])
        taken.append((time.perf_counter() - start) * 1e3)
    return np.array(taken[WARM_UP:])


def batched(
    engine: RetouchEngine, given: Samples, sizes: Sequence[int], frames: int
) -> dict[str, dict[str, float]]:
    """Figures of whole calls by their number of crops, of so many crops in all."""
    return {
        str(size): figures(size, whole_ms(engine, batch(given, size), max(1, frames // size)))
        for size in sizes
    }


def loaded(
    name: str, weights: Path | None, threads: int, cache: Path | None, precision: AskedPrecision
) -> RetouchEngine:
    """The engine of that name.

    Raises:
        StreamRetouchError: it cannot be used, or has not been built.
    """
    if name == "openvino":
        return OpenVINOEngine.load(weights, threads, cache, precision)
    if name == "tensorrt":
        from engines.tensorrt import TensorRTEngine

        return TensorRTEngine.load(weights, threads, cache)
    if name == "inductor":
        from engines.inductor import InductorEngine

        return InductorEngine.load(weights, threads, cache)
    return EagerEngine.load(weights, threads)


def percentiles(taken: NDArray[np.float64]) -> dict[str, float]:
    """p50, p95 and p99."""
    return {f"p{p}": round(float(np.percentile(taken, p)), 3) for p in (50, 95, 99)}


def peak_mb() -> float:
    """Peak resident memory of this process, both engines and torch included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def measure(
    name: str,
    weights: Path | None,
    threads: int,
    frames: int,
    cache: Path | None,
    crops: Path,
    precision: AskedPrecision = "auto",
    batches: Sequence[int] = (1,),
    load: Callable[..., RetouchEngine] = loaded,
    on_gpu: Callable[..., dict[str, Any]] = fps_gpu.measured,
) -> dict[str, Any]:
    """Everything the table and the JSON line tell.

    Args:
        load: as `loaded`.
        on_gpu: as `fps_gpu.measured`, for an engine of a GPU.
    """
    _tell("loading eager and the conditioner")
    eager = EagerEngine.load(weights, threads)
    given = samples(LanguageConditioner.load(weights, threads), crops, eager.crop_size)
    _tell(f"loading {name}")
    engine = load(name, weights, threads, cache, precision)
    runs_in = getattr(engine, "precision", "f32")
    parity = compare(given.crops, answers(eager, given), answers(engine, given))
    _tell(f"{frames} crops through {name}, then through eager")
    taken = timings_ms(engine, given, frames)
    slow = timings_ms(eager, given, max(1, min(frames, 50)))
    gpu = None
    if isinstance(engine, GraphBatches):
        model = checkpoint.load(weights)
        gpu = on_gpu(engine, model, runs_in, given, batches, frames, _tell)
    return {
        "engine": name,
        "size": eager.crop_size,
        "ms": percentiles(taken),
        "images_per_s": round(1e3 / float(np.median(taken)), 1),
        "batches": (
            batched(engine, given, batches, frames) if gpu is None else gpu["rows"][fps_gpu.OWN]
        ),
        "gpu": gpu,
        "eager_ms": percentiles(slow),
        **{key: round(value, 4) for key, value in asdict(parity).items()},
        "threads": threads,
        "frames": frames,
        "cpu": cpu_name(),
        "precision": runs_in,
        "weights_sha256": weights_hash(weights),
        "peak_mb": round(peak_mb(), 1),
        "versions": {
            "python": platform.python_version(),
            **versions(),
        },
    }


def versions() -> dict[str, str]:
    """Of those of LIBRARIES that are installed: a machine with a GPU may do without some of them."""
    found = {}
    for library in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[library] = importlib.metadata.version(library)
    return found


def table(found: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    rows = [["", "p50 ms", "p95 ms", "p99 ms"], ["---", "---:", "---:", "---:"]]
    for name, key in ((f"{found['engine']} {found['precision']}", "ms"), ("eager f32", "eager_ms")):
        rows.append([name, *(f"{found[key][p]:.2f}" for p in ("p50", "p95", "p99"))])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    if found["gpu"] is not None:
        lines += ["", fps_gpu.table(found["gpu"], f"{found['engine']} {found['precision']}")]
    elif len(found["batches"]) > 1:
        lines += ["", "| crops a call | ms | crops/s |", "|---:|---:|---:|"]
        for size, row in found["batches"].items():
            lines.append(f"| {size} | {row['ms']:.2f} | {row['crops_per_s']:.0f} |")
    lines += [
        "",
        f"S = {found['size']}: {found['images_per_s']} images/s, {found['threads']} thread(s), "
        f"{found['frames']} crops; "
        f"parity {found['parity_psnr_db']:.1f} dB, edit to error {found['edit_snr_db']:.1f} dB, "
        f"mask IoU {found['mask_iou']:.4f}, worst pixel {found['worst_pixel']}; "
        f"peak memory {found['peak_mb']:.0f} MB",
        f"{found['cpu']}; {versions}; weights {found['weights_sha256'][:12]}",
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fps", description="Time one crop through an engine."
    )
    parser.add_argument(
        "--engine", choices=("openvino", "tensorrt", "inductor", "eager"), default="openvino"
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="of openvino (default auto: what the service takes here)",
    )
    parser.add_argument("--frames", type=int, default=200, help="calls that count (default 200)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=_sizes, default=[1], metavar="N,N,...", help="crops a call")
    parser.add_argument("--size", type=int, choices=CROP_SIZES, help=SIZE_HELP)
    parser.add_argument("--weights", type=Path, help="weights file (default: those that ship)")
    parser.add_argument("--cache", type=Path, help="folder of built engines")
    parser.add_argument("--crops", type=Path, default=CROPS, help="crops to run on")
    parser.add_argument("--out", action="store_true", help=OUT_HELP)
    args = parser.parse_args(argv)
    if args.frames < 1:
        parser.error("--frames must be at least 1")
    try:
        weights = chosen(args.weights, args.size)
        found = measure(
            args.engine,
            weights,
            args.threads,
            args.frames,
            args.cache,
            args.crops,
            args.precision,
            args.batch,
        )
    except StreamRetouchError as problem:
        print(f"benchmarks.fps: {problem}", file=sys.stderr)
        return 1
    line = json.dumps(found)
    if args.out or found["gpu"] is not None:
        command = f"python -m benchmarks.fps --engine {args.engine} --size {found['size']}"
        command += f" --precision {args.precision}"
        counts = f"--frames {args.frames} --threads {args.threads}"
        counts += f" --batch {','.join(map(str, args.batch))}"
        _tell(f"wrote {_write(found, f'{command} {counts}', line)}")
    print(table(found))
    print(line)
    return 0


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError:
        sizes = [0]
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of sizes; write 1,8,32, say")
    return sizes


def _write(found: dict[str, Any], command: str, line: str) -> Path:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    path = RESULTS / file_name(found, today)
    path.parent.mkdir(exist_ok=True)
    text = f"# One crop through the {found['engine']} engine, {today}\n\n`{command}`\n\n"
    path.write_text(f"{text}{table(found)}\n\n```json\n{line}\n```\n", encoding="utf-8")
    return path


def file_name(found: dict[str, Any], today: str) -> str:
    """Where a result is written: what was measured, on what, and when."""
    what = "fps" if found["size"] == CROP_SIZE else f"fps-{found['size']}"
    if found["gpu"] is not None:  # there are two engines of the same precisions
        what += f"-{found['engine']}"
    hardware = found["cpu"] if found["gpu"] is None else found["gpu"]["name"]
    hardware = re.sub(r"[^a-z0-9]+", "-", hardware.lower()).strip("-")
    return f"{what}-{found['precision']}_{hardware}_{today}.md"


def _tell(sentence: str) -> None:
    print(sentence, flush=True)


if __name__ == "__main__":
    sys.exit(main())
