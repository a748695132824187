"""The whole service in several processes: real peers, real pictures, and a kill in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from aiortc import RTCSessionDescription
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from stream_retouch.rtc.candidates import connections_of
from stream_retouch.service.processes import fleet as fleets
from stream_retouch.service.processes.fleet import Fleet
from stream_retouch.service.processes.front import create_front
from stream_retouch.settings import Settings
from tests.rtc.client import Client, first, luma_of
from tests.rtc.client import run as run_peers
from tests.service.fakes import PATIENCE_S
from tests.service.processes import stand_ins

ROOT = Path(__file__).resolve().parents[3]
SDP = {"Content-Type": "application/sdp"}
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/net").exists(), reason="processes and their sockets are found in /proc"
)


@asynccontextmanager
async def service(**settings: object) -> AsyncIterator[tuple[httpx.AsyncClient, Fleet]]:
    """A client of a service of two processes that listens."""
    given = Settings(frame_budget_ms=500, speech="off", requests_per_s=0, **settings)  # type: ignore[arg-type]
    fleet = Fleet(given, stand_ins.darkening, 2)
    config = uvicorn.Config(
        create_front(given, fleet), port=0, log_config=None, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started or fleet.missing() is not None:
        await asyncio.sleep(0.001)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        try:
            yield http, fleet
        finally:
            server.should_exit = True
            await serving


async def connected(http: httpx.AsyncClient, **headers: str) -> tuple[Client, httpx.Response]:
    client = Client()
    response = await http.post("/session", content=await client.offer(), headers={**SDP, **headers})
    assert response.status_code == 201, response.text
    await client.pc.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
    await client.opened.wait()
    return client, response


def mark(response: httpx.Response) -> str:
    """Of the process that has the session."""
    return str(response.headers["Location"]).removeprefix("/session/")[0]


def middle(frame: object) -> float:
    return float(luma_of(frame)[110:130, 150:170].mean())  # type: ignore[arg-type]


async def told(client: Client, kind: str) -> dict[str, object]:
    """The next message of this type."""
    return json.loads(await first(client.messages, lambda text: json.loads(text)["type"] == kind))


async def darkened(client: Client) -> None:
    """Says what is to change, and waits until the picture shows it."""
    before = middle(await client.returned.get())
    client.channel.send('{"type":"instruct","id":"a","text":"remove all blemishes"}')
    await told(client, "applied")
    await first(client.returned, lambda frame: middle(frame) < before - 20)


def run(main: Callable[[], Awaitable[None]]) -> None:
    run_peers(main)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "AGAIN_S", 0.0)


@needs_proc
def test_two_users_are_in_two_processes_and_one_that_is_killed_takes_nobody_with_it() -> None:
    async def main() -> None:
        async with service() as (http, fleet):
            (one, of_one), (other, of_other) = await connected(http), await connected(http)
            assert (mark(of_one), mark(of_other)) == ("a", "b")
            await darkened(one)
            await darkened(other)
            page = (await http.get("/metrics")).text
            assert "\nstream_retouch_sessions 2.0\n" in page

            (pid,) = [pid for pid in media_processes(os.getpid()) if serves(pid, one)]
            os.kill(pid, signal.SIGKILL)
            while fleet.of("a") is not None:
                await asyncio.sleep(0.001)
            while not other.returned.empty():
                other.returned.get_nowait()
            for _ in range(10):
                assert middle(await other.returned.get()) < 50
            gone = await http.delete(of_one.headers["Location"])
            assert gone.status_code == 404

            while not fleet.processes[0].is_ready:
                await asyncio.sleep(0.001)
            again, of_again = await connected(http)
            assert mark(of_again) == "a"
            await darkened(again)
            for client in (one, other, again):
                await client.close()

    run(main)


def media_processes(parent: int) -> list[int]:
    """Processes that the fleet has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
            command = (stat.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == parent and "spawn_main" in command:
            found.append(int(stat.parent.name))
    return found


def serves(pid: int, client: Client) -> bool:
    """Whether that process has the UDP port that the client sends to."""
    (connection,) = {id(c): c for c in connections_of(client.pc)}.values()
    port = connection._nominated[1].remote_candidate.port
    sockets = {
        line.split()[9]
        for line in Path(f"/proc/{pid}/net/udp").read_text().splitlines()[1:]
        if int(line.split()[1].partition(":")[2], 16) == port
    }
    held = {
        os.readlink(link).removeprefix("socket:[").rstrip("]")
        for link in Path(f"/proc/{pid}/fd").iterdir()
    }
    return bool(sockets & held)


def test_a_look_is_taken_over_where_it_is_kept_though_that_process_is_the_fuller_one() -> None:
    async def main() -> None:
        async with service() as (http, _):
            one, of_one = await connected(http)
            other, _ = await connected(http)
            await darkened(one)
            back, of_back = await connected(http, Resume=of_one.headers["Resume"])
            assert of_back.headers["Resumed"] == "?1" and mark(of_back) == "a"
            await first(back.returned, lambda frame: middle(frame) < 50)
            for client in (one, other, back):
                await client.close()

    run(main)


def test_max_sessions_are_those_of_all_processes() -> None:
    async def main() -> None:
        async with service(max_sessions=1) as (http, fleet):
            one, response = await connected(http)
            late = Client()
            refused = await http.post("/session", content=await late.offer(), headers=SDP)
            assert refused.status_code == 503 and "all 1 sessions" in refused.json()["detail"]
            assert (await http.delete(response.headers["Location"])).status_code == 200
            while fleet.processes[0].state.occupancy.sessions:
                await asyncio.sleep(0.001)
            other, _ = await connected(http)
            for client in (one, late, other):
                await client.close()

    run(main)


def test_words_over_a_web_socket_reach_the_process_of_their_session() -> None:
    async def main() -> None:
        async with service() as (http, _):
            one, _ = await connected(http)
            other, response = await connected(http)
            session = response.headers["Location"].removeprefix("/session/")
            place = f"ws://127.0.0.1:{http.base_url.port}/ws?session={session}"
            with pytest.raises(InvalidStatus) as denied:
                await connect(f"{place}x", proxy=None)
            assert denied.value.response.status_code == 404
            assert b"no such session" in denied.value.response.body
            async with connect(place, proxy=None) as ws:
                await ws.send('{"type":"instruct","id":"w","text":"remove all blemishes"}')
                while json.loads(await ws.recv())["type"] != "applied":
                    pass
                before = middle(await one.returned.get())
                await first(other.returned, lambda frame: middle(frame) < before - 20)
                assert (await http.delete(response.headers["Location"])).status_code == 200
                await ws.wait_closed()
                assert ws.close_code == 1000
            for client in (one, other):
                await client.close()

    run(main)


SCRIPT = """
import sys
from stream_retouch.errors import StreamRetouchError
from stream_retouch.service.running import serve
from stream_retouch.settings import Settings
from tests.service.processes import stand_ins

if __name__ == "__main__":
    try:
        sys.exit(serve(Settings(port=0, speech="off"), getattr(stand_ins, sys.argv[1]), 2))
    except StreamRetouchError as error:
        sys.exit(str(error))
"""


def start(tmp_path: Path, load: str) -> subprocess.Popen[str]:
    """The service as its command runs it, in a process of its own."""
    script = tmp_path / "serving.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), load],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_to_all_of_its_processes_ends_the_service_in_order(
    tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    with start(tmp_path, "darkening") as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]

        async def ready() -> None:
            async with httpx.AsyncClient(base_url=url) as http, asyncio.timeout(PATIENCE_S):
                while (await http.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.01)

        asyncio.run(ready())
        os.killpg(process.pid, sent)  # as a terminal's Ctrl+C and a service manager do
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status, errors
    assert "Traceback" not in errors and "killed" not in errors


def test_parts_that_cannot_be_loaded_end_the_service_with_the_reason(tmp_path: Path) -> None:
    with start(tmp_path, "failing") as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "weights w.safetensors: is truncated; reinstall stream-retouch" in errors
    assert "Traceback" not in errors


@needs_proc
def test_the_processes_end_when_the_front_is_killed(tmp_path: Path) -> None:
    async def main() -> None:
        with start(tmp_path, "darkening") as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[3]
            async with httpx.AsyncClient(base_url=url) as http:
                while (await http.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.01)
            media = media_processes(process.pid)
            assert len(media) == 2
            process.kill()
            async with asyncio.timeout(PATIENCE_S):
                while any(Path(f"/proc/{pid}").exists() for pid in media):
                    await asyncio.sleep(0.01)

    asyncio.run(main())
