"""Latency benchmark: its arithmetic, its barcode, and one short run against stock aiortc."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import barcode, clip, figures, latency, report
from benchmarks.light_client import LightClient, Recording, ReturnedFrame, SentFrame
from benchmarks.measured_service import SlowEngine, slowed
from benchmarks.packet_log import Packet, PacketLog, frames_of
from benchmarks.server_process import metrics_of
from benchmarks.stock_server import StockServer
from stream_retouch.cli import NAMES
from stream_retouch.engine import CROP_SIZE, REQUEST_CHANNELS, REQUEST_SIZE
from tests.fakes import FakeEngine, make_conditioning

# Figures


def test_percentiles_are_samples_whatever_their_order() -> None:
    samples = [float(value) for value in reversed(range(101))]

    assert figures.percentiles(samples) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_percentiles_of_nothing_are_none() -> None:
    assert set(figures.percentiles([]).values()) == {None}


def test_a_delay_that_grows_by_three_ms_a_second_has_that_slope() -> None:
    times = [i / 30 for i in range(300)]

    grown = figures.growth(times, [20 + 3 * at for at in times])

    assert grown["slope_ms_per_s"] == 3.0
    assert grown["p95_first_third"] == pytest.approx(29.5, abs=0.5)
    assert grown["p95_last_third"] == pytest.approx(49.5, abs=0.5)


def test_a_steady_delay_has_no_slope_and_one_frame_has_no_growth_at_all() -> None:
    assert figures.growth([0.0, 0.5, 1.0], [7.0, 7.0, 7.0])["slope_ms_per_s"] == 0
    assert figures.growth([0.0], [7.0])["slope_ms_per_s"] is None
    assert figures.growth([], [])["p95_first_third"] is None


def test_the_longest_gap_does_not_depend_on_the_order() -> None:
    assert figures.longest_gap_ms([0.10, 0.00, 0.03]) == 70.0
    assert figures.longest_gap_ms([1.0]) is None


# Which returned frame is which


def test_the_offset_is_found_though_numbers_repeat_frames_are_lost_and_stamps_wrap() -> None:
    start, offset = figures.WRAP - 20 * 3000, 12_345
    stray = np.random.default_rng(0).integers(0, 64, 60).tolist()
    sent = {(start + 3000 * i + stray[i]) % figures.WRAP: i % 10 for i in range(60)}
    returned = {
        (timestamp + offset) % figures.WRAP: number
        for i, (timestamp, number) in enumerate(sent.items())
        if i % 7 and i > 12
    }

    assert figures.constant_offset(sent, returned) == offset
    pairs = figures.matched(sent, returned, offset)
    assert len(pairs) == len(returned)
    assert all(sent[a] == returned[b] for a, b in pairs.items())


def test_without_a_common_number_there_is_no_offset() -> None:
    assert figures.constant_offset({0: 1}, {5: 2}) is None
    assert figures.constant_offset({}, {}) is None


def packets(frame: int, count: int, first: int, at: float, ssrc: int = 7) -> list[Packet]:
    """One frame of `count` packets, a millisecond apart."""
    return [
        Packet(at + i / 1000, (first + i) % 65536, 3000 * frame, ssrc, i == count - 1, 1000)
        for i in range(count)
    ]


def test_a_frame_passes_when_its_last_packet_does() -> None:
    came = packets(0, 3, 65534, 1.0) + packets(1, 2, 1, 2.0)

    whole = frames_of(came)

    assert [frame.timestamp for frame in whole] == [0, 3000]
    assert [frame.last_at for frame in whole] == [1.002, 2.001]
    assert whole[0].size == 3000


def test_a_frame_that_misses_any_packet_is_not_whole() -> None:
    frames = [packets(i, 3, 3 * i, float(i)) for i in range(5)]
    del frames[1][0], frames[2][1], frames[3][2]

    assert [frame.timestamp // 3000 for frame in frames_of(sum(frames, []))] == [0]


def test_a_late_packet_that_fills_a_gap_counts_with_its_own_time() -> None:
    frames = [packets(i, 3, 3 * i, float(i)) for i in range(3)]
    late = frames[1].pop(1)._replace(at=9.0)

    whole = frames_of([*sum(frames, []), late])

    assert [(frame.timestamp // 3000, frame.last_at) for frame in whole] == [
        (0, 0.002),
        (2, 2.002),
        (1, 9.0),
    ]


def test_packets_of_another_source_are_left_out() -> None:
    came = packets(0, 3, 0, 1.0) + packets(1, 1, 0, 1.5, ssrc=8) + packets(1, 3, 3, 2.0)

    assert len(frames_of(came)) == 2


def test_no_packets_are_no_frames() -> None:
    assert frames_of([]) == []


def test_a_log_is_the_same_after_it_was_written_and_read(tmp_path: Path) -> None:
    log = PacketLog(packets(0, 2, 0, 1.0), packets(1, 1, 2, 1.1))

    log.save(tmp_path / "log.json")

    assert PacketLog.load(tmp_path / "log.json") == log


# Barcode


@pytest.mark.parametrize("width", [128, 320, 1280])
@pytest.mark.parametrize("counter", [0, 1, 149, 0xABCDEF, 0xFFFFFF])
def test_a_number_is_read_as_it_was_painted_through_noise(width: int, counter: int) -> None:
    luma = np.random.default_rng(counter).integers(16, 235, (96, width)).astype(np.uint8)
    below = luma[16:].copy()

    barcode.paint(luma, counter)
    noise = np.random.default_rng(1).normal(0, 20, luma.shape)
    noisy = np.clip(luma + noise, 0, 255).astype(np.uint8)

    assert barcode.read(noisy) == counter
    assert np.array_equal(luma[16:], below)


def test_a_picture_without_a_barcode_reads_as_none() -> None:
    assert barcode.read(np.full((96, 640), 200, np.uint8)) is None


def test_a_picture_too_narrow_for_a_barcode_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="use 128 or more"):
        barcode.block_side(100)


# The command


def test_ours_comes_first_and_the_delay_goes_to_every_filter() -> None:
    rows = latency.plans(latency.parse(["--engine-delay-ms", "60"]))

    assert [row.name for row in rows] == ["retouching", "pass-through", "stock aiortc"]
    assert rows[0].arguments[:2] == ("--engine-delay-ms", "60.0")
    assert rows[2].arguments == ("--delay-ms", "60.0")


def test_rows_ours_is_the_retouching_row_alone() -> None:
    args = latency.parse(["--rows", "ours", "--engine", "eager"])

    (row,) = latency.plans(args)

    assert row.arguments[-2:] == ("--engine", "eager")
    assert row.say == latency.INSTRUCTION


def test_the_engine_passthrough_switches_the_filter_off() -> None:
    (row,) = latency.plans(latency.parse(["--rows", "ours", "--engine", "passthrough"]))

    assert row.enable is False and row.say is None and "passthrough" not in row.arguments


@pytest.mark.parametrize("size", ["1280", "1280x", "1278x720", "axb"])
def test_a_size_that_cannot_be_used_is_refused(
    size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        latency.parse(["--size", size])
    assert "must be like 1280x720" in capsys.readouterr().err


def test_without_a_delay_the_parts_are_the_very_ones_of_the_command() -> None:
    assert slowed(NAMES, 0) is NAMES
    assert slowed(NAMES, 60).finder == NAMES.finder
    assert set(slowed(NAMES, 60).engines) == set(NAMES.engines)


def test_a_slow_engine_gives_the_answers_of_the_engine_within() -> None:
    engine = FakeEngine()
    slow = SlowEngine(engine, 0.0)
    crops = np.zeros((1, CROP_SIZE, CROP_SIZE, 3), np.uint8)
    requests = np.zeros((1, REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE), np.float32)

    assert slow.retouch(crops, requests, [make_conditioning()]) == [engine.answer]
    slow.close()
    assert slow.name == engine.name and engine.closed == 1


def test_metrics_are_read_by_name_and_label_without_buckets() -> None:
    page = (
        "# TYPE frames counter\n"
        'frames_total{result="fresh"} 12.0\n'
        "# TYPE added histogram\n"
        'added_bucket{le="+Inf"} 3.0\nadded_count 3.0\nadded_sum 0.5\n'
    )

    assert metrics_of(page) == {"frames_total{fresh}": 12.0, "added_count": 3.0, "added_sum": 0.5}


def test_delays_come_from_the_service_and_round_trips_from_the_client() -> None:
    sent = [SentFrame(3000 * i, i, 1 + i / 30) for i in range(30)]
    back = [ReturnedFrame(f.timestamp + 900, f.number, f.at + 0.030) for f in sent if f.number != 9]
    came = [packets(i, 1, i, f.at + 0.001)[0] for i, f in enumerate(sent)]
    went = [Packet(f.at - 0.002, i, f.timestamp, 9, True, 99) for i, f in enumerate(back)]
    recording = Recording(1.0, 2.0, sent, back, [0.0], 0)

    row = latency.delays("ours", recording, PacketLog(came, went))

    assert row.figures["added_ms"]["p50"] == pytest.approx(27)
    assert row.figures["round_trip_ms"]["max"] == pytest.approx(30)
    assert row.figures["not_returned"] == 1
    assert row.figures["numbers_wrong"] == row.figures["numbers_unread"] == 0


def test_the_result_is_a_file_with_command_table_and_json(tmp_path: Path) -> None:
    figures_ = {
        **figures.growth([0.0, 1.0], [5.0, 5.0]),
        "fps": 30.0,
        "added_ms": figures.percentiles([5.0, 5.0]),
        "round_trip_ms": figures.percentiles([6.0]),
    }
    rows = [report.Row("retouching", figures_, [0.0, 1.0], [5.0, 5.0])]
    args = latency.parse([])
    result = report.result(rows, args)

    path = report.write(tmp_path / "new" / "result.md", "the command", rows, result)

    text = path.read_text()
    assert "`the command`" in text and "| retouching | 30.0 | 5.0 / 5.0 / 5.0 |" in text
    last = json.loads(report.last_line(result))
    assert last["fps"] == 30.0 and last["rows"]["retouching"]["added_ms"]["p95"] == 5.0
    assert "\n" not in report.last_line(result)
    assert isinstance(args, argparse.Namespace)


# A run


def test_the_client_measures_stock_aiortc() -> None:
    short = clip.encoded(320, 240, 30, "h264", frames=30)

    async def run() -> tuple[Recording, PacketLog]:
        stock, client = StockServer(), LightClient(short)
        try:
            await client.connect(stock.answer)
            return await client.measure(1.0, 0.5), stock.log
        finally:
            await client.close()
            await stock.close()

    recording, log = asyncio.run(run())
    row = latency.delays("stock", recording, log)

    # No rate and no delay is asserted: a busy machine is not a wrong client.
    assert row.added_ms
    assert row.figures["numbers_wrong"] == 0
    assert 0 < row.figures["added_ms"]["p50"] <= row.figures["round_trip_ms"]["p50"]
    assert row.figures["fps"] > 0


def test_the_clip_is_a_seamless_loop_with_its_numbers_on_top() -> None:
    loop = list(clip.pictures(320, 240, 20))

    assert [barcode.read(picture[:240]) for picture in loop] == list(range(20))
    following = [*loop[1:], loop[0]]
    pairs = zip(loop, following, strict=True)
    steps = [np.abs(a[20:].astype(int) - b[20:]).mean() for a, b in pairs]
    assert steps[-1] < 2 * np.median(steps)
