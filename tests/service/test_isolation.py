"""Nobody ever sees a frame, a word or an edit that is somebody else's.

Every user has a picture of an own grey with a number in it, own words, and an edit of own strength;
all faces have the same id and the same place, so whatever is kept in the wrong place shows.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import httpx
import numpy as np
from aiortc import RTCSessionDescription
from numpy.typing import NDArray

from benchmarks import barcode
from stream_retouch.engine import CROP_SIZE, Conditioning, EditLayer, FaceBox
from stream_retouch.language.grammar import GrammarPlanner
from stream_retouch.language.plan import Dialogue, Edit, InstructionPlan
from stream_retouch.media.retouch import FrameRetoucher
from stream_retouch.metrics import Metrics
from stream_retouch.service.parts import Parts
from stream_retouch.service.server import create_app
from stream_retouch.service.session import Session
from stream_retouch.service.sessions import Sessions
from stream_retouch.settings import Settings
from tests.fakes import (
    FakeEngine,
    FakeFinder,
    FakeTracker,
    make_conditioning,
    make_face,
    make_layer,
)
from tests.rtc.client import Camera, Client, first, luma_of, picture
from tests.rtc.client import run as run_peers
from tests.service.fakes import OFFER, PATIENCE_S, FakePeer
from tests.service.fakes import FakeConditioner as AnyConditioner

USERS = 6
WIDTH, HEIGHT = 320, 240
MIDDLE = slice(110, 130), slice(150, 170)
BELOW = slice(230, 240)
"""Rows that no edit reaches."""


def grey(user: int) -> int:
    """Luma of a user's picture, limited range."""
    return 60 + 25 * user


def offset(user: int) -> float:
    """What a user's edit adds to the luma, full range."""
    return 40.0 - 16 * user


def amount(user: int) -> float:
    """What a user's words ask for."""
    return (user + 1) / 10


def user_of(luma: float) -> int:
    """Whose picture has that luma."""
    return round((luma - grey(0)) / 25)


class Gossip:
    """Planner, conditioner and engine in one, which remember every mix-up they meet."""

    name = "gossip"
    crop_size = CROP_SIZE
    calls_at_once = crops_at_once = cores_per_call = 1

    def __init__(self) -> None:
        self.mixed: list[str] = []
        self.calls = 0

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        user = int(text.split()[1])
        said = {edit.amount for edit in dialogue.look.edits}
        if said - {amount(user)}:
            self.mixed.append(f"user {user} has the dialogue of {said}")
        return InstructionPlan((Edit("spot", ("face",), amount(user)),)), f"for user {user}"

    def prepare(self, plan: InstructionPlan, key_crop: NDArray[np.uint8] | None) -> Conditioning:
        user = round(plan.edits[0].amount * 10) - 1
        if key_crop is not None and self._seen(key_crop) != user:
            self.mixed.append(f"user {user} has the face of {self._seen(key_crop)}")
        return make_conditioning(float(user))

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        layers = []
        for crop, request, conditioning in zip(crops, requests, conditionings, strict=True):
            self.calls += 1
            user, words = self._seen(crop), int(conditioning.f_txt[0])
            if user != words or abs(request.max() - amount(user)) > 1e-6:
                self.mixed.append(f"the face of user {user} is retouched for user {words}")
            layers.append(make_layer(offset=offset(words)))
        return layers

    def close(self) -> None:
        pass

    @staticmethod
    def _seen(crop: NDArray[np.uint8]) -> int:
        full = float(crop[CROP_SIZE // 2, CROP_SIZE // 2].mean())
        return user_of(16 + full * 219 / 255)


def frame_of(user: int, number: int) -> av.VideoFrame:
    """A user's picture with a number in its upper edge."""
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    luma = np.full((HEIGHT, WIDTH), grey(user), np.uint8)
    barcode.paint(luma, number)
    for plane, values in zip(frame.planes, (luma, *2 * [np.full((120, 160), 128)]), strict=True):
        rows = np.full((plane.height, plane.line_size), 16, np.uint8)
        rows[: plane.height, : plane.width] = values
        plane.update(rows.tobytes())
    frame.pts, frame.time_base = 3000 * number, Fraction(1, 90_000)
    return frame


class Street:
    """A service with one user at every door; each has frames of their own numbers."""

    def __init__(self) -> None:
        self.gossip = Gossip()
        self.parts = Parts(self.gossip, FakeFinder, self.gossip, self.gossip)
        self.sessions = Sessions(
            Settings(frame_budget_ms=1000),
            Metrics(),
            self._make_peer,
            lambda finder: FrameRetoucher(finder, tracker=FakeTracker([make_face(0)]), fade_s=0),
            cores=math.inf,
        )
        self._peers: list[FakePeer] = []
        self.homes: dict[int, tuple[Session, FakePeer]] = {}
        self.dressed: set[int] = set()
        self.number = 0

    def _make_peer(self) -> FakePeer:
        self._peers.append(FakePeer())
        return self._peers[-1]

    async def enter(self, user: int) -> None:
        """The user comes, or comes back as a stranger."""
        session, _ = await self.sessions.open(OFFER, self.parts)
        self.homes[user] = session, self._peers[-1]
        self.dressed.discard(user)

    async def leave(self, user: int) -> None:
        await self.sessions.end(self.homes[user][0].id)

    async def speak(self, user: int) -> None:
        """The user says the same thing as ever, and hears of nobody else."""
        _, peer = self.homes[user]
        peer.say(type="instruct", id=f"{user}", text=f"user {user} says so")
        told = await peer.told_next("plan", "rejected")
        assert (told["id"], told["reply"]) == (f"{user}", f"for user {user}")
        assert {edit["amount"] for edit in told["plan"]["edits"]} == {amount(user)}
        self.dressed.add(user)

    async def look(self) -> None:
        """Everybody's next frame, all at once; each must come back as its own."""
        self.number += 1
        numbers = {user: 100_000 * (user + 1) + self.number for user in self.homes}
        for user, (_, peer) in self.homes.items():
            peer.frames.put(frame_of(user, numbers[user]))
        for user, (_, peer) in self.homes.items():
            out = await asyncio.to_thread(peer.out.get, timeout=PATIENCE_S)
            luma = luma_of(out)
            assert barcode.read(luma) == numbers[user]
            assert set(luma[BELOW].flat) == {grey(user)}
            edit = offset(user) * 219 / 255 if user in self.dressed else 0.0
            assert abs(float(luma[MIDDLE].mean()) - grey(user) - edit) <= 1.5, user


def test_frames_words_and_edits_stay_with_their_users_while_others_come_and_go() -> None:
    async def main() -> None:
        street = Street()
        street.sessions.start()
        for user in range(USERS):
            await street.enter(user)
        for turn in range(12):
            await street.look()
            await street.speak(turn % USERS)
            await asyncio.gather(*(street.speak(u) for u in range(USERS) if u % 3 == turn % 3))
            await street.look()
            gone = (turn + 3) % USERS
            await street.leave(gone)
            await street.enter(gone)
        assert street.gossip.mixed == []
        assert street.gossip.calls > 70
        await street.sessions.close()

    before = set(threading.enumerate())
    asyncio.run(main())
    assert set(threading.enumerate()) <= before


def test_a_mix_up_would_be_seen() -> None:
    async def main() -> None:
        street = Street()
        street.sessions.start()
        await street.enter(0)
        await street.enter(1)
        await street.look()
        await street.speak(0)
        await street.speak(1)
        one, other = (street.homes[user][0] for user in (0, 1))
        one.look = replace(other.look, version=one.look.version + 1)
        failed = False
        try:
            await street.look()
        except AssertionError:
            failed = True
        assert failed and street.gossip.mixed
        await street.sessions.close()

    asyncio.run(main())


class GreyCamera(Camera):
    """Pictures of one luma."""

    def __init__(self, luma: int) -> None:
        super().__init__()
        self._luma = luma

    async def recv(self) -> av.VideoFrame:
        frame = await super().recv()
        return picture(frame.width, frame.height, frame.pts or 0, self._luma)


class GreyClient(Client):
    """A browser whose camera shows one grey."""

    def __init__(self, luma: int) -> None:
        super().__init__()
        self.luma = luma
        self.pc.getSenders()[0].replaceTrack(GreyCamera(luma))

    def own(self, frame: av.VideoFrame) -> bool:
        """Whether a returned frame is of this camera, by what no edit reaches."""
        return abs(float(luma_of(frame)[200:].mean()) - self.luma - 2.5) < 8

    async def says(self, **message: Any) -> None:
        """Says something and waits for what comes of it."""
        self.channel.send(json.dumps(message))
        await first(self.messages, lambda text: json.loads(text)["type"] in ("applied", "ack"))


def test_three_browsers_at_once_get_their_own_pictures_and_only_one_is_retouched() -> None:
    async def main() -> None:
        face = FaceBox(110, 70, 210, 170)
        engine = FakeEngine(make_layer(offset=-40))
        parts = Parts(engine, lambda: FakeFinder([face]), AnyConditioner(), GrammarPlanner())
        app = create_app(Settings(frame_budget_ms=500), parts, cores=math.inf)
        clients = [GreyClient(luma) for luma in (80, 140, 200)]
        web = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080"
        )
        async with app.router.lifespan_context(app), web:
            for client in clients:
                answer = await web.post(
                    "/session",
                    content=await client.offer(),
                    headers={"Content-Type": "application/sdp"},
                )
                assert answer.status_code == 201, answer.text
                described = RTCSessionDescription(answer.text, "answer")
                await client.pc.setRemoteDescription(described)
            await asyncio.gather(*(client.opened.wait() for client in clients))
            await clients[1].says(type="instruct", text="remove all blemishes")
            darker = lambda frame: luma_of(frame)[110:130, 150:170].mean() < 120  # noqa: E731
            await first(clients[1].returned, darker)
            for client in clients:
                for _ in range(client.returned.qsize() + 5):
                    frame = await client.returned.get()
                    assert client.own(frame)
                    if client is not clients[1]:
                        middle = float(luma_of(frame)[110:130, 150:170].mean())
                        assert abs(middle - client.luma - 2.5) < 8
            await asyncio.gather(*(client.close() for client in clients))

    run_peers(main)
