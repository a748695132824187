"""Distances between sets of face videos: ``python -m benchmarks.vfid``; the last line is JSON.

With ``--reference DIR --output DIR``: two folders of videos, paired by name. By default: the clips of the data folder
against themselves with imperfections painted on and carried along with the skin (row "painted"), those smoothed as
GPUPixel does, retouched by ours ("remove all blemishes") frame by frame, and by ours. All against the clips as they
are, so a perfect filter would have 0 but for the real marks that it takes away too.

* ``vfd_a``, ``vfd_t``: VFD-A and VFD-T, appearance and time, of a slim VGG on the aligned face square; see
  `benchmarks.vfid.features`. Clips are cut into segments of 16 frames, one vector each: 39 clips would be too few for
  a covariance. Each dimension is divided by the reference set's standard deviation and by sqrt(dimensions); then the
  Fréchet distance. Beside them the split-half floor, what two halves of the reference set are apart: clips of one
  person lie closer than that to their own retouched selves, so only rows of the same clips can be told apart
  below it. Sets of another size have other values: never compare across them.
* ``vfid``: VFID as published, and in evaluation mode, if ``--i3d`` names the weights; see `benchmarks.vfid.i3d`. One
  vector a video, whole frames. It adds about a quarter of an hour to the default run.

By default 48 frames from the middle of each clip, after 8 that trackers and smoothers settle in; on two cores about
six minutes. The semi-synthetic clips are morphed photographs, not real video.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import report as common
from benchmarks.vfid import clips, report
from benchmarks.vfid.features import WEIGHTS
from benchmarks.vfid.followed import RUN_UP, SEGMENT
from benchmarks.vfid.measured import Measured, Task, painted_clip, pair
from engines.weights_file import weights_hash
from stream_retouch.errors import MediaError, SettingsError, StreamRetouchError
from training.progress import progress

FRAMES = RUN_UP + 3 * SEGMENT
Job = tuple[Callable[..., Measured], tuple[Any, ...]]


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    try:
        values, measured = _measure(args)
    except StreamRetouchError as problem:
        print(f"\nbenchmarks.vfid: {problem}", file=sys.stderr)
        return 1
    print(report.table(values))
    if args.out or (args.reference is None and args.clips is None and args.weights is None):
        path = report.write(args.out, _command(args), values, measured)
        print(f"wrote {path.name}", file=sys.stderr)
    print(common.last_line(values))
    return 0


def _measure(args: argparse.Namespace) -> tuple[dict[str, Any], list[Measured]]:
    began = time.monotonic()
    if (args.reference is None) != (args.output is None):
        raise SettingsError("--reference and --output belong together; give both or neither")
    if args.i3d is not None and not args.i3d.is_file():
        raise MediaError(str(args.i3d), "no such file; name I3D's rgb_imagenet.pt with --i3d")
    if args.i3d is None and not (args.shared / WEIGHTS).exists():
        reason = "no slim VGG for VFD-A and VFD-T, and no --i3d for VFID; name the data folder with --shared"
        raise MediaError(str(args.shared / WEIGHTS), reason)
    default = args.reference is None
    frames = args.frames if args.frames is not None else FRAMES if default else None
    task = Task(args.shared, args.i3d, args.engine, args.weights, frames or None)
    jobs: list[Job]
    if default:
        paths = _spread(_clips(args.shared), args.clips)
        jobs = [(painted_clip, (task, path, number)) for number, path in enumerate(paths)]
    else:
        jobs = [(pair, (task, *three)) for three in clips.pairs(args.reference, args.output)]
    measured = _all(jobs, args.workers)
    values = report.figures(measured, default)
    values |= {
        "frames": task.frames,
        "seconds": round(time.monotonic() - began),
        "hardware": common.hardware(),
        "versions": common.versions(),
    }
    if default:
        values |= {"engine": args.engine, "weights_sha256": weights_hash(args.weights)}
    return values, measured


def _all(jobs: Sequence[Job], workers: int) -> list[Measured]:
    """Every job's result in their order, `workers` at a time; they depend on nothing but their arguments."""
    found: dict[int, Measured] = {}
    progress("clips", 0, len(jobs))
    if workers == 1:
        for number, (measure, arguments) in enumerate(jobs):
            found[number] = measure(*arguments)
            progress("clips", len(found), len(jobs))
    else:
        # Spawned: torch and OpenVINO have threads, which a fork does not survive.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            waiting = {pool.submit(m, *arguments): n for n, (m, arguments) in enumerate(jobs)}
            try:
                for done in as_completed(waiting):
                    found[waiting[done]] = done.result()
                    progress("clips", len(found), len(jobs))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return [found[number] for number in range(len(jobs))]


def _clips(shared: Path) -> list[Path]:
    """The clips of the data folder."""
    folder = shared / "faces" / "video"
    found = [p for p in sorted(folder.glob("*/*")) if p.suffix in clips.SUFFIXES]
    if not found:
        raise MediaError(str(folder), "no clips here; name the data folder with --shared")
    return found


def _spread(paths: list[Path], most: int | None) -> list[Path]:
    """`most` of them at even steps, or all."""
    if most is None or most >= len(paths):
        return paths
    return [paths[round((i + 0.5) * len(paths) / most - 0.5)] for i in range(most)]


def _command(args: argparse.Namespace) -> str:
    parts = ["python -m benchmarks.vfid"]
    for name in ("reference", "output", "i3d", "frames", "clips", "weights"):
        value = getattr(args, name)
        if value is not None:
            parts.append(f"--{name} {value.name if isinstance(value, Path) else value}")
    return " ".join(parts)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vfid",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--reference", type=Path, help="folder of videos as they should be")
    parser.add_argument("--output", type=Path, help="folder of videos of the same names")
    parser.add_argument("--i3d", type=Path, help="rgb_imagenet.pt of I3D, for VFID")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument(
        "--frames",
        type=_whole,
        help=f"from the middle of each clip, 0 = all ({FRAMES}, with folders all)",
    )
    parser.add_argument("--clips", type=_count, help="only so many of the data folder's clips")
    parser.add_argument("--workers", type=_count, default=_cores(), help="clips at a time")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument(
        "--weights",
        type=Path,
        help="other weights than those that ship; a result file then only with --out",
    )
    parser.add_argument("--out", type=common.file_path, help="where the result file goes")
    return parser.parse_args(argv)


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("not below 0")
    return value


def _count(text: str) -> int:
    value = _whole(text)
    if value == 0:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)


if __name__ == "__main__":
    sys.exit(main())
