"""EngineManifest: what a built engine was built from, for and how well, as JSON beside it.

An engine is used only where every field of its identity equals what is here now; else it is built again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from stream_retouch.engine import CHROMA_STEP, OFFSET_STEP
from stream_retouch.errors import EngineError, EngineMismatch


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """Everything an engine depends on."""

    engine: str
    """Its name, for example ``openvino``."""
    weights_sha256: str
    """Of the weights file, hex."""
    code_sha256: str
    """Of the network's source and its 8-bit form's, hex: other code can mean another network."""
    config: Mapping[str, Any]
    """The network's sizes, RetouchGPTConfig as a dictionary."""
    inputs: Mapping[str, list[int]]
    """Shape of every input, in order."""
    outputs: Mapping[str, list[int]]
    """Shape of every output, in order."""
    asked_precision: str
    """``auto``, ``int8``, ``fp16``, ``bf16`` or ``f32``."""
    runtime: str
    """Name and version of the library that runs it."""
    cpu: str
    """Name of the CPU whose kernels were compared with eager."""
    capabilities: list[str]
    """What that library says this CPU computes natively, sorted."""
    gpu: str = ""
    """Name of the GPU it is compiled for, empty for a CPU. What follows is of GPUs alone."""
    gpu_capability: str = ""
    """Its compute capability, for example ``9.0``."""
    driver: str = ""
    """Version of its driver."""
    cuda: str = ""
    """Version of CUDA that torch was built for."""
    max_batch: int = 1
    """Crops of the largest batch."""
    flags: list[str] = field(default_factory=list)
    """How it was built, where that can be chosen, sorted."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How close an engine is to eager, on the frozen crops, all blemishes at amount 1."""

    parity_psnr_db: float
    """Peak signal to error of the retouched 8-bit crops, dB."""
    edit_snr_db: float
    """Energy of the edits over energy of the errors before rounding, dB: an engine that does nothing has 0."""
    worst_crop_snr_db: float
    """The same for the crop where it is least."""
    mask_iou: float
    """Soft intersection over union of the masks, 0..1."""
    worst_pixel: int
    """Greatest difference of the retouched 8-bit crops, code values."""


@dataclass(frozen=True, slots=True)
class EngineManifest:
    """The record of one build."""

    identity: EngineIdentity
    precision: str
    """``int8``, ``fp16``, ``bf16`` or ``f32``: what it runs in."""
    parity: Parity
    libraries: Mapping[str, str]
    """Versions of what built it."""
    created: str
    """When, ISO 8601 UTC."""
    files: Mapping[str, str]
    """Name and SHA-256 of each file that belongs to it."""

    def check(self, expected: EngineIdentity) -> None:
        """Passes if this engine can be used where `expected` describes.

        Raises:
            EngineMismatch: it cannot; names the first field that differs.
        """
        for each in fields(EngineIdentity):
            found, wanted = getattr(self.identity, each.name), getattr(expected, each.name)
            if found != wanted:
                raise EngineMismatch(each.name, _short(found, wanted), _short(wanted, found))

    def to_json(self) -> str:
        """The manifest as indented JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def read(path: Path) -> EngineManifest:
        """The manifest in a file.

        Raises:
            EngineError: there is none, or it is not a manifest of this version.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            identity = EngineIdentity(**values.pop("identity"))
            parity = Parity(**values.pop("parity"))
            manifest = EngineManifest(identity=identity, parity=parity, **values)
            if not isinstance(manifest.files, dict) or not manifest.files:
                raise ValueError("no files")
        except FileNotFoundError as problem:
            raise EngineError(
                f"no engine at {path}; build one with python -m engines.build"
            ) from problem
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
            raise EngineError(
                f"engine manifest {path} is damaged ({problem}); build again with python -m engines.build"
            ) from problem
        return manifest


def code_hash(*modules: str) -> str:
    """SHA-256 of the network's source, of its 8-bit form's and the crops it is calibrated on, and of the steps of its
    output codes, hex.

    Args:
        modules: further modules of this package that its form depends on, as file names.
    """
    digest = hashlib.sha256(f"{OFFSET_STEP} {CHROMA_STEP}".encode())
    folder = Path(__file__).parent
    others = [folder / "quantised.py", folder / "weights" / "parity_crops.npz"]
    others += [folder / name for name in modules]
    for path in (*sorted((folder / "retouchgpt").glob("*.py")), *others):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _short(value: object, other: object) -> str:
    """A value as words: of two dictionaries only what differs."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return str({k: v for k, v in value.items() if other.get(k) != v} or "nothing else")
    text = str(value)
    return text if len(text) <= 60 else text[:12]
