"""The control messages: JSON text, the same on the data channel ``control`` and on ``/ws``.

Whatever a peer sends is answered; nothing it sends raises. A message is an object with a ``type``,
and an ``id`` of the sender's choice that the answer repeats.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass

from stream_retouch.language.plan import InstructionPlan, plan_from_json, plan_to_json
from stream_retouch.media.retouch import Look
from stream_retouch.service.resume import KEEP_S, Ticket
from stream_retouch.settings import Settings

KNOWN_TYPES = ("instruct", "strength", "enable", "overlay", "state", "set_plan", "listen")
MAX_ID_CHARS = 100
OUTBOX_MESSAGES = 64
"""Messages that may wait for one WebSocket; one that reads slower is cut off rather than waited
for."""


@dataclass(frozen=True, slots=True)
class Instruct:
    """Change the look by words."""

    id: str | None
    text: str
    spoken: bool = False
    """Whether it was said, not typed."""


@dataclass(frozen=True, slots=True)
class Strength:
    """Scale the whole edit, 0..1."""

    id: str | None
    value: float


@dataclass(frozen=True, slots=True)
class Enable:
    """Switch the filter on or off; the look stays."""

    id: str | None
    value: bool


@dataclass(frozen=True, slots=True)
class Overlay:
    """Show or hide the mask over the picture."""

    id: str | None
    value: bool


@dataclass(frozen=True, slots=True)
class AskState:
    """Tell the look that is on, and how the filter does."""

    id: str | None


@dataclass(frozen=True, slots=True)
class SetPlan:
    """Change the look by hand: this plan is the whole look."""

    id: str | None
    plan: InstructionPlan


@dataclass(frozen=True, slots=True)
class Listen:
    """Push-to-talk: listen while it is true."""

    id: str | None
    value: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that could not be taken, and why, ending with what would be right."""

    id: str | None
    reason: str


Message = Instruct | Strength | Enable | Overlay | AskState | SetPlan | Listen
Answer = dict[str, object]
"""A message to the client, before it becomes JSON."""


def parse(text: str, settings: Settings) -> Message | Refusal:
    """What a client said. Never raises, whatever the text."""
    if len(text) > settings.max_message_bytes or len(_bytes(text)) > settings.max_message_bytes:
        return Refusal(None, f"a message may have at most {settings.max_message_bytes} bytes")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):  # RecursionError: a thousand brackets
        return Refusal(None, 'a message must be JSON like {"type":"instruct","text":"..."}')
    if not isinstance(body, dict):
        return Refusal(None, 'a message must be a JSON object like {"type":"state"}')
    said_id = body.get("id")
    if said_id is not None and not (isinstance(said_id, str) and len(said_id) <= MAX_ID_CHARS):
        return Refusal(None, f"id must be a text of at most {MAX_ID_CHARS} characters")
    return _typed(body, said_id, settings.max_text_chars)


def _typed(body: dict[str, object], said_id: str | None, max_text_chars: int) -> Message | Refusal:
    match body.get("type"):
        case "instruct":
            return _instruct(body.get("text"), said_id, max_text_chars)
        case "strength":
            value = body.get("value")
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
                return Strength(said_id, float(value))
            return Refusal(said_id, "value of strength must be a number from 0 to 1")
        case "enable" | "overlay" | "listen" as kind:
            value = body.get("value")
            if isinstance(value, bool):
                return _SWITCHES[kind](said_id, value)
            return Refusal(said_id, f"value of {kind} must be true or false")
        case "state":
            return AskState(said_id)
        case "set_plan":
            return _set_plan(body.get("plan"), said_id)
        case _:
            return Refusal(said_id, "type must be one of " + ", ".join(KNOWN_TYPES))


_SWITCHES: dict[str, type[Enable] | type[Overlay] | type[Listen]] = {
    "enable": Enable,
    "overlay": Overlay,
    "listen": Listen,
}


def _instruct(text: object, said_id: str | None, max_text_chars: int) -> Instruct | Refusal:
    if not isinstance(text, str) or not text.strip():
        return Refusal(said_id, "text of instruct must say what to change")
    if len(text) > max_text_chars:
        return Refusal(
            said_id,
            f"an instruction may have at most {max_text_chars} characters, "
            f"this one has {len(text)}; say it in fewer words",
        )
    # JSON can carry half a surrogate pair, which is no text: tokenizers raise on it.
    return Instruct(said_id, _bytes(text).decode())


def _set_plan(plan: object, said_id: str | None) -> SetPlan | Refusal:
    if not isinstance(plan, dict):
        return Refusal(said_id, "plan of set_plan must be an object with edits and keep")
    try:
        # What a plan set by hand does is clear; its action is not asked.
        return SetPlan(said_id, plan_from_json({**plan, "action": "apply"}))
    except ValueError as wrong:
        return Refusal(said_id, str(wrong))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def encode(answer: Answer) -> str:
    """The JSON text of a message to the client."""
    return json.dumps(answer, separators=(",", ":"))


def ack(said_id: str | None, version: int) -> Answer:
    """A message was accepted; `version` is that of the look now (an instruction takes effect with
    its ``plan``)."""
    return {"type": "ack", "id": said_id, "version": version}


def error(said_id: str | None, reason: str) -> Answer:
    """A message could not be taken."""
    return {"type": "error", "id": said_id, "reason": reason}


def rejected(said_id: str | None, reason: str) -> Answer:
    """An instruction was understood or not, but the look stays as it was."""
    return {"type": "rejected", "id": said_id, "reason": reason}


def plan(said_id: str | None, version: int, look: InstructionPlan, reply: str) -> Answer:
    """An instruction was carried out; `look` is what is on from `version` on."""
    return {
        "type": "plan",
        "id": said_id,
        "version": version,
        "plan": plan_to_json(look),
        "reply": reply,
    }


def origin(message: Instruct | SetPlan) -> Answer:
    """What the ``plan`` or ``rejected`` of spoken words has besides."""
    return {"spoken": True} if isinstance(message, Instruct) and message.spoken else {}


def heard(text: str, final: bool) -> Answer:
    """What was recognised so far, or in the end: then it is carried out as an instruction."""
    return {"type": "heard", "text": text, "final": final}


def applied(version: int, first_pts_s: float, took_ms: float) -> Answer:
    """The first frame that shows `version` has left: its time in the stream, and how long that
    took."""
    return {
        "type": "applied",
        "version": version,
        "first_pts": round(first_pts_s, 6),
        "took_ms": round(took_ms, 1),
    }


def resume(ticket: Ticket) -> Answer:
    """How to take this session's look over when it is lost, and whether it has one itself."""
    return {
        "type": "resume",
        "token": ticket.token,
        "keep_s": KEEP_S,
        "resumed": ticket.resumed,
        "note": ticket.note,
    }


def video(stalled: bool) -> Answer:
    """No video has come from the client for 3 s, or it goes on."""
    return {"type": "video", "stalled": stalled}


def quality(rung: int, scale: float, note: str) -> Answer:
    """How much is done for each picture from now on, since the machine is overloaded or is so no
    more."""
    return {"type": "quality", "rung": rung, "scale": scale, "note": note}


def state(said_id: str | None, look: Look, reply: str, faces: int, engine: str) -> Answer:
    """The look that is on, and who retouches."""
    return {
        "type": "state",
        "id": said_id,
        "version": look.version,
        "plan": plan_to_json(look.plan),
        "reply": reply,
        "strength": look.strength,
        "enabled": look.enabled,
        "overlay": look.overlay,
        "faces": faces,
        "engine": engine,
        "ready": True,
    }


class Outbox:
    """Messages on their way to one WebSocket. Bounded; belongs to the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self.overflowed = False
        """Whether the reader was too slow and has been cut off."""

    def put(self, text: str) -> None:
        """Leaves a message; closes the outbox when too many wait. Ignored once closed."""
        if self._closed:
            return
        if len(self._waiting) >= OUTBOX_MESSAGES:
            self.overflowed = True
            self._waiting.clear()
            self.close()
            return
        self._waiting.append(text)
        self._changed.set()

    async def get(self) -> str | None:
        """The next message; None once it is closed and empty. One reader at a time; may be
        cancelled."""
        while not self._waiting:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """No more messages. May be called twice."""
        self._closed = True
        self._changed.set()
