"""Which NVIDIA GPU is here, and whether TensorRT is: asked late, and never without a device.

Both are looked for inside functions, for `import tensorrt` raises what it likes where a library is missing, and a
TensorRT runtime without a device ends the process with the first plan it is given.
"""

from __future__ import annotations

import ctypes
import importlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_retouch.errors import EngineError

DRIVER_FILE = Path("/proc/driver/nvidia/version")
"""Where Linux shows the version of the kernel's driver."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, as far as compiled engines depend on it."""

    name: str
    """For example ``NVIDIA H200``."""
    capability: str
    """Compute capability, for example ``9.0``."""
    driver: str
    """Version of the driver, for example ``580.95.05``."""
    cuda: str
    """Version of CUDA that torch was built for, for example ``13.0``."""


def found() -> Gpu:
    """The first GPU that torch sees.

    Raises:
        EngineError: there is none, or torch cannot use it.
    """
    if _library() is None:  # asked before torch, whose import takes a second
        raise EngineError(
            "no NVIDIA GPU can be used, for there is no driver; install it, or use --engine openvino"
        )
    import torch

    if torch.version.cuda is None:
        raise EngineError(
            f"torch {torch.__version__} is built without CUDA; install torch for CUDA, or use --engine openvino"
        )
    if not torch.cuda.is_available():
        raise EngineError(
            "no NVIDIA GPU can be used; install its driver (nvidia-smi shows it), or use --engine openvino"
        )
    try:
        name = torch.cuda.get_device_name(0)
        major, minor = torch.cuda.get_device_capability(0)
    except RuntimeError as problem:  # a driver older than torch, a GPU that fell off the bus
        raise EngineError(
            f"the NVIDIA GPU cannot be used ({first_line(problem)}); update its driver, or use --engine openvino"
        ) from problem
    return Gpu(name, f"{major}.{minor}", driver(), str(torch.version.cuda))


def driver(shown: Path = DRIVER_FILE) -> str:
    """The driver's version; where the system does not show it, the version of CUDA that it brings."""
    try:
        version = re.search(r"Kernel Module.*?\s(\d+\.\d[\d.]*)", shown.read_text())
    except OSError:
        version = None
    if version is not None:
        return version[1]
    library, number = _library(), ctypes.c_int(0)
    if library is None:
        return "unknown"
    library.cuDriverGetVersion(ctypes.byref(number))
    return f"CUDA {number.value // 1000}.{number.value % 1000 // 10}"


def tensorrt() -> Any:
    """The module ``tensorrt``, where there is a GPU for it.

    Raises:
        EngineError: there is no GPU, or TensorRT cannot be imported.
    """
    found()
    try:
        return importlib.import_module("tensorrt")
    except Exception as problem:  # not only ImportError, where a library of it is missing
        raise EngineError(
            f"tensorrt cannot be imported ({first_line(problem)}); "
            "python -m pip install 'stream-retouch[tensorrt]', or use --engine inductor"
        ) from problem


def _library() -> ctypes.CDLL | None:
    """The driver's library; None where there is no driver."""
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None


def first_line(problem: BaseException) -> str:
    """The first line that says something of an error's text."""
    lines = (line.strip() for line in str(problem).splitlines())
    return next((line for line in lines if line), type(problem).__name__)
