"""Which engine is best here, and what follows where it cannot be used.

tensorrt on an NVIDIA GPU with TensorRT, else inductor on an NVIDIA GPU, else openvino, else eager. An engine for a GPU
has to be built beforehand (`engines.build`): where it is not, or was built for something else, or the GPU has no memory
left, the log says so and the next one serves.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engines import gpu
from engines.batching import Overlapping
from engines.guarded import GuardedBatches, GuardedCopies, GuardedEngine, Load
from engines.pool import Copyable
from stream_retouch.engine import RetouchEngine
from stream_retouch.errors import EngineError

log = logging.getLogger(__name__)

Problem = Callable[[], str | None]
"""Why an engine cannot be used on this machine; None where it can."""


class Loader(Protocol):
    """An engine's ``load``."""

    def __call__(self, weights: Path | None = None, threads: int = 1) -> RetouchEngine: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine that can be used, and why it is the best of them."""

    name: str
    why: str
    """What is here, or why those before it cannot be used."""


def _raised(ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except EngineError as problem:
        return str(problem)
    except Exception as problem:  # imports of packages with native code raise what they like
        return gpu.first_line(problem)
    return None


PROBLEMS: Mapping[str, Problem] = {
    "tensorrt": lambda: _raised(gpu.tensorrt),
    "inductor": lambda: _raised(gpu.found),
    "openvino": lambda: _raised(lambda: importlib.import_module("openvino")),
    "eager": lambda: _raised(lambda: importlib.import_module("torch")),
}
"""Best first."""


def best(problems: Mapping[str, Problem] = PROBLEMS) -> Choice:
    """The best engine that can be used here; whether it has been built, `load_best` finds out.

    Args:
        problems: what to ask about each engine, best first.

    Raises:
        EngineError: none can be used.
    """
    said: list[str] = []
    for name, problem in problems.items():
        why = problem()
        if why is None:
            return Choice(name, "; ".join(said) or f"{name} can be used")
        said.append(f"{name}: {why}")
    raise EngineError(f"no engine can be used ({'; '.join(said)}); reinstall stream-retouch")


def problem(name: str) -> str | None:
    """Why the engine of that name cannot be used on this machine; None where it can. It may still have to be built."""
    ask = PROBLEMS.get(name)
    return None if ask is None else ask()


def following(name: str, problems: Mapping[str, Problem] = PROBLEMS) -> tuple[str, ...]:
    """The engines that are taken where that one cannot be used, next best first."""
    names = tuple(problems)
    return names[names.index(name) + 1 :]


MOST_PROCESSES = 4
"""Each takes half a gigabyte (measured, `benchmarks.load`)."""


def processes(name: str, cores: float, driver_file: Path = gpu.DRIVER_FILE) -> int:
    """In how many processes the service serves best with the engine of that name: one for each core, for Python runs
    one thread at a time; one in all where users share a GPU, whose batches take the crops of all of them.

    Args:
        cores: that the service may use.
        driver_file: is there where there is an NVIDIA GPU.
    """
    if name in ("tensorrt", "inductor") or (name == "auto" and driver_file.exists()):
        return 1
    return max(1, min(int(cores), MOST_PROCESSES))


class BestEngine:
    """The best engine that can be used and has been built, behind a guard; loaded like any other."""

    @staticmethod
    def load(weights: Path | None = None, threads: int = 1) -> RetouchEngine:
        """See `load_best`."""
        return load_best(weights, threads)


def load_best(
    weights: Path | None = None,
    threads: int = 1,
    problems: Mapping[str, Problem] = PROBLEMS,
    loaders: Callable[[str], Loader] | None = None,
) -> RetouchEngine:
    """The best engine that loads, with those after it to follow, should it fail.

    Args:
        weights: None for those that ship.
        threads: CPU threads of one call.
        problems: what to ask about each engine, best first.
        loaders: an engine's ``load`` by its name.

    Raises:
        WeightsError: the weights cannot be used, by whatever engine.
        EngineError: no engine can be used.
    """
    loaders = loaders or _loader
    choice = best(problems)
    log.info("the engine %s is the best here (%s)", choice.name, choice.why)
    names = [choice.name, *following(choice.name, problems)]
    loads = [_load(loaders, name, weights, threads) for name in names]
    said: list[str] = []
    for place, (name, load) in enumerate(zip(names, loads, strict=True), start=1):
        try:
            return guarded(load(), loads[place:])
        except (EngineError, ImportError) as problem:
            said.append(f"{name}: {gpu.first_line(problem)}")
            log.warning("the engine %s cannot be used: %s", name, gpu.first_line(problem))
    raise EngineError(f"no engine can be used ({'; '.join(said)}); reinstall stream-retouch")


def guard(
    engine: RetouchEngine,
    weights: Path | None = None,
    threads: int = 1,
    loaders: Callable[[str], Loader] | None = None,
) -> RetouchEngine:
    """An engine that was asked for by its name behind a guard, with those after it to follow, should it fail.

    Args:
        engine: free for this guard alone; one that has a guard is returned as it is.
        weights, threads: as it was loaded with.
        loaders: an engine's ``load`` by its name.
    """
    if isinstance(engine, GuardedEngine):
        return engine
    names = following(engine.name) if engine.name in PROBLEMS else ()
    return guarded(engine, [_load(loaders or _loader, name, weights, threads) for name in names])


def guarded(engine: RetouchEngine, loads: list[Load]) -> GuardedEngine:
    """The engine behind a guard; one of which there can be several stays so, and one whose batches overlap."""
    if isinstance(engine, Copyable):
        return GuardedCopies(engine, loads)
    if isinstance(engine, Overlapping):
        return GuardedBatches(engine, loads)
    return GuardedEngine(engine, loads)


def _load(loaders: Callable[[str], Loader], name: str, weights: Path | None, threads: int) -> Load:
    return lambda: loaders(name)(weights, threads)


def _loader(name: str) -> Loader:
    if name == "tensorrt":
        from engines.tensorrt import TensorRTEngine

        return TensorRTEngine.load
    if name == "inductor":
        from engines.inductor import InductorEngine

        return InductorEngine.load
    if name == "openvino":
        from engines.openvino import OpenVINOEngine

        return OpenVINOEngine.load
    from engines.eager import EagerEngine

    return EagerEngine.load
