"""Our own rows: the frame path that serves around an engine, whole or without one of its parts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.pictures import Rgb, to_frame, to_rgb
from engines.conditioner import LanguageConditioner
from engines.eager import EagerEngine
from engines.retouchgpt import checkpoint
from engines.retouchgpt.ablation import PARTS, ablated
from stream_retouch import cli
from stream_retouch.engine import Conditioner, Conditioning, EditLayer, FaceFinder, RetouchEngine
from stream_retouch.language.plan import InstructionPlan
from stream_retouch.media.affine import Affine, scale_of
from stream_retouch.outputs.look import LookRetoucher
from stream_retouch.settings import Settings


class Recorder:
    """An engine that remembers its last answers and how long it took."""

    def __init__(self, engine: RetouchEngine) -> None:
        self._engine, self.name, self.crop_size = engine, engine.name, engine.crop_size
        self.layers: list[EditLayer] = []
        self.seconds: list[float] = []

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """As the engine."""
        start = time.perf_counter()
        self.layers = self._engine.retouch(crops, requests, conditionings)
        self.seconds.append(time.perf_counter() - start)
        return self.layers

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came out of one picture."""

    picture: Rgb
    faces: int
    mask: NDArray[np.float32] | None
    """(L, L) M_s of the largest face, 0..1; None where the engine was not asked."""
    transform: Affine | None
    """That face's, crop to picture."""


class AnyRow(Protocol):
    """What the painted scenes need of a row."""

    @property
    def name(self) -> str:
        """In the tables."""
        ...

    @property
    def weights(self) -> str:
        """Its weights in words."""
        ...

    @property
    def faces_missed(self) -> int:
        """Pictures in which no face was found."""
        ...

    def retouch(self, picture: NDArray[np.uint8], plan: InstructionPlan) -> Answer:
        """One RGB picture as the first frame of a file."""
        ...


@dataclass(slots=True, eq=False)
class Row:
    """One of our rows: the frame path around one engine."""

    name: str
    engine: Recorder
    conditioner: Conditioner
    finder: FaceFinder
    file: Path | None = None
    """Its weights; None for those that ship."""
    weights: str = "shipped"
    """The same in words."""
    faces_missed: int = field(default=0)

    def retouch(self, picture: NDArray[np.uint8], plan: InstructionPlan) -> Answer:
        """One RGB picture as the first frame of a file."""
        path = LookRetoucher(
            plan, finder=self.finder, conditioner=self.conditioner, engine=self.engine
        )
        self.engine.layers = []
        result = path.apply(to_frame(picture))
        self.faces_missed += result.faces == 0
        faces, layers = path.faces(), self.engine.layers
        if not layers or len(layers) != len(faces):
            return Answer(to_rgb(result.frame), result.faces, None, None)
        largest = max(range(len(faces)), key=lambda i: scale_of(faces[i].transform))
        mask = layers[largest].mask.astype(np.float32) / np.float32(255.0)
        return Answer(to_rgb(result.frame), result.faces, mask, faces[largest].transform)


def whole(engine: str, weights: Path | None, size: int | None = None) -> Row:
    """The row ``ours``: engine, weights and size that the service starts with, unless others are named.

    Raises:
        StreamRetouchError: a part cannot be loaded.
    """
    wanted = {"engine": engine, "weights": weights, "size": size}
    settings = Settings.resolve({k: v for k, v in wanted.items() if v is not None}, {})
    names = cli.NAMES
    file = cli.load_weights(settings, names)
    return Row(
        "ours",
        Recorder(cli.load_engine(settings, names)),
        cli.load_conditioner(settings, names),
        cli.load_finder(names),
        file,
        "shipped" if file is None else file.name,
    )


def without_parts(ours: Row, trained: Path | None) -> list[Row]:
    """The rows ``without_iip``, ``without_lbe`` and ``without_text``, on the eager engine.

    Args:
        trained: a folder with ``without_<part>.safetensors`` trained that way; where one is missing, or without a
            folder, the whole network's weights run with the part switched off.

    Raises:
        WeightsError: weights cannot be read.
    """
    rows = []
    for part in PARTS:
        name = f"without_{part}"
        file, which = ours.file, f"{ours.weights}, {part} switched off"
        if trained and (trained / f"{name}.safetensors").is_file():
            file, which = trained / f"{name}.safetensors", f"trained without {part}"
        model = ablated(checkpoint.load(file), part)
        engine = Recorder(EagerEngine(model))
        rows.append(Row(name, engine, LanguageConditioner(model), ours.finder, file, which))
    return rows
