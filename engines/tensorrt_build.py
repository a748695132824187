"""Builds TensorRT plans: the typed graph by way of ONNX and TensorRT's own parser, or by torch-tensorrt's converter.

The first way needs onnx and tensorrt only, and its first half is tested without a GPU. The second one, which needs
torch-tensorrt, is taken where the first fails, or when it is asked for. Either gives a plain plan.

Precision is in the graph: the network is strongly typed on TensorRT 10 as it always is on 11. What TensorRT has
measured of its kernels is kept (one file for each version and GPU), so that further builds are quick.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

from engines.built import write
from engines.cuda_device import Device
from engines.gpu import Gpu, first_line
from engines.onnx_graph import onnx_bytes
from engines.retouchgpt.model import RetouchGPT
from engines.tensorrt import TensorRTEngine
from engines.typed_graph import Precision, example, typed
from stream_retouch.engine import RetouchEngine
from stream_retouch.errors import EngineError

Converter = Literal["auto", "onnx", "torch_tensorrt"]
CONVERTERS: tuple[Converter, ...] = get_args(Converter)
Tell = Callable[[str], None]
Write = Callable[[RetouchGPT, Precision, int], bytes]
_INSTEAD = "use another --precision, --converter torch_tensorrt or --engine inductor"


class TensorRTMaker:
    """Implements `engines.compiled.Maker`."""

    name = "tensorrt"

    def __init__(
        self,
        trt: Any,
        device: Device,
        gpu: Gpu,
        folder: Path,
        tell: Tell,
        converter: Converter = "auto",
        as_onnx: Write = onnx_bytes,
    ) -> None:
        """
        Args:
            trt: the module ``tensorrt``.
            device: what the plans are compared on.
            gpu: that device's facts.
            folder: where the timings of kernels are kept.
            tell: is told each step in a sentence.
            converter: the way to take; `auto` takes the second where the first fails.
            as_onnx: what writes the network as ONNX.
        """
        self._trt, self._device, self._tell = trt, device, tell
        self._converter, self._as_onnx = converter, as_onnx
        self._timings = folder / timings_name(trt.__version__, gpu)
        self.libraries: tuple[str, ...] = ("torch", "onnx", "onnxscript")
        if converter == "torch_tensorrt":
            self.libraries = ("torch", "torch-tensorrt")

    def made(self, model: RetouchGPT, precision: Precision, batch: int) -> bytes:
        """The plan of the network for `batch` crops.

        Raises:
            EngineError: neither way gives one.
        """
        if self._converter == "torch_tensorrt":
            return self._converted(model, precision, batch)
        try:
            return self._parsed(self._as_onnx(model, precision, batch))
        except EngineError as problem:
            if self._converter == "onnx":
                raise
            self._tell(f"{problem}; trying torch_tensorrt")
            try:
                plan = self._converted(model, precision, batch)
            except EngineError as second:
                raise EngineError(f"{problem}; neither does torch_tensorrt: {second}") from problem
            self._converter, self.libraries = "torch_tensorrt", ("torch", "torch-tensorrt")
            return plan

    def engine(self, files: dict[int, bytes], precision: str, crop_size: int) -> RetouchEngine:
        """The engine of these plans, by batch size."""
        return TensorRTEngine(files, precision, crop_size, self._device, self._trt)

    def _parsed(self, graph: bytes) -> bytes:
        trt = self._trt
        logger = trt.Logger(trt.Logger.WARNING)
        builder = trt.Builder(logger)
        # ignored by TensorRT 11, whose networks are always strongly typed
        typed_network = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(typed_network)
        parser = trt.OnnxParser(network, logger)
        if not parser.parse(graph):
            wrong = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
            raise EngineError(f"tensorrt cannot read the network ({wrong}); {_INSTEAD}")
        config = builder.create_builder_config()
        # what is fp32 in the graph is so because it must be
        config.clear_flag(trt.BuilderFlag.TF32)
        monitor = _monitor(trt, self._tell)
        config.progress_monitor = monitor
        self._take_timings(config)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise EngineError(f"tensorrt cannot build the network, as it says above; {_INSTEAD}")
        self._keep_timings(config)
        return bytes(plan)

    def _converted(self, model: RetouchGPT, precision: Precision, batch: int) -> bytes:
        try:
            torch_tensorrt: Any = importlib.import_module("torch_tensorrt")
        except Exception as problem:  # a bare one without TensorRT, others without a GPU
            raise EngineError(
                f"torch_tensorrt cannot be imported ({first_line(problem)}); "
                "python -m pip install 'stream-retouch[tensorrt]', or use --engine inductor"
            ) from problem
        kind = self._device.kind
        program = typed(model, precision, batch, kind)
        shapes = example(model.config.crop_size, batch, kind)
        # its own default lies in a folder that everybody can write to
        timings = str(self._timings.with_suffix(".torch-timings"))
        try:
            self._timings.parent.mkdir(parents=True, exist_ok=True)
            # types are taken from the graph by default in all versions from 2.11 on
            plan = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine(
                program, arg_inputs=list(shapes), disable_tf32=True, timing_cache_path=timings
            )
        except Exception as problem:  # its errors have no common base
            raise EngineError(
                f"torch_tensorrt cannot build the network ({first_line(problem)}); "
                "use another --precision, or --engine inductor"
            ) from problem
        return bytes(plan)

    def _take_timings(self, config: Any) -> None:
        try:
            known = self._timings.read_bytes()
        except OSError:
            known = b""
        digest, timings = known[:32], known[32:]
        if known and hashlib.sha256(timings).digest() != digest:
            self._tell(f"{self._timings.name} is damaged and not used; all kernels are timed again")
            timings = b""
        if not config.set_timing_cache(config.create_timing_cache(timings), False):
            self._tell(f"{self._timings.name} is of another TensorRT or GPU and not used")
            config.set_timing_cache(config.create_timing_cache(b""), False)

    def _keep_timings(self, config: Any) -> None:
        timings = bytes(config.get_timing_cache().serialize())
        try:
            self._timings.parent.mkdir(parents=True, exist_ok=True)
            write(self._timings, hashlib.sha256(timings).digest() + timings)
        except OSError as problem:
            self._tell(f"{self._timings.name} cannot be kept ({problem.strerror or problem})")


def timings_name(version: str, gpu: Gpu) -> str:
    """The file of what TensorRT has measured: timings hold for one version and one GPU."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{gpu.name} {gpu.capability}".lower()).strip("-")
    return f"tensorrt-{version}-{name}.timings"


def _monitor(trt: Any, tell: Tell) -> Any:
    """An IProgressMonitor that tells the outermost phases; what lies within is too much."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if parent_phase is None:
                self._steps[phase_name] = num_steps
                tell(f"tensorrt: {phase_name}, {num_steps} steps")

        def step_complete(self, phase_name: str, step: int) -> bool:
            steps = self._steps.get(phase_name)
            if steps is not None:
                tell(f"tensorrt: {phase_name}, step {step + 1} of {steps}")
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Monitor()
