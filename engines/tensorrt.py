"""TensorRTEngine: the default on an NVIDIA GPU. Runs the plans that `engines.build --engine tensorrt` has built.

A plan is one network for one batch size with static shapes. Each has an execution context of its own and is captured
into two CUDA graphs with addresses that never change (`engines.cuda_graphs`); both use the context's memory, so one
runs at a time. torch gives the memory and the streams; torch-tensorrt is not needed to run.

A plan is executable content: only such are read whose hash the manifest holds that was written with them, and host code
inside of one is refused (TensorRT's default).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines import gpu
from engines.built import BuiltEngine
from engines.cuda_device import Device, TorchDevice
from engines.cuda_graphs import GraphBatches
from engines.cuda_slots import IN_8_BITS, Network, Tensors
from engines.feed import inputs, outputs
from engines.gpu_cache import GpuPrecision, built, identity
from stream_retouch.errors import DeviceFailure, EngineError

_AGAIN = "build it again with python -m engines.build --engine tensorrt"


class TensorRTEngine(GraphBatches):
    """Implements `stream_retouch.engine.RetouchEngine`. One call at a time."""

    name = "tensorrt"

    def __init__(
        self,
        plans: Mapping[int, bytes],
        precision: str,
        crop_size: int,
        device: Device,
        trt: Any,
    ) -> None:
        """Reads the plans and captures them.

        Args:
            plans: by batch size.
            trt: the module ``tensorrt``.

        Raises:
            DeviceFailure: the GPU has too little memory, or fails.
            EngineError: TensorRT cannot read a plan, or it is for another network.
        """
        self.precision = precision
        runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        networks = {
            size: _network(trt, runtime, plan, size, crop_size, device)
            for size, plan in plans.items()
        }
        super().__init__(device, crop_size, networks)

    @classmethod
    def load(
        cls,
        weights: Path | None = None,
        threads: int = 1,
        cache: Path | None = None,
        precision: GpuPrecision = "auto",
        max_batch: int | None = None,
    ) -> TensorRTEngine:
        """The engine that was built with the weights of a file for this GPU. Builds nothing.

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
            EngineError: there is no GPU or no TensorRT, or the engine is missing or damaged.
        """
        trt = gpu.tensorrt()
        wanted = identity("tensorrt", runtime_name(trt), gpu.found(), weights, precision)
        return cls.of(built(wanted, cache, max_batch), TorchDevice(), trt)

    @classmethod
    def of(cls, found: BuiltEngine, device: Device, trt: Any) -> TensorRTEngine:
        """The engine of a built one's files; raises as the constructor does."""
        size = found.manifest.identity.config["crop_size"]
        return cls(found.batches, found.manifest.precision, size, device, trt)


def runtime_name(trt: Any) -> str:
    """Name and version of TensorRT."""
    return f"tensorrt {trt.__version__}"


def _network(
    trt: Any, runtime: Any, plan: bytes, size: int, crop_size: int, device: Device
) -> Network:
    """What enqueues a plan."""
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineError(f"tensorrt cannot read the plan for batches of {size}; {_AGAIN}")
    names = _names(trt, engine, size, crop_size)
    context = engine.create_execution_context()
    if context is None:
        raise DeviceFailure(
            "the GPU has no memory left for a plan; end what else runs on it, or build with a smaller --max-batch"
        )

    def enqueue(given: Tensors, answers: Tensors) -> None:
        for ours, tensor in (*given.items(), *answers.items()):
            if not context.set_tensor_address(names[ours], tensor.data_ptr()):
                raise EngineError(f"tensorrt does not take the memory of {ours}; {_AGAIN}")
        if not context.execute_async_v3(device.stream):
            raise DeviceFailure(f"tensorrt could not run the plan; start again, or {_AGAIN}")

    return enqueue


def _names(trt: Any, engine: Any, size: int, crop_size: int) -> dict[str, str]:
    """The plan's name of each of our arrays; a plan of other shapes or types, which would read and write past our
    memory, is refused."""
    theirs = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    names = {}
    for mode, shapes in (
        (trt.TensorIOMode.INPUT, inputs(crop_size)),
        (trt.TensorIOMode.OUTPUT, outputs(crop_size)),
    ):
        for i, (ours, shape) in enumerate(shapes.items()):
            # torch-tensorrt counts outputs instead of naming them
            found = next((name for name in (ours, f"output{i}") if name in theirs), None)
            kind = trt.DataType.UINT8 if ours in IN_8_BITS else trt.DataType.FLOAT
            if (
                found is None
                or engine.get_tensor_mode(found) != mode
                or tuple(engine.get_tensor_shape(found)) != (size, *shape[1:])
                or engine.get_tensor_dtype(found) != kind
            ):
                raise EngineError(f"the plan has another {ours} for batches of {size}; {_AGAIN}")
            names[ours] = found
    if len(theirs) != len(names):
        raise EngineError(f"the plan has more inputs or outputs than the network; {_AGAIN}")
    return names
