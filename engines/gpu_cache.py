"""What a GPU engine has to be built for on this machine, and the one in the cache folder that is."""

from __future__ import annotations

import platform
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from engines.batch_sizes import USUAL_MOST
from engines.built import BuiltEngine, find, manifest_path
from engines.feed import inputs, outputs
from engines.gpu import Gpu
from engines.manifest import EngineIdentity, EngineManifest, code_hash
from engines.openvino import default_cache
from engines.weights_file import serving_config, weights_hash
from stream_retouch.errors import EngineError

GpuEngine = Literal["tensorrt", "inductor"]
GPU_ENGINES: tuple[GpuEngine, ...] = get_args(GpuEngine)
GpuPrecision = Literal["auto", "fp16", "bf16", "f32"]
GPU_PRECISIONS: tuple[GpuPrecision, ...] = get_args(GpuPrecision)
_CODE: dict[str, tuple[str, ...]] = {
    "tensorrt": ("typed_graph.py", "onnx_graph.py", "tensorrt_build.py"),
    "inductor": ("typed_graph.py", "inductor_build.py"),
}
"""Modules that its form depends on."""


def identity(
    engine: GpuEngine,
    runtime: str,
    gpu: Gpu,
    weights: Path | None = None,
    asked: GpuPrecision = "auto",
    max_batch: int = USUAL_MOST,
    flags: tuple[str, ...] = (),
) -> EngineIdentity:
    """What an engine for these weights on this machine has to be built for.

    Args:
        runtime: name and version of the library that runs it.
        max_batch: crops of the largest batch.
        flags: how it is built, where that can be chosen.

    Raises:
        WeightsError: the weights cannot be used.
    """
    config = serving_config(weights)
    return EngineIdentity(
        engine=engine,
        weights_sha256=weights_hash(weights),
        code_sha256=code_hash(*_CODE[engine]),
        config=config.as_dict(),
        inputs={name: list(shape) for name, shape in inputs(config.crop_size).items()},
        outputs={name: list(shape) for name, shape in outputs(config.crop_size).items()},
        asked_precision=asked,
        runtime=runtime,
        # Inductor compiles what launches its kernels for the very CPU
        cpu=cpu_name() if engine == "inductor" else platform.machine(),
        capabilities=[],
        gpu=gpu.name,
        gpu_capability=gpu.capability,
        driver=gpu.driver,
        cuda=gpu.cuda,
        max_batch=max_batch,
        flags=sorted(flags),
    )


def built(expected: EngineIdentity, cache: Path | None, max_batch: int | None) -> BuiltEngine:
    """The engine of that identity from a cache folder. Nothing is ever built here: that takes minutes.

    Args:
        cache: None for ~/.cache/stream_retouch.
        max_batch: what the largest batch must hold; None for whatever it was built for. How it was built is its own
            matter too.

    Raises:
        EngineMismatch: it was built for something else.
        EngineError: there is none, or it is damaged.
    """
    folder = default_cache() if cache is None else cache
    if folder is None:
        raise EngineError("there is no home directory; name a cache folder")
    path = manifest_path(folder, expected)
    if not path.is_file():
        size = expected.config["crop_size"]
        raise EngineError(
            f"the engine {expected.engine} of size {size} has not been built for this machine; "
            f"python -m engines.build --engine {expected.engine} --size {size}"
        )
    found = EngineManifest.read(path).identity
    most = found.max_batch if max_batch is None else max_batch
    return find(folder, replace(expected, max_batch=most, flags=found.flags))


def cpu_name(shown: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's own name, its architecture where the system does not tell."""
    try:
        name = re.search(r"^model name\s*:\s*(.+)$", shown.read_text(), re.MULTILINE)
    except OSError:
        name = None
    return name[1].strip() if name else platform.machine()
