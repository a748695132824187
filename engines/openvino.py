"""OpenVINOEngine: the default without a GPU.

A built engine (OpenVINO's IR and a manifest) is kept in a cache folder, so that a start takes a quarter of a second and
no torch. Where it is missing or was built for something else, `engines.build` builds it, compares it with eager and
stores it; that takes about 25 s.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from engines.built import BuiltEngine, find, store
from engines.feed import edit_layers, feed, inputs, outputs
from engines.gpu import first_line
from engines.manifest import EngineIdentity, code_hash
from engines.weights_file import serving_config, weights_hash
from stream_retouch.engine import CROP_SIZES, Conditioning, EditLayer
from stream_retouch.errors import EngineError

log = logging.getLogger(__name__)

AskedPrecision = Literal["auto", "int8", "bf16", "f32"]
PRECISIONS: tuple[AskedPrecision, ...] = get_args(AskedPrecision)


class OpenVINOEngine:
    """Implements `stream_retouch.engine.RetouchEngine`. One call at a time."""

    name = "openvino"
    calls_at_once = 1
    crops_at_once = 1

    def __init__(self, ir: BuiltEngine | tuple[bytes, bytes], precision: str, threads: int) -> None:
        xml, weights = (ir.xml, ir.weights) if isinstance(ir, BuiltEngine) else ir
        self.precision, self.cores_per_call = precision, threads
        self._ir = xml, weights
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _hint(precision),
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            core = ov.Core()
            model = core.read_model(xml, ov.Tensor(np.frombuffer(weights, np.uint8)))
            self.crop_size = _crop_size(model)
            # compiled for one crop: a CPU gains nothing from batches
            self._request: Any = core.compile_model(model, "CPU", settings).create_infer_request()
        except RuntimeError as problem:
            raise EngineError(
                f"openvino cannot run this engine ({first_line(problem)}); build it again with python -m engines.build"
            ) from problem

    @classmethod
    def load(
        cls,
        weights: Path | None = None,
        threads: int = 1,
        cache: Path | None = None,
        precision: AskedPrecision = "auto",
    ) -> OpenVINOEngine:
        """The engine with the weights of a file, built first where the cache does not hold it.

        Args:
            weights: None for those that ship.
            threads: CPU threads of one call.
            cache: folder of built engines; None for ~/.cache/stream_retouch.
            precision: `auto` takes int8 where that is quicker here and eager agrees, else bf16 where the CPU
                computes it natively.

        Raises:
            WeightsError: the weights are missing, truncated or for another network.
            ParityError: the engine does not compute what eager computes.
            EngineError: OpenVINO cannot run it.
        """
        wanted = identity(weights, precision)
        folder = default_cache() if cache is None else cache
        try:
            if folder is None:
                raise EngineError("there is no home directory; name a cache folder")
            built = find(folder, wanted)
            return cls(built, built.manifest.precision, threads)
        except EngineError as problem:
            log.info("building the engine openvino, about 25 s: %s", problem)
        built = _build(weights, wanted)
        if folder is not None:
            try:
                store(built, folder)
            except OSError as problem:
                log.warning(
                    "the engine cannot be kept in %s (%s), so the next start builds it again; "
                    "make the folder writable or name another",
                    folder,
                    problem.strerror or problem,
                )
        return cls(built, built.manifest.precision, threads)

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """See `RetouchEngine.retouch`.

        Raises:
            EngineError: the arguments are not as the seam says, or the engine is closed.
        """
        if self._request is None:
            raise EngineError("the engine is closed; load it again")
        layers: list[EditLayer] = []
        for arrays in feed(crops, requests, conditionings, self.crop_size).singles():
            found = self._request.infer(arrays, share_inputs=True, share_outputs=True)
            # edit_layers copies: the next call writes into the same memory
            layers += edit_layers(found[0], found[1], found[2])
        return layers

    def another(self, threads: int | None = None) -> OpenVINOEngine:
        """One more of the same, to be called beside this one: requests of one compiled network wait for each other.

        Args:
            threads: CPU threads of one call; None for as many as this one's.
        """
        return OpenVINOEngine(self._ir, self.precision, threads or self.cores_per_call)

    def close(self) -> None:
        """Frees the compiled network. May be called twice."""
        self._request = None


def identity(weights: Path | None, asked: AskedPrecision) -> EngineIdentity:
    """What an engine for these weights on this machine has to be built for.

    Raises:
        WeightsError: the weights cannot be used.
    """
    core, config = ov.Core(), serving_config(weights)
    return EngineIdentity(
        engine=OpenVINOEngine.name,
        weights_sha256=weights_hash(weights),
        code_sha256=code_hash(),
        config=config.as_dict(),
        inputs={name: list(shape) for name, shape in inputs(config.crop_size).items()},
        outputs={name: list(shape) for name, shape in outputs(config.crop_size).items()},
        asked_precision=asked,
        runtime=f"openvino {ov.__version__}",
        cpu=str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip(),
        capabilities=sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
    )


def default_cache() -> Path | None:
    """The user's cache folder, None where there is no home directory."""
    try:
        return Path.home() / ".cache" / "stream_retouch"
    except RuntimeError:
        return None


def _build(weights: Path | None, wanted: EngineIdentity) -> BuiltEngine:
    # torch comes with this import: a start with a built engine does without
    from engines.openvino_build import build_openvino

    return build_openvino(weights, wanted, lambda line: log.info("%s", line))


def _hint(precision: str) -> str:
    """What is computed in where the network does not say int8."""
    if precision != "int8":
        return precision
    native = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if native else "f32"


def _crop_size(model: Any) -> int:
    """The crop size that an IR is for; one of other shapes, which would read and write past our arrays, is refused."""
    found = [tuple(port.shape) for port in (*model.inputs, *model.outputs)]
    for size in CROP_SIZES:
        if found == [*inputs(size).values(), *outputs(size).values()]:
            return size
    raise EngineError(
        "the built engine has other shapes; build it again with python -m engines.build"
    )
