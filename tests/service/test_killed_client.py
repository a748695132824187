"""kill -9 of a client: how soon the service notices, and what it still holds afterwards."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.rtc.client import run, until
from tests.service.test_streams_loopback import service

ROOT = Path(__file__).parents[2]
NOTICED_S = 10.0
DESCRIPTORS = Path("/proc/self/fd")
SESSIONS = "stream_retouch_sessions"


def held() -> dict[str, object]:
    """What this process, and so the service in it, holds now."""
    # The service's executor keeps its threads for the next request; they end with the loop.
    threads = [t.name for t in threading.enumerate() if not t.name.startswith("asyncio_")]
    descriptors = len(os.listdir(DESCRIPTORS))
    return {"tasks": tasks(), "threads": sorted(threads), "descriptors": descriptors}


def tasks() -> list[str]:
    """What the tasks run, by the names of their coroutines."""
    return sorted(str(getattr(t.get_coro(), "__qualname__", t)) for t in asyncio.all_tasks())


async def sessions(http: httpx.AsyncClient) -> float:
    lines = (await http.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{SESSIONS} "))


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="open descriptors are counted in /proc")
def test_a_client_killed_outright_is_noticed_within_10_s_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with service() as http:
            assert await sessions(http) == 0
            before = held()
            command = [sys.executable, "-m", "tests.service.talking_client", str(http.base_url)]
            client = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            assert client.stdout is not None
            try:
                said = (await asyncio.to_thread(client.stdout.readline)).split()
                assert said[:1] == ["flowing"]
                assert await sessions(http) == 1
                during = held()
                assert during["tasks"] != before["tasks"]
                assert during["threads"] != before["threads"]
                assert during["descriptors"] != before["descriptors"]
            finally:
                client.kill()  # SIGKILL: no goodbye of any kind
                killed_at = time.monotonic()
                client.wait()
                client.stdout.close()
            while await sessions(http) > 0:
                assert time.monotonic() - killed_at <= NOTICED_S, "the session is still there"
                await asyncio.sleep(0.05)
            print(f"noticed after {time.monotonic() - killed_at:.2f} s")
            assert (await http.delete(said[1])).status_code == 404
            await until(lambda: held() == before, lambda: f"held: {held()}, before: {before}")

    run(main)
