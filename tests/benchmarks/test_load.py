"""Load benchmark: who is measured with whose packets, who is refused, and one short run."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks import clip
from benchmarks.light_client import Recording, ReturnedFrame, SentFrame
from benchmarks.load import __main__ as command
from benchmarks.load import report
from benchmarks.load.measured import row
from benchmarks.load.processor import Meter
from benchmarks.load.users import Plan, Refused, User, call, refused_by
from benchmarks.load.viewers import as_seen
from benchmarks.packet_log import Packet, PacketLog
from benchmarks.report import Row
from benchmarks.stock_server import StockServer

COST = {"cpu_percent": 50.0, "loop_percent": 5.0, "client_cpu_percent": 4.0, "loop_lag_ms": 1.0}


def packets(ssrc: int, late_s: float, every: int = 1, frames: int = 60) -> list[Packet]:
    """One packet a frame at 30 frames a second."""
    return [
        Packet(i / 30 + late_s, i // every, 3000 * i, ssrc, True, 100)
        for i in range(0, frames, every)
    ]


def user(
    sent: int, returned: int, back_s: float, every: int = 1, told: Sequence[dict[str, Any]] = ()
) -> User:
    """Somebody who sent 60 frames in two seconds and got some of them back."""
    recording = Recording(
        begin=0.0,
        end=2.0,
        sent=[SentFrame(3000 * i + i % 7, i, i / 30) for i in range(60)],
        returned=[ReturnedFrame(3000 * i + i % 7, i, i / 30 + back_s) for i in range(0, 60, every)],
        late_ms=[1.0],
        key_requests=0,
        messages=[{"type": "stats", **message} for message in told],
    )
    return User(recording, (sent, returned), True)


def logged(ssrc: int, late_s: float, every: int = 1) -> list[Packet]:
    """The packets of `user`, as the service logs them."""
    return [
        p._replace(timestamp=p.timestamp + (p.timestamp // 3000) % 7)
        for p in packets(ssrc, late_s, every)
    ]


def test_each_user_is_measured_with_own_packets_and_the_worst_stands_for_all() -> None:
    log = PacketLog(
        logged(1, 0.001) + logged(3, 0.001),
        logged(2, 0.011) + logged(4, 0.041, every=2),
    )
    quick = user(1, 2, 0.012, told=[{"at": 1.0, "fresh_share": 1.0, "rung": 0}])
    slow_told = [
        {"at": 0.5, "fresh_share": 0.2, "rung": 1},
        {"at": 1.5, "fresh_share": 0.4, "rung": 2},
        {"at": 2.5, "fresh_share": 0.0, "rung": 4},
    ]
    slow = user(3, 4, 0.042, every=2, told=slow_told)

    figures = row("2 users", "ours", [quick, slow], [], log, dict(COST)).figures

    assert figures["fps"] == [30.0, 15.0] and figures["fps_min"] == 15.0
    assert figures["added_ms_each"] == [{"p50": 10.0, "p95": 10.0}, {"p50": 40.0, "p95": 40.0}]
    assert figures["added_ms"] == {"p50": 40.0, "p95": 40.0}
    assert figures["fresh_share"] == 0.3 and figures["fresh_shares"] == [1.0, 0.3]
    assert figures["rungs"] == [0, 2]
    assert figures["longest_gap_ms"] == 66.7
    assert (figures["users"], figures["streams"], figures["mixed_up"]) == (2, 2, 0)
    assert figures["cpu_percent"] == 50.0


def test_a_user_who_got_nothing_counts_with_nothing_for_all_the_time() -> None:
    nobody = user(1, 9, 0.01)
    nobody.recording.returned.clear()

    figures = row("1 user", "ours", [nobody], [], PacketLog(), dict(COST)).figures

    assert figures["fps_min"] == 0.0 and figures["longest_gap_ms"] == 2000.0
    assert figures["added_ms"] == {"p50": None, "p95": None}


def test_a_frame_of_somebody_else_is_counted() -> None:
    mixed = user(1, 2, 0.01)
    mixed.recording.returned[30] = mixed.recording.returned[30]._replace(number=7)

    figures = row("1 user", "ours", [mixed], [], PacketLog(), dict(COST)).figures

    assert figures["mixed_up"] == 1


def test_those_who_are_refused_are_counted_with_their_reasons() -> None:
    request = httpx.Request("POST", "http://127.0.0.1/session")
    told = httpx.Response(
        503, json={"detail": "full"}, headers={"Retry-After": "5"}, request=request
    )
    assert refused_by(told) == Refused(503, "full", "5")
    assert refused_by(httpx.Response(500, text="oh", request=request)) == Refused(500, "oh", None)

    figures = row("3 users", "ours", [], [refused_by(told)] * 3, PacketLog(), dict(COST)).figures

    assert (figures["users"], figures["streams"], figures["refused"]) == (3, 0, 3)
    assert figures["reasons"] == ["503: full"]
    assert figures["fps_min"] is None and figures["fresh_share"] is None


def test_a_viewer_is_measured_with_the_publisher_s_frames() -> None:
    publisher, viewer = user(1, 99, 0.0), user(98, 2, 0.025)
    viewer.recording.sent.clear()
    both = as_seen(publisher, viewer)
    assert both.sources == (1, 2)

    log = PacketLog(logged(1, 0.001), logged(2, 0.021))
    figures = row("1 viewer", "viewers", [both], [], log, dict(COST)).figures

    assert figures["added_ms"] == {"p50": 20.0, "p95": 20.0} and figures["fps_min"] == 30.0


def made(name: str, kind: str, streams: int, refused: int = 0) -> Row:
    log = PacketLog()
    users = [user(1, 2, 0.01) for _ in range(streams)]
    return row(name, kind, users, [Refused(503, "full", "5")] * refused, log, dict(COST))


def test_the_row_that_stands_for_all_is_ours_and_refused_nobody() -> None:
    rows = [
        made("1", "ours", 1),
        made("2", "ours", 2),
        made("3", "ours", 2, refused=1),
        made("3 stock", "stock", 3),
    ]
    assert report.first(rows).name == "2"
    assert report.first(rows[2:]).name == "3"


def test_the_result_file_has_table_reasons_and_json_and_the_last_line_its_keys(
    tmp_path: Path,
) -> None:
    args = command._arguments(["--users", "2", "--engine", "passthrough"])
    rows = [made("2 users", "ours", 2, refused=1), made("2 users, stock", "stock", 2)]
    values = report.result(rows, args)

    path = report.write(tmp_path / "load.md", "python -m benchmarks.load", rows, values)

    text = path.read_text()
    assert report.table(rows) in text and "* 2 users: 503: full" in text
    kept = json.loads(text.split("```json\n")[1].split("```")[0])
    assert {"fps_min", "fresh_share", "added_ms", "rows"} <= kept.keys()
    assert kept["say"] is None and kept["rows"]["2 users"]["refused"] == 1


@pytest.mark.parametrize(
    ("words", "users", "viewers"),
    [
        ([], ([1, 2], True), []),
        (["--users", "2"], ([2], False), []),
        (["--users", "1,2,4,..."], ([1, 2, 4], True), []),
        (["--viewers", "10"], ([], False), [10]),
        (["--users", "1", "--viewers", "2,10"], ([1], False), [2, 10]),
    ],
)
def test_the_rows_that_are_asked_for(
    words: list[str], users: tuple[list[int], bool], viewers: list[int]
) -> None:
    args = command._arguments(words)
    assert (args.users, args.viewers) == (users, viewers)


@pytest.mark.parametrize(
    "words",
    [["--users", "0"], ["--users", "many"], ["--viewers", ""], ["--rows", "mine"],
     ["--size", "1281x720"], ["--seconds", "1"]],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        command._arguments(words)


def test_two_users_are_measured_at_once_and_the_third_is_turned_away() -> None:
    small = clip.encoded(320, 240, 15, "h264", frames=15)
    stock = StockServer()
    asked = 0

    async def door(offer: str) -> str:
        nonlocal asked
        asked += 1
        if asked > 2:
            request = httpx.Request("POST", "http://127.0.0.1/session")
            told = httpx.Response(503, json={"detail": "full"}, request=request)
            raise httpx.HTTPStatusError("full", request=request, response=told)
        return await stock.answer(offer)

    async def main() -> tuple[list[User], list[Refused], dict[str, float | None]]:
        meter = Meter("", os.getpid(), has_metrics=False)
        plan = Plan(3, 0.8, 0.1, None, warm_up_s=0.5)
        try:
            users, refused = await call(door, small, plan, meter)
        finally:
            await stock.close()
        return users, refused, meter.figures()

    users, refused, cost = asyncio.run(main())
    figures = row("3 users", "stock", users, refused, stock.log, cost).figures

    assert refused == [Refused(503, "full", None)]
    assert figures["streams"] == 2 and figures["mixed_up"] == 0
    assert len({source for one in users for source in one.sources}) == 4
    assert all(fps > 5 for fps in figures["fps"])
    assert all(each["p50"] is not None for each in figures["added_ms_each"])
    assert cost["loop_lag_ms"] is None
