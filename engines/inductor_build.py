"""Compiles the typed graph ahead of time with torch alone (AOTInductor): about a minute a batch size.

Needs a C++ compiler beside torch for CUDA.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from engines.cuda_device import Device
from engines.gpu import first_line
from engines.inductor import InductorEngine, unpacked
from engines.retouchgpt.model import RetouchGPT
from engines.typed_graph import Precision, typed
from stream_retouch.engine import RetouchEngine
from stream_retouch.errors import EngineError


class InductorMaker:
    """Implements `engines.compiled.Maker`."""

    name = "inductor"
    libraries = ("torch",)

    def __init__(self, device: Device) -> None:
        """`device` is what the networks are compiled for and compared on."""
        self._device = device

    def made(self, model: RetouchGPT, precision: Precision, batch: int) -> bytes:
        """The package of the network for `batch` crops.

        Raises:
            EngineError: it cannot be compiled.
        """
        from torch._inductor import aoti_compile_and_package

        program = typed(model, precision, batch, self._device.kind)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "engine.pt2"
            try:
                aoti_compile_and_package(program, package_path=str(path))
            except torch.OutOfMemoryError:
                raise
            except Exception as problem:  # compilers' errors have no common base
                raise EngineError(
                    f"torch cannot compile the network ({first_line(problem)}); "
                    "install a C++ compiler (g++) if there is none, or use --engine openvino"
                ) from problem
            return path.read_bytes()

    def engine(self, files: dict[int, bytes], precision: str, crop_size: int) -> RetouchEngine:
        """The engine of these packages, by batch size."""
        networks = {size: unpacked(data) for size, data in files.items()}
        return InductorEngine(networks, precision, crop_size, self._device)
