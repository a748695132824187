"""A server under measurement: a process of its own, what it says of itself, and what it costs."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.packet_log import PacketLog

ROOT = Path(__file__).parents[1]
READY_S = 180.0
"""Longest time until a session can be opened: the first start may build the engine."""
STOP_S = 20.0


class ServerProcess:
    """``python -m MODULE --log FILE ...``, found by the address it prints."""

    def __init__(self, module: str, arguments: Sequence[str], log_path: Path) -> None:
        self._log_path = log_path
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "--log", str(log_path), *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._heard = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""

    @property
    def pid(self) -> int:
        """Of the server."""
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """What it was told with --log."""
        return self._log_path

    def wait_until_ready(self) -> None:
        """Returns once a session can be opened.

        Raises:
            RuntimeError: it ended, or took too long; with what it said.
        """
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            found = re.search(r"http://127\.0\.0\.1:\d+", "".join(self.said))
            self.url = found.group() if found else ""
            if self.url and self._is_ready():
                return
            with self._heard:
                self._heard.wait(0.2)
        raise RuntimeError("the server did not get ready; it said:\n" + "".join(self.said))

    def stop(self) -> PacketLog:
        """Ends it as Ctrl+C would, and gives its packet log."""
        self.end()
        if not self._log_path.exists():
            raise RuntimeError("the server left no log; it said:\n" + "".join(self.said))
        return PacketLog.load(self._log_path)

    def end(self) -> None:
        """Ends it. May be called twice."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._reader.join(STOP_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _is_ready(self) -> bool:
        try:
            return httpx.get(self.url + "/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._heard:
                self.said.append(line)
                self._heard.notify_all()


@contextlib.contextmanager
def server(module: str, arguments: Sequence[str]) -> Iterator[ServerProcess]:
    """A server that is ready; ended at the end."""
    with tempfile.TemporaryDirectory() as folder:
        process = ServerProcess(module, arguments, Path(folder) / "packets.json")
        try:
            process.wait_until_ready()
            yield process
        finally:
            process.end()


def family(pid: int) -> list[int]:
    """A process and all that it has started, and they; only itself where /proc does not tell."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cpu_seconds(pid: int) -> float | None:
    """Processor time a process and what it has started have used, all threads; None where /proc does not tell."""
    used = [_cpu_seconds(Path(f"/proc/{one}/stat")) for one in family(pid)]
    return None if used[0] is None else sum(seconds or 0.0 for seconds in used)


def loop_seconds(pid: int) -> float | None:
    """The same of their first threads, which run the event loops."""
    used = [_cpu_seconds(Path(f"/proc/{one}/task/{one}/stat")) for one in family(pid)]
    return None if used[0] is None else sum(seconds or 0.0 for seconds in used)


def _cpu_seconds(stat: Path) -> float | None:
    try:
        after_name = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def metrics_of(text: str) -> dict[str, float]:
    """A Prometheus page as {``name`` or ``name{label value}``: value}, buckets left out."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "le" not in sample.labels:
                label = ",".join(sample.labels.values())
                found[f"{sample.name}{{{label}}}" if label else sample.name] = sample.value
    return found
