"""InductorEngine: an NVIDIA GPU with torch alone. Runs what `engines.build --engine inductor` has compiled.

Compiled ahead of time (AOTInductor) rather than by torch.compile: the result is a file, so that nothing is compiled
while somebody waits for a picture, a start takes seconds, it can be compared with eager before it is kept, and a call
passes no Python but ours. Each batch size has a package of its own with static shapes, captured into a CUDA graph
(`engines.cuda_graphs`); packages are loaded to run without their own thread logic, whose events cannot be captured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from engines import gpu
from engines.built import BuiltEngine
from engines.cuda_device import Device, TorchDevice
from engines.cuda_graphs import GraphBatches
from engines.cuda_slots import Network, Tensors
from engines.feed import outputs
from engines.gpu_cache import GpuPrecision, built, identity
from stream_retouch.errors import EngineError

Run = Callable[..., Sequence[torch.Tensor]]
"""A compiled network: inputs in the order of `engines.feed.inputs`, outputs in that of `outputs`."""


class InductorEngine(GraphBatches):
    """Implements `stream_retouch.engine.RetouchEngine`. One call at a time."""

    name = "inductor"

    def __init__(
        self, networks: Mapping[int, Run], precision: str, crop_size: int, device: Device
    ) -> None:
        """Captures the networks.

        Args:
            networks: by batch size, as `unpacked` gives them.

        Raises:
            DeviceFailure: the GPU has too little memory, or fails.
            EngineError: a network is another one.
        """
        self.precision = precision
        enqueue = {size: _network(run, crop_size) for size, run in networks.items()}
        super().__init__(device, crop_size, enqueue)

    @classmethod
    def load(
        cls,
        weights: Path | None = None,
        threads: int = 1,
        cache: Path | None = None,
        precision: GpuPrecision = "auto",
        max_batch: int | None = None,
    ) -> InductorEngine:
        """The engine that was compiled with the weights of a file for this GPU. Compiles nothing.

        Args:
            weights: None for those that ship.
            threads: of no use here.
            cache: folder of built engines; None for ~/.cache/stream_retouch.
            precision: as it was asked for in `engines.build`.
            max_batch: crops that its largest batch must hold; None for whatever it was built for.

        Raises:
            WeightsError: the weights are missing, truncated or for another network.
            EngineMismatch: it was built for another GPU, driver, version or weights.
            DeviceFailure: the GPU has too little memory, or fails.
            EngineError: there is no GPU, or the engine is missing or damaged.
        """
        wanted = identity("inductor", runtime_name(), gpu.found(), weights, precision)
        return cls.of(built(wanted, cache, max_batch), TorchDevice())

    @classmethod
    def of(
        cls, found: BuiltEngine, device: Device, unpack: Callable[[bytes], Run] | None = None
    ) -> InductorEngine:
        """The engine of a built one's files; raises as the constructor does.

        Args:
            unpack: what makes a network of a file; `unpacked` unless given.
        """
        unpack = unpack or unpacked
        networks = {batch: unpack(data) for batch, data in found.batches.items()}
        size = found.manifest.identity.config["crop_size"]
        return cls(networks, found.manifest.precision, size, device)


def runtime_name() -> str:
    """Name and version of what runs it."""
    return f"torch {torch.__version__}"


def unpacked(package: bytes) -> Run:
    """A compiled network from the bytes of its package.

    Raises:
        EngineError: torch cannot load it.
    """
    from torch._inductor import aoti_load_package

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "engine.pt2"
        path.write_bytes(package)
        try:
            loaded: Run = aoti_load_package(str(path), run_single_threaded=True)
        except RuntimeError as problem:
            raise EngineError(
                f"torch cannot load this engine ({gpu.first_line(problem)}); "
                "build it again with python -m engines.build --engine inductor"
            ) from problem
    return loaded


def _network(run: Run, crop_size: int) -> Network:
    names = tuple(outputs(crop_size))

    def enqueue(given: Tensors, answers: Tensors) -> None:
        for name, found in zip(names, run(*given.values()), strict=True):
            if found.shape != answers[name].shape or found.dtype != answers[name].dtype:
                raise EngineError(
                    f"the engine has another {name}; build it again with python -m engines.build --engine inductor"
                )
            answers[name].copy_(found)

    return enqueue
