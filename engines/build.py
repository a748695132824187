"""Builds an engine, compares it with eager, and only then stores it.

    python -m engines.build --engine openvino --size 256 --precision auto
    python -m engines.build --engine tensorrt --size 512 --max-batch 8

Never while somebody waits for a picture: an engine for a GPU takes minutes, and the service does with the next best one
until it is there (`engines.choice`).
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from engines import openvino as openvino_engine
from engines.batch_sizes import USUAL_MOST, batch_sizes
from engines.built import store
from engines.eager import EagerEngine
from engines.gpu_build import build_inductor, build_tensorrt
from engines.gpu_cache import GPU_ENGINES, GPU_PRECISIONS
from engines.openvino_build import build_openvino
from engines.tensorrt_build import CONVERTERS
from engines.weights_file import SIZE_HELP, chosen
from stream_retouch.engine import CROP_SIZES
from stream_retouch.errors import EngineError, StreamRetouchError

ENGINES = ("openvino", *GPU_ENGINES, "eager")
PRECISIONS = ("auto", "int8", "fp16", "bf16", "f32")
OFFERED: dict[str, tuple[str, ...]] = {
    "openvino": openvino_engine.PRECISIONS,
    **dict.fromkeys(GPU_ENGINES, GPU_PRECISIONS),
    "eager": ("auto", "f32"),
}
"""Precisions of each engine."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = _parser().parse_args(argv)
    if args.precision == "fp32":
        args.precision = "f32"
    try:
        _refuse(args)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engines.build", description="Build an engine and compare it with eager."
    )
    parser.add_argument("--engine", choices=ENGINES, default="openvino")
    parser.add_argument(
        "--precision",
        choices=(*PRECISIONS, "fp32"),
        default="auto",
        help="what it computes in (default auto: the service loads no other); fp32 is f32",
    )
    parser.add_argument("--weights", type=Path, help="weights file (default: those that ship)")
    parser.add_argument("--size", type=int, choices=CROP_SIZES, help=SIZE_HELP)
    parser.add_argument(
        "--max-batch",
        type=int,
        metavar="N",
        help=f"crops of the largest batch, on a GPU (default {USUAL_MOST})",
    )
    parser.add_argument(
        "--converter",
        choices=CONVERTERS,
        default="auto",
        help="way to a TensorRT plan (default auto: onnx, and torch_tensorrt where that fails)",
    )
    parser.add_argument(
        "--out", type=Path, help="folder to store it in (default ~/.cache/stream_retouch)"
    )
    return parser


def _refuse(args: argparse.Namespace) -> None:
    """Tells what does not go together.

    Raises:
        EngineError: something does not.
    """
    offered = OFFERED[args.engine]
    if args.precision not in offered:
        others = " or ".join(name for name in ENGINES if args.precision in OFFERED[name])
        raise EngineError(
            f"{args.engine} does not compute in {args.precision}; use --precision {' or '.join(offered)}, "
            f"or --engine {others}"
        )
    if args.max_batch is not None:
        if args.engine not in GPU_ENGINES:
            raise EngineError(
                f"{args.engine} takes crops one by one, for batches are no quicker on a CPU; leave --max-batch out"
            )
        batch_sizes(args.max_batch)
    if args.converter != "auto" and args.engine != "tensorrt":
        raise EngineError(f"{args.engine} needs no converter; leave --converter out")


def _stored(args: argparse.Namespace) -> Path:
    folder = args.out or openvino_engine.default_cache()
    if folder is None:
        raise EngineError("there is no home directory; name a folder with --out")
    torch.set_num_threads(1)
    tell = functools.partial(print, flush=True)
    if args.engine == "openvino":
        identity = openvino_engine.identity(args.weights, args.precision)
        return store(build_openvino(args.weights, identity, tell), folder)
    most = args.max_batch or USUAL_MOST
    if args.engine == "inductor":
        built = build_inductor(args.weights, args.precision, most, tell)
    else:
        built = build_tensorrt(args.weights, args.precision, most, tell, folder, args.converter)
    return store(built, folder)


if __name__ == "__main__":
    sys.exit(main())
