"""Where a spoken instruction begins and ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_retouch.language.endpointer import HUSH_S, SAMPLE_HZ, TAIL_S, Endpointer

BLOCK = SAMPLE_HZ // 50


def sound(seconds: float, rms: float = 3000.0) -> NDArray[np.int16]:
    """A tone."""
    at = np.arange(round(seconds * SAMPLE_HZ))
    return np.rint(rms * 2**0.5 * np.sin(at * 0.3)).astype(np.int16)


def pushed(ear: Endpointer, samples: NDArray[np.int16]) -> NDArray[np.int16] | None:
    """What pushing the samples block by block gives first."""
    for i in range(0, len(samples), BLOCK):
        whole = ear.push(samples[i : i + BLOCK])
        if whole is not None:
            return whole
    return None


def test_nothing_is_collected_while_the_button_is_not_held() -> None:
    ear = Endpointer()
    assert pushed(ear, sound(2)) is None
    assert not ear.collecting and ear.seconds == 0


def test_an_utterance_ends_when_the_voice_falls_silent_after_the_release() -> None:
    ear = Endpointer()
    ear.press()
    assert pushed(ear, np.concatenate((sound(0.3, 5), sound(1)))) is None
    ear.release()
    whole = pushed(ear, np.concatenate((sound(0.2), sound(1, 5))))
    assert whole is not None
    assert 1.5 + HUSH_S <= len(whole) / SAMPLE_HZ + 1e-6 <= 1.5 + HUSH_S + 0.05


def test_the_tail_is_bounded_when_the_voice_goes_on() -> None:
    ear = Endpointer()
    ear.press()
    pushed(ear, np.concatenate((sound(0.3, 5), sound(1))))
    ear.release()
    whole = pushed(ear, sound(3))
    assert whole is not None and abs(len(whole) / SAMPLE_HZ - 1.3 - TAIL_S) < 0.03


def test_a_pause_while_the_button_is_held_ends_nothing() -> None:
    ear = Endpointer()
    ear.press()
    assert pushed(ear, np.concatenate((sound(1), sound(3, 5), sound(1)))) is None
    assert ear.collecting


def test_an_utterance_has_a_greatest_length() -> None:
    ear = Endpointer(max_s=2)
    ear.press()
    whole = pushed(ear, np.concatenate((sound(0.5, 5), sound(5))))
    assert whole is not None and len(whole) == 2 * SAMPLE_HZ
    assert not ear.collecting


def test_silence_is_an_empty_utterance() -> None:
    ear = Endpointer()
    ear.press()
    pushed(ear, sound(1, 10))
    whole = ear.finish()
    assert whole is not None and len(whole) == 0


def test_steady_noise_is_no_voice() -> None:
    ear = Endpointer()
    ear.press()
    pushed(ear, sound(1, 500))
    assert not ear.has_voice()


def test_a_new_press_forgets_what_was_said_before() -> None:
    ear = Endpointer()
    ear.press()
    pushed(ear, sound(1))
    ear.press()
    assert ear.seconds == 0 and len(ear.so_far()) == 0


def test_finishing_twice_gives_nothing_the_second_time() -> None:
    ear = Endpointer()
    ear.press()
    ear.finish()
    assert ear.finish() is None


def test_what_is_cancelled_is_forgotten() -> None:
    ear = Endpointer()
    ear.press()
    pushed(ear, sound(1))
    ear.cancel()
    assert ear.finish() is None and ear.seconds == 0
