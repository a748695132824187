"""LocalPlanner: a larger language model from a folder of this machine reads the turn, of the user's own choice.

It answers with a program in JSON (`engines.asked`). It may take its time, as its user knows how slow it is; but what is
late, broken or no program makes way for the planner that ships. Video does not wait: the plan is made in the
instruction thread.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from engines.asked import TASK, checked, question
from engines.chat_model import MOST_TOKENS, ChatModel
from stream_retouch.engine import Planner
from stream_retouch.language.grammar import answered, needs_a_model
from stream_retouch.language.plan import Dialogue, InstructionPlan
from stream_retouch.language.program import Op, reading

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""From the question to the whole answer; looked at after each token."""
BEGINNING = '{"ops":'
"""Put into the model's mouth, so that it neither greets nor thinks aloud."""


class Chat(Protocol):
    """What answers a question: `engines.chat_model.ChatModel`."""

    def answer(self, question: str, enough: Callable[[str], bool]) -> str:
        """What it says, at most until `enough` is True of it."""
        ...


class LocalPlanner:
    """Implements `stream_retouch.engine.Planner`. May be called from several threads; they take turns."""

    def __init__(
        self,
        chat: Chat,
        fallback: Planner,
        timeout_s: float = TIMEOUT_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            fallback: answers when the model does not.
            timeout_s: for one turn, other threads' turns before it included.
            now: the clock, in seconds.
        """
        self._chat, self._fallback = chat, fallback
        self._timeout_s, self._now = timeout_s, now
        self._turn = threading.Lock()

    @classmethod
    def load(
        cls,
        folder: Path,
        fallback: Planner,
        most_tokens: int = MOST_TOKENS,
        timeout_s: float = TIMEOUT_S,
    ) -> LocalPlanner:
        """The planner with the model of a folder.

        Raises:
            WeightsError: there is no such folder, or no causal language model in it.
        """
        return cls(ChatModel.load(folder, TASK, BEGINNING, most_tokens), fallback, timeout_s)

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        """The whole look wanted after this turn, and one sentence that says what was understood."""
        if not needs_a_model(text):
            return self._fallback.plan(text, dialogue)
        ops = self._ops(question(text, dialogue))
        if ops is None:
            return self._fallback.plan(text, dialogue)
        return answered(reading(ops), dialogue)

    def _ops(self, asked: str) -> tuple[Op, ...] | None:
        """What the model wrote, None if it is late or wrong."""
        end = self._now() + self._timeout_s
        try:
            if not self._turn.acquire(timeout=self._timeout_s):
                raise TimeoutError("others are before this one; give it more time")
            try:
                said = self._chat.answer(
                    asked, lambda so_far: bool(first_object(so_far)) or self._now() >= end
                )
            finally:
                self._turn.release()
            whole = first_object(said)
            if not whole and self._now() >= end:
                raise TimeoutError("it did not end; give it more time")
            return checked(json.loads(whole))
        except Exception as problem:  # a model of any make breaks in any way there is
            # what was said may stand in the answer: only the kind of fault is told
            logger.warning(
                "the planner's model gave no program (%s); the own planner speaks",
                type(problem).__name__,
            )
            logger.debug("the planner's model", exc_info=True)
            return None


def first_object(text: str) -> str:
    """The first JSON object in a text, from its brace to the one that closes it; empty while there is none."""
    start = text.find("{")
    depth, quoted, escaped = 0, False, False
    for at, letter in enumerate(text[start:] if start >= 0 else ""):
        if escaped:
            escaped = False
        elif quoted and letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += (letter in "{[") - (letter in "}]")
            if depth == 0:
                return text[start : start + at + 1]
    return ""
