"""One run: a server, a client, the relay between them, and one scenario in one direction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.light_client import offer_over_http
from benchmarks.loss.caller import Caller, Shown
from benchmarks.loss.camera import Picture
from benchmarks.loss.policies import LOST
from benchmarks.loss.scenarios import SCENARIOS, Trouble
from benchmarks.loss.shim import Direction, Passage, Shim
from stream_retouch.service.garbage import set_aside

WARM_UP_S = 4.0
"""From the first frame to the begin of the measured time: rates have settled."""
AFTER_S = 1.0
"""After the measured time: frames on their way arrive, and what has recovered can be seen to."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is."""

    scenario: str
    direction: Direction
    seconds: float
    fps: int
    codec: str
    seed: int
    enable: bool | None
    """Switches the filter first; None: the server has none."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was seen; moments are `time.perf_counter` seconds."""

    begin: float
    end: float
    fps: int
    given: dict[int, float]
    """When the camera gave each frame."""
    shown: list[Shown]
    events: list[float]
    there: list[Passage]
    """What travelled in the bad direction."""
    back: list[Passage]
    """What travelled in the other."""


async def run(pictures: Sequence[Picture], url: str, plan: Plan) -> Run:
    """Calls the server at `url` and gives what was seen."""
    shim = Shim()
    caller = Caller(pictures, plan.fps, plan.codec, estimates=plan.scenario == "bottleneck")
    try:
        await shim.open()

        async def answer_to(offer: str) -> str:
            answer, _ = await offer_over_http(url, shim.offer_for_server(offer))
            return shim.answer_for_client(answer)

        await caller.connect(answer_to)
        caller.camera.begin()
        if plan.enable is not None:
            await caller.enable(plan.enable)
        set_aside()  # a browser, too, never stops to look through all that Python has loaded
        begin = time.perf_counter() + WARM_UP_S
        trouble = SCENARIOS[plan.scenario](begin, plan.seconds, plan.seed, shim.types)
        way = shim.ways[plan.direction]
        way.policy = trouble.policy
        for moment in trouble.key_moments:
            await _until(moment)
            if plan.direction == "uplink":
                caller.send_key_frame()
            elif way.video_ssrc is not None:
                await caller.ask_for_key_frame(way.video_ssrc)
        end = begin + plan.seconds
        await _until(end + AFTER_S)
    finally:
        await caller.close()
        shim.close()
    back = shim.ways["downlink" if plan.direction == "uplink" else "uplink"].passed
    events = _events(trouble, way.passed, end)
    return Run(begin, end, plan.fps, caller.camera.given, caller.shown, events, way.passed, back)


def _events(trouble: Trouble, passed: Sequence[Passage], end: float) -> list[float]:
    if trouble.events is not None:
        return [at for at in trouble.events if at < end]
    hit = [p.at for p in passed if p.kind == "video" and (p.extra_s is LOST or p.extra_s > 0)]
    return [at for at in hit if at < end]


async def _until(moment: float) -> None:
    await asyncio.sleep(max(moment - time.perf_counter(), 0))
