"""A client in a process of its own, for a test that kills it: sends video, takes it back, says so.

    python -m tests.service.talking_client URL

Prints ``flowing`` once pictures come back, and goes on until it is killed.
"""

from __future__ import annotations

import asyncio
import sys

import httpx
from aiortc import RTCSessionDescription

from tests.rtc.client import Client

ENOUGH_FRAMES = 15


async def talk(url: str) -> None:
    """Connects, and keeps the video flowing for ever."""
    client = Client()
    async with httpx.AsyncClient(base_url=url) as http:
        response = await http.post(
            "/session", content=await client.offer(), headers={"Content-Type": "application/sdp"}
        )
    await client.pc.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
    await client.opened.wait()
    for _ in range(ENOUGH_FRAMES):
        await client.returned.get()
    print("flowing", response.headers["Location"], flush=True)
    await client.ended.wait()


if __name__ == "__main__":
    asyncio.run(talk(sys.argv[1]))
