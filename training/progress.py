"""How far a long job is, on the terminal."""

from __future__ import annotations

import sys


def progress(what: str, done: int, count: int) -> None:
    """Draws the bar of `what` anew; at its end the line is ended."""
    bar, end = "#" * (30 * done // count), "\n" if done == count else ""
    print(f"\r{what} [{bar:<30}] {done}/{count}", end=end, file=sys.stderr, flush=True)
