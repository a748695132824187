"""The typed graph as ONNX, which TensorRT's parser reads: the half of its build that runs without a GPU.

onnx and onnxscript are needed to build, not to run, and come with the extras `onnx` and `tensorrt`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import warnings

import torch

from engines.feed import inputs, outputs
from engines.gpu import first_line
from engines.retouchgpt.model import RetouchGPT
from engines.typed_graph import Precision, typed
from stream_retouch.errors import EngineError

OPSET = 18
"""torch's exporter writes this version itself; the parsers of TensorRT 10.15 and 11 read it."""


def onnx_bytes(model: RetouchGPT, precision: Precision, batch: int) -> bytes:
    """The network for exactly `batch` crops as one ONNX file; names are those of `engines.feed`.

    Raises:
        EngineError: the exporter is missing or cannot write it.
    """
    _need("onnx", "onnxscript")
    program = typed(model, precision, batch)
    names = inputs(model.config.crop_size), outputs(model.config.crop_size)
    # it warns of operators that it would know if torchvision were here
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    try:
        # the exporter tells its steps on stdout
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            written = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(names[0]),
                output_names=list(names[1]),
                verbose=False,
            )
    except Exception as problem:  # the exporter's own errors have no common base
        raise EngineError(
            f"the network cannot be written as ONNX ({first_line(problem)}); "
            "build with --converter torch_tensorrt, or --engine inductor"
        ) from problem
    assert written is not None
    data: bytes = written.model_proto.SerializeToString()
    return data


def _need(*packages: str) -> None:
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError as problem:
            raise EngineError(
                f"{name} is needed to build this engine ({first_line(problem)}); "
                "python -m pip install 'stream-retouch[onnx]'"
            ) from problem
