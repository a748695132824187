"""The service as a user starts it: a process of its own, found by the address it prints."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
START_S = 120.0
STOP_S = 15.0


class RunningService:
    """``python -m stream_retouch serve`` and what it prints."""

    def __init__(self, port: int = 0, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stream_retouch", "serve", "--port", str(port), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._line = threading.Condition()
        # Read on, or the service stops at a full pipe.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.address = self._find_address()

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def wait_until_ready(self) -> None:
        """Returns once a session can be opened."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(self.address + "/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            with self._line:
                self._line.wait(0.2)
        raise AssertionError("the service did not get ready; it said:\n" + "".join(self.said))

    def frames(self) -> dict[str, float]:
        """How many frames so far, by what became of them (stream_retouch_frames_total)."""
        text = httpx.get(self.address + "/metrics", timeout=5).text
        found = re.findall(r'^stream_retouch_frames_total\{result="(\w+)"\} (\S+)$', text, re.M)
        return {result: float(count) for result, count in found}

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self.process.kill()
        self._join()

    def stop(self) -> None:
        """Ends it as Ctrl-C would."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._join()

    def _join(self) -> None:
        self.process.wait(STOP_S)
        self._reader.join(STOP_S)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._line:
                self.said.append(line)
                self._line.notify_all()

    def _find_address(self) -> str:
        deadline = time.monotonic() + START_S
        with self._line:
            while time.monotonic() < deadline:
                found = re.search(r"http://127\.0\.0\.1:\d+", "".join(self.said))
                if found:
                    return found.group()
                if self.process.poll() is not None:
                    break
                self._line.wait(0.2)
        self.process.kill()
        raise AssertionError("the service printed no address; it said:\n" + "".join(self.said))


@contextmanager
def running_service(port: int = 0, *options: str) -> Iterator[RunningService]:
    """A service that is ready, started with these `options` of serve; stopped at the end."""
    service = RunningService(port, *options)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.stop()
