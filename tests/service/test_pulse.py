"""What a session tells once a second, and what the service looks at as often."""

from __future__ import annotations

import asyncio

import pytest

from stream_retouch.metrics import Metrics
from stream_retouch.service import watch as watch_module
from stream_retouch.service.frame_stats import Tally
from stream_retouch.service.pulse import Pulse
from stream_retouch.service.watch import Watch
from tests.service.fakes import FakePeer
from tests.service.test_session import house, run


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value("stream_retouch_" + name, labels)


def test_only_what_is_new_since_the_last_beat_is_counted() -> None:
    metrics, peer = Metrics(), FakePeer()
    pulse, stats = Pulse(peer, metrics), Tally().read(0.0, 0)
    peer.counts = {"nack_in": 3, "freezes": 1, "frozen_s": 0.5}
    peer.stages = {"decode": [0.004, 0.005], "encode": [0.006]}
    peer.added_ms = (20.0, 30.0)
    pulse.beat(stats, 0)
    pulse.beat(stats, 0)
    assert value(metrics, "feedback_total", kind="nack", direction="in") == 3
    assert value(metrics, "frozen_seconds_total") == 0.5
    assert value(metrics, "stage_seconds_count", stage="decode") == 2
    assert value(metrics, "added_seconds_count") == 2
    peer.counts = {"nack_in": 5, "freezes": 1, "frozen_s": 0.75}
    peer.stages = {"decode": [0.004], "encode": []}
    peer.added_ms = (20.0, 30.0, 40.0)
    assert pulse.beat(stats, 2)["added_ms"] == 30.0
    assert value(metrics, "feedback_total", kind="nack", direction="in") == 5
    assert value(metrics, "freezes_total") == 1
    assert value(metrics, "frozen_seconds_total") == 0.75
    assert value(metrics, "stage_seconds_count", stage="decode") == 3
    assert value(metrics, "stage_seconds_count", stage="encode") == 1
    assert value(metrics, "added_seconds_count") == 3


def test_the_watch_tells_lag_and_queues_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "WATCH_S", 0.0)
    metrics, swept = Metrics(), []

    async def test() -> None:
        watch = Watch(metrics, lambda: {"decoder": 7}, lambda: swept.append(1) or 5)
        watch.start()
        while len(swept) < 3:
            await asyncio.sleep(0)
        await watch.close()
        await watch.close()

    run(test)
    assert value(metrics, "queue_depth", queue="decoder") == 7
    assert value(metrics, "looks_kept") == 5
    assert (value(metrics, "loop_lag_seconds_count") or 0) >= 3


def test_what_a_connection_leaves_behind_is_freed_once_two_looks_after_its_end() -> None:
    collected: list[int] = []
    watch = Watch(Metrics(), lambda: {}, lambda: 0, lambda: collected.append(1))
    watch.look()
    assert not collected  # nobody has left
    watch.collect_soon()
    watch.look()
    watch.collect_soon()  # another one: both at once, a little later
    watch.look()
    assert not collected
    for _ in range(3):
        watch.look()
    assert collected == [1]


def test_the_queues_of_all_sessions_are_added_up() -> None:
    async def test() -> None:
        async with house() as home:
            for waiting in (2, 3):
                _, peer = await home.enter()
                peer.waiting = waiting
            depths = home.sessions._depths()
            assert depths == {"decoder": 5, "instructions": 0, "speech": 0}

    run(test)
