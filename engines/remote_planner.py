"""RemotePlanner: any endpoint that speaks the OpenAI chat protocol (vLLM, Ollama, a vendor's) reads the turn.

It is asked for a program in JSON (`engines.asked`), by a schema that many servers ignore without saying so (vLLM
dropped ``guided_json`` in 0.12). So every answer is checked, and what is late, broken or no program makes way for the
planner that ships. Video does not wait: the plan is made in the instruction thread.
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.error
import urllib.request
from typing import Any

from engines.asked import SCHEMA, TASK, checked, question
from stream_retouch.engine import Planner
from stream_retouch.errors import SettingsError
from stream_retouch.language.grammar import answered, needs_a_model
from stream_retouch.language.plan import Dialogue, InstructionPlan
from stream_retouch.language.program import Op, reading

logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0
"""From the question to the whole answer."""
MOST_BYTES = 65_536


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: words and key go where the user said, and nowhere else."""

    def redirect_request(self, *args: Any) -> None:
        return None


_opener = urllib.request.build_opener(_Stays)


class RemotePlanner:
    """Implements `stream_retouch.engine.Planner`."""

    def __init__(
        self, url: str, model: str, fallback: Planner, key: str = "", timeout_s: float = TIMEOUT_S
    ) -> None:
        """
        Args:
            url: of the API, up to and with ``/v1``.
            model: as the endpoint names it.
            fallback: answers when the endpoint does not.
            key: sent as a bearer token; empty for none.

        Raises:
            SettingsError: the URL is none of HTTP.
        """
        if not url.startswith(("http://", "https://")):
            raise SettingsError(
                f"the planner's address {url!r} is no URL; write http://host:port/v1"
            )
        self._url, self._model, self._fallback = url.rstrip("/"), model, fallback
        self._key, self._timeout_s = key, timeout_s

    def plan(self, text: str, dialogue: Dialogue) -> tuple[InstructionPlan, str]:
        """The whole look wanted after this turn, and one sentence that says what was understood."""
        if not needs_a_model(text):
            return self._fallback.plan(text, dialogue)
        ops = self._ops(text, dialogue)
        if ops is None:
            return self._fallback.plan(text, dialogue)
        return answered(reading(ops), dialogue)

    def _ops(self, text: str, dialogue: Dialogue) -> tuple[Op, ...] | None:
        """What the endpoint wrote, None if it is late or wrong. A thread that hangs is left behind."""
        found: list[tuple[Op, ...]] = []
        asking = threading.Thread(
            target=self._ask, args=(self._question(text, dialogue), found), daemon=True
        )
        asking.start()
        asking.join(self._timeout_s)
        if not found and asking.is_alive():
            logger.warning(
                "the planner's endpoint took more than %.1f s; the own planner speaks",
                self._timeout_s,
            )
        return found[0] if found else None

    def _question(self, text: str, dialogue: Dialogue) -> bytes:
        return json.dumps(
            {
                "model": self._model,
                "temperature": 0,
                "max_tokens": 600,
                "messages": [
                    {"role": "system", "content": TASK},
                    {"role": "user", "content": question(text, dialogue)},
                ],
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "program", "strict": True, "schema": SCHEMA},
                },
            }
        ).encode()

    def _ask(self, body: bytes, found: list[tuple[Op, ...]]) -> None:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self._url}/chat/completions", body, headers)
        try:
            with _opener.open(request, timeout=self._timeout_s) as response:
                answer = response.read(MOST_BYTES + 1)
            if len(answer) > MOST_BYTES:
                raise ValueError("its answer is too long")
            content = json.loads(answer)["choices"][0]["message"]["content"]
            found.append(checked(json.loads(content)))
        except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError) as problem:
            # what was said may stand in the answer: only the kind of fault is told
            logger.warning(
                "the planner's endpoint gave no program (%s); the own planner speaks",
                type(problem).__name__,
            )
            logger.debug("the planner's endpoint", exc_info=True)
