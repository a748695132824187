"""The metrics of several processes as one page: every figure is the sum of theirs."""

from __future__ import annotations

from collections.abc import Iterable

CREATED = "_created"
"""How the names of times end at which something was first counted: the earliest counts."""


def summed(pages: Iterable[bytes]) -> bytes:
    """Pages in the Prometheus text format, of processes that count the same things, as one.

    All that this service tells adds up: what was counted, how long it took, and how many there are now.
    """
    lines: list[str] = []
    figures: dict[str, float] = {}
    for page in pages:
        for line in page.decode().splitlines():
            series, _, value = line.rpartition(" ")
            if line.startswith("#") or not series:
                if line not in figures:
                    figures[line] = 0.0
                    lines.append(line)
                continue
            number = float(value)
            if series not in figures:
                figures[series] = number
                lines.append(series)
            elif series.partition("{")[0].endswith(CREATED):
                figures[series] = min(figures[series], number)
            else:
                figures[series] += number
    return "".join(
        f"{line}\n" if line.startswith("#") or not line else f"{line} {figures[line]!r}\n"
        for line in lines
    ).encode()
