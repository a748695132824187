"""How long decoding and encoding take, frame by frame."""

from __future__ import annotations

import pytest

from stream_retouch.rtc import stage_times
from stream_retouch.rtc.stage_times import KEPT, WAITING, StageTimes


def test_a_frame_is_timed_from_the_decoder_to_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(stage_times.time, "perf_counter", lambda: now)
    times = StageTimes()
    times.handed(3000)
    now = 0.004
    times.handed(6000)
    now = 0.010
    times.decoded(6000)
    times.decoded(3000)
    times.decoded(3000)  # known no more
    times.decoded(None)
    times.encoded(0.005)
    assert times.take() == {"decode": [pytest.approx(0.006), 0.010], "encode": [0.005]}
    assert times.take() == {"decode": [], "encode": []}


def test_frames_that_are_never_decoded_and_samples_nobody_takes_are_forgotten() -> None:
    times = StageTimes()
    for pts in range(10 * WAITING):
        times.handed(pts)
    assert len(times._handed) == WAITING
    for _ in range(KEPT + 5):
        times.encoded(0.001)
    assert len(times.take()["encode"]) == KEPT
