"""The planners that can be measured, each a line of a table, and what their weights weigh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import WEIGHTS
from stream_retouch.cli import NAMES, Names, load_planner
from stream_retouch.engine import Planner
from stream_retouch.errors import EngineError, WeightsError
from stream_retouch.settings import Settings

DEFAULT = "default"
"""Stands for the planner that the command line starts."""


@dataclass(frozen=True, slots=True)
class Known:
    """A planner and its weights."""

    place: str
    """``module:attribute`` of its class."""
    weights: str = ""
    """Which files of the weights folder it loads, as a glob pattern; empty: none."""


PLANNERS: dict[str, Known] = {
    "grammar": Known("stream_retouch.language.grammar:GrammarPlanner"),
    "embedded": Known("engines.planner:EmbeddedPlanner", "planner*.safetensors"),
}
"""What ``--planner`` may say beside DEFAULT."""


def load(name: str, names: Names) -> Planner:
    """The planner of that name, started as the command line does.

    Raises:
        EngineError: it is not here, or a package that it needs is missing.
    """
    try:
        if name == DEFAULT:
            return load_planner(Settings(), names)
        return load_planner(Settings(planner=name), NAMES)
    except (ImportError, AttributeError) as problem:
        raise EngineError(
            f"the planner {name} cannot be used: {problem}; choose another with --planner"
        ) from problem


def class_of(planner: Planner) -> str:
    """``module:name`` of the planner that runs."""
    return f"{type(planner).__module__}:{type(planner).__qualname__}"


def weights_of(planner: Planner, folder: Path = WEIGHTS) -> list[Path]:
    """The weights files of the planner that runs, whatever name it was asked for by.

    Raises:
        WeightsError: it is not in the table, or its files are not in the folder.
    """
    module = type(planner).__module__
    known = [p for p in PLANNERS.values() if p.place.partition(":")[0] == module]
    if not known:
        remedy = "add a line to benchmarks.language.planners.PLANNERS"
        raise WeightsError(str(folder), f"it is not known which of them {module} loads", remedy)
    files = sorted(folder.glob(known[0].weights)) if known[0].weights else []
    if known[0].weights and not files:
        raise WeightsError(str(folder / known[0].weights), "no such file")
    return files


def tensors_bytes(path: Path, beginning: str) -> int:
    """Bytes of the tensors of a safetensors file whose names begin so.

    Raises:
        WeightsError: the file is missing or is none.
        ImportError: safetensors is not installed.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsError(str(path), "no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            wanted = [name for name in file.keys() if name.startswith(beginning)]
            return sum(file.get_tensor(name).nbytes for name in wanted)
    except (SafetensorError, OSError) as problem:
        raise WeightsError(str(path), f"not a safetensors file ({problem})") from problem


def language_mb(planner: Planner, network: Path, folder: Path = WEIGHTS) -> float:
    """Weights of the planner and of the language part of the network in `network`, 10^6 bytes.

    Raises:
        WeightsError, ImportError: as `weights_of` and `tensors_bytes` say.
    """
    own = sum(path.stat().st_size for path in weights_of(planner, folder))
    return (own + tensors_bytes(network, "language.")) / 1e6
