"""Metrics: their names, their closed labels, and that services do not share them."""

from __future__ import annotations

from typing import get_args

from stream_retouch.metrics import (
    FRAME_RESULTS,
    LIMITED,
    QUEUES,
    REFUSALS,
    RUNGS,
    STAGES,
    Metrics,
    TransportCount,
)


def test_all_metrics_are_there_from_the_start_with_closed_labels() -> None:
    text = Metrics().render().decode()
    for result in FRAME_RESULTS:
        assert f'stream_retouch_frames_total{{result="{result}"}} 0.0' in text
    for stage in STAGES:
        assert f'stream_retouch_stage_seconds_count{{stage="{stage}"}} 0.0' in text
    for name in (
        "stream_retouch_sessions 0.0",
        "stream_retouch_instruction_seconds_count 0.0",
        "stream_retouch_added_seconds_count 0.0",
        "stream_retouch_conditioning_mismatches_total 0.0",
    ):
        assert name in text


def test_two_services_keep_their_figures_apart() -> None:
    one, other = Metrics(), Metrics()
    one.frame("fresh", 3)
    one.stage("engine", 0.008)
    assert 'stream_retouch_frames_total{result="fresh"} 3.0' in one.render().decode()
    assert 'stream_retouch_frames_total{result="fresh"} 0.0' in other.render().decode()


def test_every_label_is_there_from_the_start() -> None:
    text = Metrics().render().decode()
    for name, label, values in (
        ("queue_depth", "queue", QUEUES),
        ("refused_total", "reason", REFUSALS),
        ("rate_limited_total", "what", LIMITED),
        ("overload_sessions", "rung", RUNGS),
        ("packets_lost_total", "direction", ("in", "out")),
        ("resumes_total", "result", ("back", "gone")),
    ):
        for value in values:
            assert f'stream_retouch_{name}{{{label}="{value}"}} 0.0' in text


def test_what_connections_count_lands_in_its_own_metric() -> None:
    for number, name in enumerate(get_args(TransportCount), start=2):
        metrics = Metrics()
        metrics.transport(name, number)
        metrics.transport(name, -1)  # a counter never falls
        assert metrics.render().decode().count(f" {number}.0\n") == 1, name


def test_an_unknown_reason_counts_as_other() -> None:
    metrics = Metrics()
    metrics.refused("the user's own words")
    assert 'stream_retouch_refused_total{reason="other"} 1.0' in metrics.render().decode()


def test_sessions_are_counted_by_rung() -> None:
    metrics = Metrics()
    metrics.rungs([0, 0, 3])
    metrics.rungs([0, 4, 4])
    text = metrics.render().decode()
    for rung, count in zip(RUNGS, (1, 0, 0, 0, 2), strict=True):
        assert f'stream_retouch_overload_sessions{{rung="{rung}"}} {count}.0' in text
