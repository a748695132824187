"""The service as ``stream-retouch serve`` runs it, which also tells every second what tasks and threads it has.

``python -m benchmarks.soak.service --log FILE -- serve --port 0``: what follows ``--`` goes to
`stream_retouch.cli.main` unchanged. FILE is JSON: how many ``tasks`` of which coroutine and ``threads`` of which name,
of those that Python knows; codecs and engines have others.
"""

from __future__ import annotations

# First: it sets the number of threads of libraries before they are imported.
from stream_retouch.cli import main  # isort: skip

import argparse
import asyncio
import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

EVERY_S = 1.0
LOG = "SOAK_SERVICE_LOG"
"""Variable by which the service's own processes know FILE; theirs stand beside it, each with its number at the end."""


def run(argv: Sequence[str]) -> int:
    """Runs the service until it is stopped; gives its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, required=True, help="where the tasks are told")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    os.environ[LOG] = str(args.log)
    tell(args.log)
    return main(args.command[1:] if args.command[:1] == ["--"] else args.command)


def tell(log: Path) -> None:
    """Tells of this process from now on."""
    loops: list[asyncio.AbstractEventLoop] = []
    make = asyncio.events.new_event_loop

    def made() -> asyncio.AbstractEventLoop:
        loops.append(make())
        return loops[-1]

    # asyncio.run asks there; a task can only be counted by who knows its loop
    asyncio.events.new_event_loop = made  # type: ignore[assignment]
    threading.Thread(target=_tell, args=(log, loops), name="counts", daemon=True).start()


def tasks_of(loops: Sequence[asyncio.AbstractEventLoop]) -> dict[str, int]:
    """How many tasks of which coroutine wait on these loops; any thread."""
    names = Counter[str]()
    for loop in loops:
        for task in asyncio.all_tasks(loop):
            names[getattr(task.get_coro(), "__qualname__", "unknown")] += 1
    return dict(sorted(names.items()))


def _threads() -> dict[str, int]:
    names = (thread.name.rstrip("0123456789-_ ") for thread in threading.enumerate())
    return dict(sorted(Counter(names).items()))


def _tell(path: Path, loops: Sequence[asyncio.AbstractEventLoop]) -> None:
    pause, new = threading.Event(), path.with_name(f"{path.name}.new")
    while not pause.wait(EVERY_S):
        try:
            new.write_text(json.dumps({"tasks": tasks_of(loops), "threads": _threads()}))
            new.replace(path)  # whoever reads finds the old or the new one, never half
        except OSError:
            return  # the folder is gone: the run is over


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
if __name__ == "__mp_main__" and LOG in os.environ:  # what a process that is spawned imports first
    tell(Path(f"{os.environ[LOG]}.{os.getpid()}"))
