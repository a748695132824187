"""Loss benchmark: headers, policies, the relay, figures; and one call through the relay."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    HeaderExtensionsMap,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    pack_remb_fci,
    wrap_rtx,
)

from benchmarks.loss import measured, report
from benchmarks.loss.__main__ import _arguments
from benchmarks.loss.caller import Caller, Shown
from benchmarks.loss.camera import CELL, Camera, Viewer, luma_of
from benchmarks.loss.history import History
from benchmarks.loss.policies import (
    LOST,
    Bottleneck,
    OnePacket,
    Outages,
    Policy,
    RandomLoss,
    Reorder,
)
from benchmarks.loss.run import Run
from benchmarks.loss.scenarios import SCENARIOS, moments
from benchmarks.loss.shim import Delayed, Passage, Shim
from benchmarks.loss.wire import PayloadTypes, Rtcp, Rtp, header_of, payload_types
from benchmarks.stock_server import StockServer

TYPES = PayloadTypes(frozenset({99}), frozenset({100}))
MTU = 1200

# Headers


def test_an_rtp_header_is_read_though_its_payload_is_not() -> None:
    packet = RtpPacket(
        payload_type=99, marker=1, sequence_number=65_535, timestamp=7_000, ssrc=0x80000001
    )
    packet.payload = bytes(range(40))

    assert header_of(packet.serialize()) == Rtp(99, 65_535, 7_000, 0x80000001, True)


def test_a_retransmission_keeps_the_time_stamp_of_what_it_repeats() -> None:
    packet = RtpPacket(payload_type=99, sequence_number=5, timestamp=7_000, ssrc=1, payload=b"x")
    again = wrap_rtx(packet, payload_type=100, sequence_number=9, ssrc=2)

    assert header_of(again.serialize(HeaderExtensionsMap())) == Rtp(100, 9, 7_000, 2, False)


@pytest.mark.parametrize(
    ("kind", "packet"),
    [
        ("nack", RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=7, media_ssrc=8, lost=[3])),
        ("pli", RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=7, media_ssrc=8)),
        (
            "remb",
            RtcpPsfbPacket(
                fmt=RTCP_PSFB_APP, ssrc=7, media_ssrc=0, fci=pack_remb_fci(1_000_000, [8])
            ),
        ),
        ("report", RtcpRrPacket(ssrc=7)),
    ],
)
def test_feedback_is_told_by_its_first_eight_bytes(kind: str, packet: RtcpRrPacket) -> None:
    assert header_of(bytes(packet)[:8] + b"\xff" * 12) == Rtcp(kind, 7)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x80\x63\x00\x01\x00\x00\x00\x01",
        b"\x00\x01" + bytes(30),
        b"\x16\xfe\xfd" + bytes(30),
    ],
    ids=["nothing", "half a header", "STUN", "DTLS"],
)
def test_what_is_no_whole_rtp_packet_has_no_header(datagram: bytes) -> None:
    assert header_of(datagram) is None


def test_payload_types_are_those_of_the_description() -> None:
    sdp = (
        "m=video 9 UDP/TLS/RTP/SAVPF 99 100\r\na=rtpmap:99 H264/90000\r\n"
        "a=rtpmap:100 rtx/90000\r\na=rtpmap:0 PCMU/8000\r\n"
    )

    assert payload_types(sdp) == TYPES


# Policies


def _video(frames: int, packets: int = 4, first: int = 0) -> list[Rtp]:
    """The packets of that many frames of the same size."""
    return [
        Rtp(99, frame * packets + i, 3000 * (first + frame), 1, i == packets - 1)
        for frame in range(frames)
        for i in range(packets)
    ]


def _fates(policy: Policy, count: int, begin: float = 0.0) -> list[float | None]:
    return [policy.extra_s(None, MTU, begin + i / 300) for i in range(count)]


def test_random_loss_loses_its_share_the_same_for_the_same_seed_and_nothing_before() -> None:
    fates = _fates(RandomLoss(1.0, 0.03, seed=4), 20_000, begin=1.0)

    assert fates.count(LOST) == pytest.approx(600, abs=90)
    assert fates == _fates(RandomLoss(1.0, 0.03, seed=4), 20_000, begin=1.0)
    assert fates != _fates(RandomLoss(1.0, 0.03, seed=5), 20_000, begin=1.0)
    assert RandomLoss(1.0, 1.0, seed=4).extra_s(None, MTU, 0.99) == 0.0


def test_reordering_delays_its_share_within_its_bounds_and_loses_nothing() -> None:
    fates = _fates(Reorder(0.0, 0.05, 0.005, 0.015, seed=4), 10_000)

    late = [fate for fate in fates if fate]
    assert len(late) == pytest.approx(500, abs=80)
    assert LOST not in fates
    assert 0.005 <= min(late) < 0.006 and 0.014 < max(late) <= 0.015


def test_an_outage_loses_everything_from_its_start_to_its_end() -> None:
    policy = Outages([2.0, 5.0], 0.3)

    out = [at for at in np.arange(0, 7, 0.05) if policy.extra_s(None, 9, float(at)) is LOST]

    assert out == pytest.approx([2.0, 2.05, 2.1, 2.15, 2.2, 2.25, 5.0, 5.05, 5.1, 5.15, 5.2, 5.25])


def test_a_bottleneck_delays_by_what_waits_before_and_drops_what_has_no_place() -> None:
    line = Bottleneck(1.0, 1_000_000, queue_s=2.0)
    took = (MTU + 28) * 8 / 1_000_000

    assert line.extra_s(None, MTU, 0.5) == 0.0
    waits = [line.extra_s(None, MTU, 1.0) for _ in range(300)]
    passed = [wait for wait in waits if wait is not None]
    assert passed == pytest.approx([took * (i + 1) for i in range(len(passed))])
    assert passed[-1] == pytest.approx(2.0, abs=2 * took)
    assert waits[len(passed) :] == [LOST] * (300 - len(passed))
    assert line.extra_s(None, MTU, 2.0) == pytest.approx(passed[-1] - 1.0 + took)
    assert line.extra_s(None, MTU, 60.0) == pytest.approx(took)


def test_one_packet_loses_the_first_the_second_and_the_last_of_a_frame_in_turn() -> None:
    policy = OnePacket(TYPES, [1.0, 2.0, 3.0])

    # Ten frames a second; the moments lie in the frames 10, 20 and 30, the next ones are hit.
    lost = [
        packet.sequence
        for i, packet in enumerate(_video(40))
        if policy.extra_s(packet, MTU, i // 4 / 10 + i % 4 / 100 - 0.005) is LOST
    ]

    assert [(sequence // 4, sequence % 4) for sequence in lost] == [(11, 0), (21, 1), (31, 3)]


def test_one_packets_first_retransmission_is_lost_and_the_second_passes() -> None:
    policy = OnePacket(TYPES, [0.0])
    assert policy.extra_s(Rtp(99, 10, 3000, 1, False), MTU, 1.0) is LOST

    assert policy.extra_s(Rtp(100, 1, 6000, 2, False), MTU, 1.1) == 0.0  # of another frame
    assert policy.extra_s(Rtp(100, 2, 3000, 2, False), MTU, 1.1) is LOST
    assert policy.extra_s(Rtp(100, 3, 3000, 2, False), MTU, 1.2) == 0.0


def test_the_same_packet_over_again_is_a_retransmission_too() -> None:
    policy = OnePacket(TYPES, [0.0], again=2)
    packet = Rtp(99, 10, 3000, 1, False)

    assert [policy.extra_s(packet, MTU, 1.0) for _ in range(5)] == [LOST, LOST, LOST, 0.0, 0.0]


def test_feedback_and_other_data_pass_where_one_packet_is_lost() -> None:
    policy = OnePacket(TYPES, [0.0])

    assert policy.extra_s(None, MTU, 1.0) == 0.0
    assert policy.extra_s(Rtcp("nack", 1), 20, 1.0) == 0.0


def test_a_key_moment_hits_the_middle_of_the_next_large_frame_only() -> None:
    policy = OnePacket(TYPES, [], [1.0])
    before = [policy.extra_s(packet, MTU, 0.5) for packet in _video(30)]
    after = [policy.extra_s(packet, MTU, 1.0) for packet in _video(5, first=30)]
    key = [policy.extra_s(packet, MTU, 1.2) for packet in _video(1, packets=30, first=35)]

    assert LOST not in before + after
    assert [i for i, fate in enumerate(key) if fate is LOST] == [8]


def test_a_key_frame_that_never_comes_does_not_hold_up_what_is_due_after_it() -> None:
    policy = OnePacket(TYPES, [5.0], [1.0])

    fates = [policy.extra_s(packet, MTU, at) for at in (1.5, 5.5) for packet in _video(2)]

    assert [i for i, fate in enumerate(fates) if fate is LOST] == [8]


def test_every_scenario_leaves_alone_what_comes_before_its_begin() -> None:
    for scenario in SCENARIOS.values():
        policy = scenario(100.0, 20.0, 1, TYPES).policy
        assert [policy.extra_s(packet, MTU, 99.0) for packet in _video(50)] == [0.0] * 200


def test_events_are_spaced_and_each_has_its_time_before_the_end() -> None:
    assert moments(20) == [2.0, 6.0, 10.0, 14.0]
    assert moments(120) == [2.0 + 8 * i for i in range(14)]
    assert moments(5) == [2.0]


# The relay


def test_what_is_delayed_leaves_in_the_order_of_its_times() -> None:
    async def scenario() -> list[str]:
        left: list[str] = []
        delayed, now = Delayed(left.append), asyncio.get_running_loop().time()
        for due, name in ((3, "late"), (1, "first"), (1, "second"), (2, "overtaken")):
            delayed.add(now + 1000 + due, name)
        delayed.release(now + 1002.5)
        left.append("then")
        delayed.release(now + 1004)
        delayed.close()
        return left

    assert asyncio.run(scenario()) == ["first", "second", "overtaken", "then", "late"]


_CANDIDATE = "a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host\r\n"


def test_datagrams_pass_the_relay_both_ways_but_not_those_its_policy_loses() -> None:
    class Peer(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.heard: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.heard.put_nowait((data, addr[1]))

    async def scenario() -> None:
        loop, shim = asyncio.get_running_loop(), Shim(delay_s=0.0)
        await shim.open()
        ends = [await loop.create_datagram_endpoint(Peer, ("127.0.0.1", 0)) for _ in range(2)]
        (client, client_side), (server, server_side) = ends
        ports = [transport.get_extra_info("sockname")[1] for transport, _ in ends]
        offer = shim.offer_for_server("v=0\r\n" + _CANDIDATE.format(port=ports[0]))
        answer = shim.answer_for_client("v=0\r\n" + _CANDIDATE.format(port=ports[1]))
        for_server, for_client = (int(sdp.split(" ")[5]) for sdp in (offer, answer))
        shim.ways["uplink"].policy = Outages([0.0], 0.0)
        try:
            async with asyncio.timeout(4):
                client.sendto(b"up", ("127.0.0.1", for_client))
                assert await server_side.heard.get() == (b"up", for_server)
                server.sendto(b"down", ("127.0.0.1", for_server))
                assert await client_side.heard.get() == (b"down", for_client)
                shim.ways["uplink"].policy = RandomLoss(0.0, 1.0, seed=1)
                client.sendto(b"lost", ("127.0.0.1", for_client))
                while len(shim.ways["uplink"].passed) < 2:
                    await asyncio.sleep(0)
                assert server_side.heard.empty()
        finally:
            shim.close()
            client.close()
            server.close()
        assert [p.extra_s for p in shim.ways["uplink"].passed] == [0.0, LOST]
        assert [p.kind for p in shim.ways["downlink"].passed] == ["other"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "sdp",
    ["v=0\r\n", _CANDIDATE.format(port=1) + _CANDIDATE.format(port=2)],
    ids=["no candidate", "two candidates"],
)
def test_a_description_that_cannot_be_led_through_the_relay_is_refused(sdp: str) -> None:
    async def scenario() -> None:
        shim = Shim()
        await shim.open()
        try:
            with pytest.raises(ValueError, match="must have one candidate"):
                shim.offer_for_server(sdp)
        finally:
            shim.close()

    asyncio.run(scenario())


# Pictures


def _pictures(count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    coarse = rng.integers(40, 200, (count, 270 // CELL, 256 // CELL), np.uint8)
    return [np.kron(c, np.ones((CELL, CELL), np.uint8))[:192].copy() for c in coarse]


def test_a_returned_picture_is_known_by_its_number_and_a_damaged_one_is_not() -> None:
    async def scenario() -> None:
        pictures = _pictures()
        viewer, camera = Viewer(pictures), Camera(pictures, 30)
        camera.begin()
        for number in range(4):
            luma = luma_of(await camera.recv()).copy()
            assert viewer.number(luma) == number
            luma[64:96, 64:96] = 255 - luma[64:96, 64:96]
            assert viewer.number(luma) is None
            luma[:16] = 128
            assert viewer.number(luma) is None
        assert list(camera.given) == [0, 1, 2, 3]

    asyncio.run(scenario())


# What is kept for retransmission


def test_a_packet_is_sent_again_long_after_128_others_and_then_forgotten() -> None:
    class Sender:
        def __init__(self) -> None:
            self.__rtp_history: dict[int, RtpPacket] = {}
            self.again: list[int] = []

        async def _retransmit(self, sequence_number: int) -> None:
            packet = self.__rtp_history.get(sequence_number % 128)
            if packet is not None and packet.sequence_number == sequence_number:
                self.again.append(sequence_number)

        def send(self, sequence_number: int) -> None:
            packet = RtpPacket(payload_type=99, sequence_number=sequence_number)
            self.__rtp_history[sequence_number % 128] = packet

    sender = Sender()
    History(sender)  # type: ignore[arg-type]
    for i in range(1500):
        sender.send((65_000 + i) % 65_536)

    async def ask() -> None:
        for i in (1499, 1490 - 128, 1500 - 1024, 1500 - 1025):
            await sender._retransmit((65_000 + i) % 65_536)

    asyncio.run(ask())
    assert sender.again == [(65_000 + i) % 65_536 for i in (1499, 1362, 476)]


# Figures


def _run(shown: list[Shown], events: list[float] | None = None, seconds: float = 10.0) -> Run:
    given = {n: n / 30 for n in range(round((seconds + 1) * 30))}
    return Run(0.0, seconds, 30, given, shown, events or [], [], [])


def _smooth(first: int, last: int, late_s: float = 0.1) -> list[Shown]:
    return [Shown(n, n / 30 + late_s) for n in range(first, last)]


def test_progress_is_made_by_whole_frames_newer_than_all_before() -> None:
    shown = [Shown(1, 0.1), Shown(None, 0.2), Shown(1, 0.3), Shown(0, 0.4), Shown(3, 0.5)]

    assert measured.progress(_run(shown)) == [(0.1, 1), (0.5, 3)]


def test_a_call_without_trouble_has_no_freeze() -> None:
    found = measured.figures(_run(_smooth(0, 330)))

    assert found["freeze_ms_max"] == pytest.approx(66.7, abs=0.1)  # 0.1 s until the first frame
    assert (found["fps"], found["frames_lost"], found["recovery_s_max"]) == (29.7, 0, None)
    assert found["delay_ms"]["p95"] == pytest.approx(100.0)


def test_a_freeze_is_the_longest_gap_less_a_frame_interval() -> None:
    found = measured.figures(_run(_smooth(0, 100) + _smooth(130, 330)))

    assert found["freeze_ms_max"] == pytest.approx(1000.0, abs=0.1)
    assert found["freezes_over_150_ms"] == 1
    assert found["frames_lost"] == 30


def test_a_picture_that_never_moves_again_is_frozen_to_the_end() -> None:
    assert measured.gaps([1.0, 2.0], 0.0, 10.0, 0.5) == [500.0, 500.0, 7500.0]
    assert measured.gaps([], 0.0, 10.0, 0.5) == [9500.0]


def test_recovery_is_when_frames_given_after_the_event_flow_again() -> None:
    # Frozen from 3 s on; the backlog of two seconds is shown at 5 s, fast; new frames from then on.
    backlog = [Shown(90 + i, 5.0 + i / 300) for i in range(60)]
    run = _run(_smooth(0, 90, 0.0) + backlog + _smooth(150, 330, 0.21), events=[3.0, 7.0])

    assert measured.recoveries_of(run) == [pytest.approx(2.0), pytest.approx(0.21)]


def test_frames_at_half_the_rate_are_no_recovery() -> None:
    slow = [shown for shown in _smooth(90, 330) if shown.number is not None and shown.number % 2]
    run = _run(_smooth(0, 90) + slow, events=[3.0])

    found = measured.figures(run)
    assert (found["recovery_s_max"], found["never_recovered"]) == (7.0, 1)


def test_packets_are_counted_by_kind_and_by_what_became_of_them() -> None:
    there = [Passage(1.0, "video", 1000, 0.0), Passage(1.1, "video", 1000, None)]
    there += [Passage(1.2, "rtx", 1002, None), Passage(11.0, "video", 1000, None)]
    back = [Passage(1.1, "nack", 20, 0.0), Passage(1.2, "pli", 20, 0.0), Passage(-1, "pli", 20, 0)]

    assert measured.on_the_wire(Run(0.0, 10.0, 30, {}, [], [], there, back)) == {
        "packets": 2,
        "packets_lost": 1,
        "rtx": 1,
        "rtx_lost": 1,
        "nack": 1,
        "pli": 1,
        "fir": 0,
        "kbps": 1,
    }


# Reports


def _measured(
    row: str, way: str, shown: list[Shown], scenario: str = "one_packet"
) -> report.Measured:
    run = _run(shown, events=[3.0])
    return report.Measured(row, scenario, way, measured.figures(run), measured.pauses_of(run))


def _results() -> list[report.Measured]:
    return [
        _measured("ours", "uplink", _smooth(0, 330)),
        _measured("ours", "downlink", _smooth(0, 90) + _smooth(96, 330)),
        _measured("stock", "uplink", _smooth(0, 90) + _smooth(240, 330)),
    ]


def test_the_worse_direction_counts_and_both_stand_beside_it() -> None:
    found = report.row_figures(_results()[:2])["freeze_ms_max"]

    assert found["one_packet"] == found["one_packet.downlink"] == pytest.approx(200, abs=0.1)
    assert found["one_packet.uplink"] == pytest.approx(66.7, abs=0.1)


def test_the_result_holds_our_row_to_its_bounds(tmp_path: Path) -> None:
    args = _arguments(["--scenarios", "one_packet", "--seconds", "10"])
    found = report.result(_results(), args)

    assert found["freeze_ms_max"]["one_packet"] == pytest.approx(200, abs=0.1)
    assert found["rows"]["stock"]["freeze_ms_max"]["one_packet"] > 4000
    assert found["holds"] == {"freeze_ms_max.one_packet": True, "recovery_s.one_packet": True}
    table = report.bounds_table(found)
    assert "| `freeze_ms_max.one_packet` | <= 300 | 200 | 5000 | yes |" in table
    path = report.write(tmp_path / "loss.md", "python -m benchmarks.loss", _results(), found)
    assert table in path.read_text()
    assert json.loads(json.dumps(found)) == found


def test_an_unknown_scenario_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        _arguments(["--scenarios", "one_packet,storm"])
    assert "'storm' is none of one_packet, loss_1" in capsys.readouterr().err
    assert isinstance(_arguments([]), argparse.Namespace)


# A call


def test_a_call_through_the_relay_shows_the_cameras_own_frames_in_order() -> None:
    async def scenario() -> list[Shown]:
        shim, server = Shim(delay_s=0.0), StockServer()
        caller = Caller(_pictures(), 30, "h264")
        await shim.open()

        async def answer_to(offer: str) -> str:
            return shim.answer_for_client(await server.answer(shim.offer_for_server(offer)))

        try:
            await caller.connect(answer_to)
            caller.camera.begin()
            async with asyncio.timeout(8):
                while len(caller.shown) < 5:
                    await asyncio.sleep(0.01)
        finally:
            await caller.close()
            await server.close()
            shim.close()
        assert {p.kind for p in shim.ways["uplink"].passed} >= {"video", "other"}
        assert shim.ways["downlink"].video_ssrc is not None
        return caller.shown

    numbers = [number for number, _ in asyncio.run(scenario()) if number is not None]

    assert len(numbers) >= 4
    assert numbers == sorted(set(numbers))
