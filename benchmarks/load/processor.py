"""What a service process cost between two moments, and what it counted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import httpx

from benchmarks.server_process import cpu_seconds, loop_seconds, metrics_of

_FRAMES = "stream_retouch_frames_total{%s}"
_LEFT = ("fresh", "reused", "late", "passed", "bypassed", "failed")
_LAG = "stream_retouch_loop_lag_seconds_%s"


@dataclass(slots=True)
class Meter:
    """Read at the beginning and at the end of the measured time."""

    url: str
    pid: int
    has_metrics: bool
    _at: list[float] = field(default_factory=list)
    _cpu_s: list[float | None] = field(default_factory=list)
    _loop_s: list[float | None] = field(default_factory=list)
    _client_s: list[float | None] = field(default_factory=list)
    _counts: list[dict[str, float]] = field(default_factory=list)

    async def read(self) -> None:
        """Takes the counters of this moment."""
        self._at.append(time.perf_counter())
        self._cpu_s.append(cpu_seconds(self.pid))
        self._loop_s.append(loop_seconds(self.pid))
        self._client_s.append(time.process_time())
        if self.has_metrics:
            async with httpx.AsyncClient(timeout=10) as http:
                self._counts.append(metrics_of((await http.get(self.url + "/metrics")).text))

    def fresh_share(self) -> float | None:
        """Share of all sessions' frames whose edit came from their own crop; None without any."""
        if not self._counts:
            return None
        first, last = self._counts[0], self._counts[-1]
        grown = {kind: last.get(_FRAMES % kind, 0) - first.get(_FRAMES % kind, 0) for kind in _LEFT}
        seen = sum(grown.values())
        return round(grown["fresh"] / seen, 4) if seen else None

    def figures(self) -> dict[str, float | None]:
        """Percent of one core, and the mean of the loop's worst lag of each second."""
        return {
            "cpu_percent": self._percent(self._cpu_s),
            "loop_percent": self._percent(self._loop_s),
            "client_cpu_percent": self._percent(self._client_s),
            "loop_lag_ms": self._lag_ms(),
        }

    def _percent(self, used_s: list[float | None]) -> float | None:
        first, last = used_s[0], used_s[-1]
        if first is None or last is None:
            return None
        return round(100 * (last - first) / (self._at[-1] - self._at[0]), 1)

    def _lag_ms(self) -> float | None:
        if not self._counts:
            return None
        first, last = self._counts[0], self._counts[-1]
        grown = {
            kind: last.get(_LAG % kind, 0.0) - first.get(_LAG % kind, 0.0)
            for kind in ("sum", "count")
        }
        return round(1000 * grown["sum"] / grown["count"], 1) if grown["count"] else None
