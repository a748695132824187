"""Push-to-talk: what is said while the button is held is carried out, and nothing else is heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_retouch.errors import SpeechError
from stream_retouch.language.endpointer import SAMPLE_HZ
from stream_retouch.metrics import Metrics
from stream_retouch.service.listening import COULD_NOT, NO_MICROPHONE, NOTHING_CAME, TOO_FAST
from stream_retouch.service.sessions import Sessions
from stream_retouch.settings import Settings
from tests.service.fakes import OFFER, FakePeer, FakeRetoucher, FakeTranscriber, parts

WORDS = "remove the spots"


def voice(seconds: float) -> NDArray[np.int16]:
    """Somebody says something: loud and silent in turn."""
    at = np.arange(round(seconds * SAMPLE_HZ))
    loud = np.where(at % SAMPLE_HZ < SAMPLE_HZ * 0.7, 6000, 4)
    return np.rint(loud * np.sin(at * 0.3)).astype(np.int16)


def speak(peer: FakePeer, samples: NDArray[np.int16]) -> None:
    """Sends samples as long as somebody listens."""
    for i in range(0, len(samples), 320):
        if peer.listener is not None:
            peer.listener(samples[i : i + 320])


@asynccontextmanager
async def session(
    transcriber: FakeTranscriber | None, has_audio: bool = True
) -> AsyncIterator[FakePeer]:
    """A session that has a microphone."""
    peer = FakePeer()
    peer.has_audio = has_audio
    sessions = Sessions(
        Settings(frame_budget_ms=1000), Metrics(), lambda: peer, lambda _: FakeRetoucher()
    )
    sessions.start()
    await sessions.open(OFFER, parts(transcriber=transcriber))
    try:
        yield peer
    finally:
        await sessions.close()


def spoken(
    test: Callable[[FakePeer], Awaitable[None]],
    transcriber: FakeTranscriber | None,
    has_audio: bool = True,
) -> None:
    """Runs a test in a session; no task may be left."""

    async def main() -> None:
        async with session(transcriber, has_audio) as peer:
            await test(peer)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_what_is_said_while_the_button_is_held_is_carried_out() -> None:
    async def test(peer: FakePeer) -> None:
        peer.say(type="listen", id="a", value=True)
        assert (await peer.told_next("ack", "rejected"))["type"] == "ack"
        speak(peer, voice(0.9))
        peer.say(type="listen", id="b", value=False)
        speak(peer, voice(2))
        final = await peer.told_next("heard")
        assert final == {"type": "heard", "text": WORDS, "final": True}
        plan = await peer.told_next("plan")
        assert plan["id"] == "a" and plan["spoken"] is True
        assert plan["plan"]["edits"][0]["category"] == "spot"
        assert peer.listener is None

    spoken(test, FakeTranscriber(WORDS))


def test_a_typed_instruction_is_not_called_spoken() -> None:
    async def test(peer: FakePeer) -> None:
        peer.say(type="instruct", id="a", text=WORDS)
        assert "spoken" not in await peer.told_next("plan")

    spoken(test, FakeTranscriber(WORDS))


def test_spoken_words_that_are_rejected_say_that_they_were_spoken() -> None:
    async def test(peer: FakePeer) -> None:
        peer.say(type="listen", id="a", value=True)
        speak(peer, voice(0.9))
        peer.say(type="listen", value=False)
        speak(peer, voice(2))
        rejected = await peer.told_next("rejected")
        assert rejected["id"] == "a" and rejected["spoken"] is True

    spoken(test, FakeTranscriber("a pizza please"))


def test_a_first_guess_is_told_while_the_button_is_held() -> None:
    async def test(peer: FakePeer) -> None:
        peer.say(type="listen", value=True)
        speak(peer, voice(1.2))
        guess = await peer.told_next("heard")
        assert guess == {"type": "heard", "text": "remove", "final": False}
        peer.say(type="listen", value=False)
        speak(peer, voice(2))
        assert (await peer.told_next("heard"))["final"] is True

    spoken(test, FakeTranscriber("remove", WORDS))


def test_nothing_is_heard_while_the_button_is_not_held() -> None:
    transcriber = FakeTranscriber(WORDS)

    async def test(peer: FakePeer) -> None:
        speak(peer, voice(3))
        peer.say(type="listen", value=False)
        speak(peer, voice(3))
        peer.say(type="state")
        await peer.told_next("state")
        assert peer.listener is None and not transcriber.heard

    spoken(test, transcriber)


def test_an_utterance_ends_at_its_greatest_length() -> None:
    transcriber = FakeTranscriber(WORDS)

    async def test(peer: FakePeer) -> None:
        peer.say(type="listen", value=True)
        speak(peer, voice(25))
        assert peer.listener is None
        while not (await peer.told_next("heard"))["final"]:
            pass
        assert max(transcriber.heard) == 20 * SAMPLE_HZ

    spoken(test, transcriber)


def test_silence_gives_empty_words_and_no_instruction() -> None:
    transcriber = FakeTranscriber(WORDS)

    async def test(peer: FakePeer) -> None:
        peer.say(type="listen", value=True)
        speak(peer, np.zeros(SAMPLE_HZ, np.int16))
        peer.say(type="listen", value=False)
        speak(peer, np.zeros(SAMPLE_HZ, np.int16))
        assert await peer.told_next("heard") == {"type": "heard", "text": "", "final": True}
        assert not transcriber.heard

    spoken(test, transcriber)


def test_a_microphone_that_dies_is_told_without_waiting_for_ever() -> None:
    async def test(peer: FakePeer) -> None:
        peer.say(type="listen", id="a", value=True)
        peer.say(type="listen", value=False)
        rejected = await peer.told_next("rejected")
        assert rejected == {"type": "rejected", "id": "a", "reason": NOTHING_CAME, "spoken": True}

    spoken(test, FakeTranscriber(WORDS))


@pytest.mark.parametrize("value", [True, False])
def test_without_a_microphone_or_a_recogniser_it_is_rejected(value: bool) -> None:
    async def no_microphone(peer: FakePeer) -> None:
        peer.say(type="listen", id="a", value=value)
        assert (await peer.told_next("ack", "rejected"))["reason"] == NO_MICROPHONE

    async def no_recogniser(peer: FakePeer) -> None:
        peer.say(type="listen", id="a", value=value)
        answer = await peer.told_next("ack", "rejected")
        assert answer["id"] == "a" and answer["reason"].endswith("--speech auto")

    spoken(no_microphone, FakeTranscriber(WORDS), has_audio=False)
    spoken(no_recogniser, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(SpeechError("it is broken; mend it"), "it is broken; mend it"), (ValueError("my secret"), COULD_NOT)],
)  # fmt: skip
def test_a_recogniser_that_fails_is_told_and_what_was_said_is_not_logged(
    error: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    transcriber = FakeTranscriber(WORDS)
    transcriber.error = error

    async def test(peer: FakePeer) -> None:
        peer.say(type="listen", id="a", value=True)
        speak(peer, voice(0.9))
        peer.say(type="listen", value=False)
        speak(peer, voice(2))
        assert (await peer.told_next("rejected"))["reason"] == reason

    with caplog.at_level(logging.INFO):
        spoken(test, transcriber)
    assert "secret" not in caplog.text and WORDS not in caplog.text


def test_pressing_again_at_once_loses_nothing() -> None:
    async def test(peer: FakePeer) -> None:
        for name in ("a", "b"):
            peer.say(type="listen", id=name, value=True)
            speak(peer, voice(0.9))
            peer.say(type="listen", value=False)
        assert (await peer.told_next("heard"))["text"] == WORDS
        speak(peer, voice(2))
        assert (await peer.told_next("heard"))["text"] == "keep my mole"

    spoken(test, FakeTranscriber(WORDS, "keep my mole"))


def test_a_third_utterance_waits_until_one_of_two_is_recognised() -> None:
    transcriber = FakeTranscriber(WORDS)
    transcriber.gate.clear()

    async def test(peer: FakePeer) -> None:
        for _ in range(2):
            peer.say(type="listen", value=True)
            speak(peer, voice(0.9))
            peer.say(type="listen", value=False)
            speak(peer, voice(2))
        peer.say(type="listen", value=True)
        assert (await peer.told_next("rejected"))["reason"] == TOO_FAST
        transcriber.gate.set()
        assert (await peer.told_next("heard"))["final"] is True

    spoken(test, transcriber)


def test_a_session_that_ends_while_it_listens_leaves_nothing() -> None:
    transcriber = FakeTranscriber(WORDS)

    async def test(peer: FakePeer) -> None:
        peer.say(type="listen", value=True)
        speak(peer, voice(1.2))

    spoken(test, transcriber)
