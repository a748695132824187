"""The engines for a GPU, each built with its own way to compile the network."""

from __future__ import annotations

from pathlib import Path

from engines import gpu
from engines.built import BuiltEngine
from engines.compiled import Tell, build_gpu
from engines.cuda_device import TorchDevice
from engines.gpu_cache import GpuPrecision, identity
from engines.inductor import runtime_name as inductor_name
from engines.inductor_build import InductorMaker
from engines.tensorrt import runtime_name as tensorrt_name
from engines.tensorrt_build import Converter, TensorRTMaker


def build_inductor(
    weights: Path | None, asked: GpuPrecision, max_batch: int, tell: Tell
) -> BuiltEngine:
    """The engine of torch alone for the GPU that is here, compared with eager. Writes nothing; takes minutes.

    Raises: as `build_gpu`.
        EngineError: there is no GPU.
    """
    here = gpu.found()
    tell(f"for {here.name}, driver {here.driver}")
    wanted = identity("inductor", inductor_name(), here, weights, asked, max_batch)
    return build_gpu(weights, wanted, InductorMaker(TorchDevice()), tell)


def build_tensorrt(
    weights: Path | None,
    asked: GpuPrecision,
    max_batch: int,
    tell: Tell,
    timings: Path,
    converter: Converter = "auto",
) -> BuiltEngine:
    """The TensorRT engine for the GPU that is here, compared with eager; takes minutes.

    Args:
        timings: folder where TensorRT's measurements of kernels are kept; nothing else is written.

    Raises: as `build_gpu`.
        EngineError: there is no GPU or no TensorRT.
    """
    trt, here = gpu.tensorrt(), gpu.found()
    tell(f"for {here.name}, driver {here.driver}, {tensorrt_name(trt)}")
    flags = (f"converter={converter}",)
    wanted = identity("tensorrt", tensorrt_name(trt), here, weights, asked, max_batch, flags)
    maker = TensorRTMaker(trt, TorchDevice(), here, timings, tell, converter)
    return build_gpu(weights, wanted, maker, tell)
