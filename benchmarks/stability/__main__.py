"""How still the retouching is on moving pictures: ``python -m benchmarks.stability``; the last line is JSON.

The clips of the data folder under "remove all blemishes", through the frame path that serves, with its temporal
smoothing and without. What each figure means stands in the module that measures it: `warping` (``warp_ratio``,
``edit_energy``), `flicker` (``flicker_ratio``), `ghosts` (``ghost_frames``), `slip` (``slip_px``).

By default the first 60 frames of every single shot, every cut, and six held-out persons turning; a few minutes on two
cores. ``--clips 2 --frames 10`` tries it out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import report as common
from benchmarks.stability import clips, ghosts, report, shots, slip
from benchmarks.stability.flicker import Flicker
from benchmarks.stability.ways import Parts
from engines.weights_file import weights_hash
from stream_retouch import cli
from stream_retouch.errors import StreamRetouchError
from stream_retouch.settings import Settings
from training.progress import progress

FRAMES = 60


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _arguments(argv)
    try:
        found, flickers = _measure(args)
    except StreamRetouchError as problem:
        print(f"\nbenchmarks.stability: {problem}", file=sys.stderr)
        return 1
    print(report.tables(found))
    ships = args.weights is None
    if args.out or (ships and args.clips is None):
        command = "python -m benchmarks.stability"
        command += "" if ships else f" --weights {args.weights.name}"
        command += "" if args.frames == FRAMES else f" --frames {args.frames}"
        path = report.write(args.out, command, found, flickers)
        print(f"wrote {path.name}", file=sys.stderr)
    print(common.last_line(found))
    return 0


def _measure(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Flicker]]:
    """All figures, and the flicker over time of each clip."""
    began = time.monotonic()
    settings = Settings.resolve({"engine": args.engine, "weights": args.weights}, {})
    parts = Parts(
        lambda: cli.load_finder(cli.NAMES),
        cli.load_conditioner(settings, cli.NAMES),
        cli.load_engine(settings, cli.NAMES),
    )
    singles, joins = clips.clips(args.shared, args.clips), clips.cuts(args.shared, args.clips)
    by_clip: dict[str, dict[str, Any]] = {}
    flickers: dict[str, Flicker] = {}
    for number, clip in enumerate(singles):
        shot = shots.measure(clip, parts, args.frames)
        by_clip[clip.name], flickers[clip.name] = shot.figures(), shot.flicker
        progress("clips", number + 1, len(singles))
    ghosted: dict[str, int] = {}
    for number, cut in enumerate(joins):
        ghosted[cut.name] = ghosts.measure(cut, parts)
        progress("cuts ", number + 1, len(joins))
    people = slip.people(args.shared, args.clips)
    slips = slip.measure(people, parts, lambda done: progress("turns", done, len(people)))
    found = shots.overall(by_clip) | ghosts.summary(ghosted) | slips.figures()
    found |= {
        "holds": report.holds(found),
        "clips": by_clip,
        "frames_a_clip": args.frames,
        "engine": parts.engine.name,
        "seconds": round(time.monotonic() - began),
        "hardware": common.hardware(),
        "versions": common.versions(),
        "weights_sha256": weights_hash(args.weights),
    }
    return rounded(found), flickers


def rounded(value: Any) -> Any:
    """Floats to four significant digits, however deep they lie."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="data folder")
    parser.add_argument("--clips", type=int, help="only so many clips, cuts and persons")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each clip, at most")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument(
        "--weights",
        type=Path,
        help="other weights than those that ship; a result file then only with --out",
    )
    parser.add_argument("--out", type=common.file_path, help="where the result file goes")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
