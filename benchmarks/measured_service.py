"""The service as ``stream-retouch serve`` runs it, with a packet log and perhaps a slower engine.

``python -m benchmarks.measured_service --log FILE [--engine-delay-ms N] -- serve --port 0``. What
follows ``--`` goes to `stream_retouch.cli.main` unchanged, so the parts are those that ``make run``
starts. The log is written when the service has stopped (SIGTERM).
"""

from __future__ import annotations

# First: it sets the number of threads of libraries before they are imported.
from stream_retouch.cli import NAMES, Names, main  # isort: skip

import argparse
import atexit
import dataclasses
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.packet_log import PacketLog

LOG = "MEASURED_SERVICE_LOG"
"""Variable by which the service's own processes know where the packet log goes."""


class SlowEngine:
    """A RetouchEngine whose every call takes `delay_s` longer."""

    def __init__(self, engine: Any, delay_s: float) -> None:
        self._engine, self._delay_s = engine, delay_s
        self.name, self.crop_size = engine.name, engine.crop_size
        self.calls_at_once, self.crops_at_once = engine.calls_at_once, engine.crops_at_once
        self.cores_per_call = engine.cores_per_call

    def retouch(self, *asked: Any) -> Any:
        """The engine's answer, later than it has it."""
        edits = self._engine.retouch(*asked)
        time.sleep(self._delay_s)  # as a device would: it computes, the processor is free
        return edits

    def close(self) -> None:
        """Frees the engine."""
        self._engine.close()


class SlowLoader:
    """What `Names` names instead of an engine's class: loads it and slows it down."""

    def __init__(self, place: str, delay_s: float) -> None:
        self._place, self._delay_s = place, delay_s

    def load(self, weights: Path | None = None, threads: int = 1) -> SlowEngine:
        """The engine of that place, slower."""
        module, _, attribute = self._place.partition(":")
        engine = getattr(importlib.import_module(module), attribute)
        return SlowEngine(engine.load(weights, threads), self._delay_s)


def slowed(names: Names, delay_ms: float) -> Names:
    """`names` with every engine slower by that much."""
    if not delay_ms:
        return names
    places = {}
    for name, place in names.engines.items():
        # cli.py imports parts by name, so the loaders become attributes of this module.
        setattr(sys.modules[__name__], f"slow_{name}", SlowLoader(place, delay_ms / 1000))
        places[name] = f"{__name__}:slow_{name}"
    return dataclasses.replace(names, engines=places)


def run(argv: Sequence[str], names: Names = NAMES) -> int:
    """Runs the service until it is stopped, then writes the log; gives its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, required=True, help="where the packet log goes (JSON)")
    parser.add_argument("--engine-delay-ms", type=float, default=0.0)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    log = PacketLog()
    log.attach_to_all()
    os.environ[LOG] = str(args.log)
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    code = main(command, slowed(names, args.engine_delay_ms))
    log.gather(args.log)
    log.save(args.log)
    return code


def log_media_process() -> None:
    """Logs the packets of a media process that the service has started, into a file beside the
    service's own, which gathers it."""
    log = PacketLog()
    log.attach_to_all()
    atexit.register(log.save, Path(f"{os.environ[LOG]}.{os.getpid()}"))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
if __name__ == "__mp_main__" and LOG in os.environ:  # what a process that is spawned imports first
    log_media_process()
