"""Stand-ins for what a session talks to. They implement the Protocols."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import (
    CROP_SIZE,
    LAYER_SIZE,
    REQUEST_CHANNELS,
    REQUEST_SIZE,
    Conditioning,
    CropLandmarks,
    EditLayer,
    FaceBox,
)
from stream_retouch.errors import SdpError
from stream_retouch.language.plan import Dialogue, Edit, InstructionPlan
from stream_retouch.latest import Latest
from stream_retouch.media.faces import Face
from stream_retouch.media.frames import picture_of
from stream_retouch.media.retouch import Job, Look, Retouched
from stream_retouch.metrics import Stage, TransportCount
from stream_retouch.service.parts import Parts, neutral

PATIENCE_S = 30.0
"""How long a test waits for something that must happen before it fails."""
OFFER = "v=0\r\ns=-\r\n"


def until(condition: Callable[[], bool]) -> None:
    """Waits for what other threads must do; fails when they never do."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


def frame_at(index: int) -> av.VideoFrame:
    """A small picture whose pts is `index` thirtieths of a second."""
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts, frame.time_base = index, Fraction(1, 30)
    return frame


def face(face_id: int) -> Face:
    """A face that is nowhere in particular."""
    return Face(
        id=face_id,
        transform=np.eye(2, 3),
        landmarks=np.zeros((1, 2), np.float32),
        regions=np.zeros((12, REQUEST_SIZE, REQUEST_SIZE), np.float32),
    )


class FakeFinder:
    """Finds nothing."""

    def find(self, luma: NDArray[np.uint8]) -> list[FaceBox]:
        return []

    def landmarks(self, crops: NDArray[np.uint8]) -> CropLandmarks:
        n = len(crops)
        nothing = np.zeros((n, 1), np.float32)
        return CropLandmarks(np.zeros((n, 1, 2), np.float32), nothing[:, 0], nothing)


class FakeEngine:
    """Answers neutral edits; can be held, or told to raise."""

    name = "fake"
    crop_size = CROP_SIZE
    calls_at_once = crops_at_once = cores_per_call = 1

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.error: Exception | None = None
        self.on_call: Callable[[], None] = lambda: None
        self.seen: list[int] = []
        self.overlaps = 0
        self.closed = 0
        self._busy = threading.Lock()

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        if not self._busy.acquire(blocking=False):
            self.overlaps += 1
        try:
            self.seen.append(int(crops[0, 0, 0, 0]))
            self.entered.release()
            assert self.gate.wait(PATIENCE_S)
            self.on_call()
            if self.error is not None:
                raise self.error
            codes = np.zeros((4, LAYER_SIZE, LAYER_SIZE), np.uint8)
            mask = np.zeros((LAYER_SIZE, LAYER_SIZE), np.uint8)
            return [EditLayer(codes, mask, 128.0) for _ in crops]
        finally:
            if self._busy.locked():
                self._busy.release()

    def close(self) -> None:
        self.closed += 1


class FakeConditioner:
    """Gives a conditioning whose f_txt[0] counts its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[InstructionPlan, int | None]] = []
        self.agrees = True

    def prepare(self, plan: InstructionPlan, key_crop: NDArray[np.uint8] | None) -> Conditioning:
        self.calls.append((plan, None if key_crop is None else int(key_crop[0, 0, 0])))
        base = neutral()
        text = base.f_txt.copy()
        text[0] = len(self.calls)
        return Conditioning(text, base.alpha, base.beta, base.gamma, self.agrees)


class FakePlanner:
    """Knows "spots" and "freckles", rejects a pizza, and can be held or told to raise."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.error: Exception | None = None

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        self.entered.release()
        assert self.gate.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        if "pizza" in text:
            return InstructionPlan(
                dialogue.look.edits, dialogue.look.keep, "reject"
            ), "No pizza here."
        kind = "freckle" if "freckles" in text else "spot"
        return InstructionPlan(
            (*dialogue.look.edits, Edit(kind, ("face",), 0.8)), ()
        ), f"Less {kind}."


class FakeTranscriber:
    """Hears the words it was told, once per utterance; can be held or told to raise."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.heard: list[int] = []
        """Length of each utterance, samples."""
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        self.heard.append(len(samples))
        assert self.gate.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]


class FakeRetoucher:
    """Sees the faces it is told to see; a retouched frame is a new one with the same pts."""

    def __init__(self, *face_ids: int) -> None:
        self.seen = [face(i) for i in face_ids]
        self.hidden: set[int] = set()
        """Known, but behind a hand: no crop can be taken."""
        self.error: Exception | None = None
        self.answers: list[list[int]] = []
        self.asked: list[int] = []
        self.prepared: list[int] = []
        self.looked: list[int] = []
        """The newest frame at each search for newcomers."""
        self._edited = False
        self._shown = 0

    def prepare(self, frame: av.VideoFrame, look: Look) -> Job:
        if self.error is not None:
            raise self.error
        count, index = len(self.seen), frame.pts or 0
        self.prepared.append(index)
        return Job(
            frame=frame,
            picture=picture_of(frame),
            pts_s=index / 30,
            look=look,
            faces=list(self.seen),
            known=frozenset(face.id for face in self.seen),
            subjects=list(self.seen),
            crops=np.full((count, CROP_SIZE, CROP_SIZE, 3), index % 256, np.uint8),
            requests=np.zeros((count, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE), np.float32),
            conditionings=[look.default] * count,
        )

    def look_around(self) -> None:
        self.looked.append(self.prepared[-1])

    def meanwhile(self, job: Job) -> None:
        self.asked.append(job.frame.pts or 0)

    def finish(self, job: Job, answers: Sequence[tuple[Job, list[EditLayer]]]) -> Retouched:
        self.answers.append([asked.frame.pts or 0 for asked, _ in answers])
        fresh = not job.faces or any(asked is job for asked, _ in answers)
        self._edited = self._edited or bool(answers)
        applied = job.look.version if fresh and job.look.version > self._shown else None
        self._shown = applied or self._shown
        return Retouched(
            frame=frame_at(job.frame.pts or 0),
            fresh=fresh,
            reused=0 if fresh or not self._edited else len(job.faces),
            faces=len(job.faces),
            applied=applied,
        )

    def key_crop(self, face_id: int | None) -> NDArray[np.uint8] | None:
        ids = [seen.id for seen in self.seen if seen.id not in self.hidden]
        if not ids or (face_id is not None and face_id not in ids):
            return None
        return np.full((CROP_SIZE, CROP_SIZE, 3), ids[0] if face_id is None else face_id, np.uint8)

    def faces(self) -> list[Face]:
        return list(self.seen)


class FakePeer:
    """A peer whose browser is the test."""

    def __init__(self) -> None:
        self.frames: Latest[av.VideoFrame] = Latest()
        self.on_open: Callable[[], None] | None = None
        self.on_message: Callable[[str], None] | None = None
        self.on_closed: Callable[[], None] | None = None
        self.on_stalled: Callable[[bool], None] | None = None
        self.dropped_out = 0
        self.added_ms: tuple[float, ...] = ()
        self.out: queue.Queue[av.VideoFrame] = queue.Queue()
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed = 0
        self.error: Exception | None = None
        self.has_audio = False
        self.listener: Callable[[NDArray[np.int16]], None] | None = None
        self.waiting = 0
        self.counts: dict[TransportCount, float] = {}
        self.stages: dict[Stage, list[float]] = {}

    def transport_counts(self) -> dict[TransportCount, float]:
        return self.counts

    def take_stage_seconds(self) -> dict[Stage, list[float]]:
        taken, self.stages = self.stages, {}
        return taken

    def listen(self, listener: Callable[[NDArray[np.int16]], None] | None) -> None:
        self.listener = listener

    @property
    def sent(self) -> int:
        return len(self.added_ms)

    def send(self, frame: av.VideoFrame) -> None:
        self.out.put(frame)

    async def answer(self, offer_sdp: str) -> str:
        if self.error is not None:
            raise self.error
        if not offer_sdp.startswith("v=0"):
            raise SdpError("the offer is not SDP; send what createOffer() gave")
        return OFFER.replace("s=-", "s=answer")

    def send_message(self, text: str) -> bool:
        self.told.put_nowait(json.loads(text))
        return True

    async def close(self) -> None:
        self.closed += 1
        self.frames.close()

    # What a test does as the browser.

    def say(self, **message: object) -> None:
        """Sends a control message over the data channel."""
        assert self.on_message is not None
        self.on_message(json.dumps(message))

    async def told_next(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of these types; others, such as stats, are skipped."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await self.told.get()
                if message["type"] in kinds:
                    return message


def parts(
    engine: FakeEngine | None = None,
    conditioner: FakeConditioner | None = None,
    planner: FakePlanner | None = None,
    transcriber: FakeTranscriber | None = None,
) -> Parts:
    """Parts of fakes."""
    return Parts(
        transcriber=transcriber,
        engine=engine or FakeEngine(),
        finder=FakeFinder,
        conditioner=conditioner or FakeConditioner(),
        planner=planner or FakePlanner(),
    )
