"""Metrics: their names, their closed labels, and that services do not share them."""

from __future__ import annotations

from stream_retouch.metrics import FRAME_RESULTS, STAGES, Metrics


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
