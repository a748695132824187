"""The client that talks: shows each look for a loop, then says one text after the other."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.clip import Clip
from benchmarks.instruction_latency.seen import Cells, cells
from benchmarks.instruction_latency.shown import STEADY_S
from benchmarks.light_client import APPLY_S, LightClient, Probe, Recording
from stream_retouch.media.fading import FADE_IN_S

ASKS = ("remove all blemishes", "remove the redness", "even out my skin tone")
"""Each changes a good part of the face in the clip."""
RESET = "reset"
FACE_S = 2.0
"""Before the first text: a face must be in view, as for a person at the camera."""
ANSWER_S = 5.0
"""Longest time waited for a text's `applied`."""
SETTLE_S = FADE_IN_S + 0.25
"""From `applied` to the look that is steady: the fade, and what the way back and the encoder
take."""


@dataclass(slots=True)
class Said:
    """One text, and what the service said of it; moments are `time.perf_counter` seconds."""

    before: str
    """The text of the look that was on."""
    text: str
    sent: float
    until: float = 0.0
    """When the look had been steady for STEADY_S, and the next text could follow."""
    planned: float | None = None
    applied: float | None = None
    took_ms: float | None = None
    refused: bool = False


@dataclass(slots=True)
class Talk:
    """Everything of a run."""

    recording: Recording
    """Its measured time is that of the counted instructions."""
    shows: list[Said]
    """The looks that were shown for a loop each: steady from SETTLE_S after `applied`."""
    said: list[Said]
    pictures: dict[int, Cells] = field(default_factory=dict)
    """By RTP time stamp of the returned frame."""


def script(asks: Sequence[str], count: int) -> Iterator[tuple[str, str]]:
    """`count` times the look before and the text: each ask in turn, a reset after each."""
    for i in range(count):
        ask = asks[i // 2 % len(asks)]
        yield (ask, RESET) if i % 2 else (RESET, ask)


class TalkingClient(LightClient):
    """A light client that keeps a small picture of each returned frame too."""

    def __init__(self, clip: Clip) -> None:
        super().__init__(clip)
        self._loop_s = len(clip.packets) / clip.fps
        self._pictures: dict[int, Cells] = {}
        self._count = 0

    def _seen(self, timestamp: int, frame: Any) -> None:
        self._pictures[timestamp] = cells(frame)

    async def talk(self, asks: Sequence[str], count: int, probe: Probe) -> Talk:
        """Shows RESET and each of `asks` for a loop of the clip, then says `count` texts.

        Raises:
            RuntimeError: a look that the others are measured against could not be shown.
        """
        pause = random.Random(5)  # texts come at any phase of the camera's frames
        self._playback.begin()
        await asyncio.sleep(FACE_S)
        await self._opened()
        shows = []
        for ask in asks:
            shows.append(await self._show(RESET, ask))
        # last, because a reset is seen only where a look was on
        shows.append(await self._show(asks[-1], RESET))
        await probe()
        begin, said = time.perf_counter(), []
        for before, text in script(asks, count):
            said.append(await self._say(before, text, SETTLE_S + STEADY_S))
            await asyncio.sleep(pause.uniform(0.0, 0.1))
        end = time.perf_counter()
        await probe()
        self._playback.finish()
        await self._drain(end)
        return Talk(self._recording(begin, end), shows, said, self._pictures)

    async def _opened(self) -> None:
        async with asyncio.timeout(APPLY_S):
            while self._channel.readyState != "open":
                await asyncio.sleep(0.01)

    async def _show(self, before: str, text: str) -> Said:
        """One look for a whole loop of the clip; a look before it is taken off first."""
        if before == RESET:
            await self._say("", RESET, 0.0, must_show=False)
        said = await self._say(before, text, SETTLE_S + self._loop_s + 0.2)
        if said.applied is None:
            why = "refused" if said.refused else "not shown in time"
            raise RuntimeError(f"{text!r} was {why}; is a face in the clip, and the engine loaded?")
        return said

    async def _say(self, before: str, text: str, steady_s: float, must_show: bool = True) -> Said:
        """One text, until its look has been on for `steady_s`, or ANSWER_S are over."""
        self._count += 1
        said_id, known = f"text-{self._count}", len(self._messages)
        said = Said(before, text, time.perf_counter())
        self._channel.send(json.dumps({"type": "instruct", "id": said_id, "text": text}))
        try:
            async with asyncio.timeout(ANSWER_S if must_show else 1.0):
                while not told(said, said_id, self._messages[known:]):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        else:
            await asyncio.sleep(0.0 if said.refused else steady_s)
        said.until = time.perf_counter()
        return said


def told(said: Said, said_id: str, messages: Sequence[dict[str, Any]]) -> bool:
    """Notes in `said` what the service has said of it; whether nothing more is to come."""
    version = None
    for message in messages:
        match message["type"]:
            case "error" | "rejected" if message["id"] == said_id:
                said.refused = True
                return True
            case "plan" if message["id"] == said_id:
                version, said.planned = message["version"], message["at"]
            case "applied" if version is not None and message["version"] >= version:
                said.applied, said.took_ms = message["at"], message["took_ms"]
                return True
    return False
