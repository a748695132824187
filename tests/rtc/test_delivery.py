"""The packets of a stream, from its pictures to the wire, and what its receiver may ask for."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtcpSrPacket

from stream_retouch.rtc.delivery import APART_S, Delivery, Picture
from stream_retouch.rtc.downlink_rate import DownlinkRate
from stream_retouch.rtc.limits import RateLimits
from stream_retouch.rtc.private import private, replace_private
from stream_retouch.rtc.tracks import OutgoingVideo
from tests.rtc.sending import RTX, VP8, Sending
from tests.rtc.simulated import simulate

LIMITS = RateLimits()


def picture(packets: int, timestamp: int, size: int = 1000, repeated: bool = False) -> Picture:
    return Picture([bytes([n % 256]) * size for n in range(packets)], timestamp, repeated)


class Stream(Sending):
    """Pictures that are put are sent."""

    def __init__(self, codecs: list[RTCRtpCodecParameters] | None = None) -> None:
        super().__init__(OutgoingVideo(), codecs or [VP8, RTX])
        self.pictures: asyncio.Queue[Picture | None] = asyncio.Queue()
        self.left: list[tuple[float, int]] = []
        self.key_frames_wanted = 0
        loop = asyncio.get_running_loop()
        self.rate = DownlinkRate(LIMITS)
        self.delivery = Delivery(
            self.sender,
            self._next,
            self.rate,
            most_bps=LIMITS.max_bps,
            at_once_bytes=lambda: 12_000,
            key_frame_wanted=self._want,
            left=lambda sent: self.left.append((loop.time(), sent.timestamp)),
        )

    def _want(self) -> None:
        self.key_frames_wanted += 1

    async def _next(self, codec: RTCRtpCodecParameters) -> Picture | None:
        sent = await self.pictures.get()
        if sent is not None and not sent.payloads:
            raise MediaStreamError
        return sent

    async def send(self, *pictures: Picture) -> None:
        for each in pictures:
            self.pictures.put_nowait(each)
        await asyncio.sleep(0.1)


def test_a_picture_becomes_packets_in_order_with_the_marker_on_the_last() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(picture(3, 0), picture(2, 3000))
        packets = stream.packets
        first = packets[0].sequence_number
        assert [p.sequence_number for p in packets] == [first + n for n in range(5)]
        assert [p.marker for p in packets] == [0, 0, 1, 0, 1]
        assert [(p.timestamp - packets[0].timestamp) % (1 << 32) for p in packets] == [
            *(0, 0, 0, 3000, 3000)
        ]
        assert [p.payload[0] for p in packets] == [0, 1, 2, 0, 1]
        assert {p.payload_type for p in packets} == {VP8.payloadType}
        assert [timestamp for _, timestamp in stream.left] == [0, 3000]
        (stats,) = (await stream.sender.getStats()).values()
        assert (stats.packetsSent, stats.bytesSent) == (5, 5000)
        await stream.sender.stop()
        assert stream.ended

    simulate(main)


def test_a_large_picture_is_spread_over_8_ms_and_an_ordinary_one_is_not() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(picture(11, 0))
        await stream.send(picture(80, 3000))
        times = [at for at, _ in stream.wire.sent]
        assert times[0] == times[10]
        large = times[11:]
        assert large[11] == large[0] < large[12]
        assert 0.006 < large[-1] - large[0] <= 0.008
        assert stream.left[1][0] == pytest.approx(large[-1], abs=0.001)
        await stream.sender.stop()

    simulate(main)


def test_a_lost_packet_is_sent_again_at_once_by_rtx() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(*(picture(10, 3000 * n) for n in range(25)))  # 250 packets
        lost = stream.packets[3]
        await stream.nack(lost.sequence_number, (lost.sequence_number - 4) % 65_536)
        (again,) = stream.again
        assert again.payload == lost.sequence_number.to_bytes(2, "big") + lost.payload
        assert (again.payload_type, again.marker) == (RTX.payloadType, lost.marker)
        assert again.timestamp == lost.timestamp
        await stream.nack(lost.sequence_number)
        assert len(stream.again) == 1  # it is on its way
        await asyncio.sleep(0.05)
        await stream.nack(lost.sequence_number)
        assert [p.sequence_number for p in stream.again] == [
            again.sequence_number,
            again.sequence_number + 1,
        ]
        assert (stream.delivery.nacks, stream.delivery.history.gone) == (3, 1)
        await stream.sender.stop()

    simulate(main)


@pytest.mark.parametrize(("loss", "copies"), [(0.0, 1), (0.03, 1), (0.1, 2), (0.4, 1)])
def test_over_a_lossy_link_it_is_sent_again_twice(loss: float, copies: int) -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(*(picture(10, 3000 * n) for n in range(10)))
        await stream.report(0.0, 1000)
        await stream.report(loss, 2000)
        lost = stream.packets[50]
        await stream.nack(lost.sequence_number)
        assert len(stream.again) == 1
        await asyncio.sleep(APART_S)
        await asyncio.sleep(0)
        assert len(stream.again) == copies
        assert len({p.sequence_number for p in stream.again}) == copies
        assert {p.payload[2:] for p in stream.again} == {lost.payload}
        assert stream.delivery.history.resent == copies
        await stream.sender.stop()

    simulate(main)


def test_a_second_request_is_answered_twice() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(picture(1, 0))
        (lost,) = stream.packets
        for copies in (1, 3):
            await stream.nack(lost.sequence_number)
            await asyncio.sleep(0.05)
            assert len(stream.again) == copies
        await stream.sender.stop()

    simulate(main)


def test_without_rtx_there_is_no_second_copy() -> None:
    async def main() -> None:
        stream = Stream([VP8])
        await stream.start()
        await stream.send(picture(1, 0))
        (lost,) = stream.packets
        for sent in (2, 3):
            await stream.nack(lost.sequence_number)
            await asyncio.sleep(0.05)
            assert len(stream.packets) == sent
        await stream.sender.stop()

    simulate(main)


def test_a_copy_that_is_due_after_the_end_is_left_out() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(picture(1, 0))
        (lost,) = stream.packets
        await stream.nack(lost.sequence_number)
        await asyncio.sleep(0.05)
        await stream.nack(lost.sequence_number)
        stream.wire.broken = True
        await asyncio.sleep(0.05)
        assert len(stream.again) == 2
        await stream.sender.stop()

    simulate(main)


def test_a_packet_sent_again_carries_the_time_of_that() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(picture(1, 0))
        (lost,) = stream.packets
        kept = stream.delivery.history._packets[lost.sequence_number].packet
        kept.extensions.abs_send_time = 1
        await stream.nack(lost.sequence_number)
        assert stream.again[0].extensions.abs_send_time not in (None, 1)
        assert kept.extensions.abs_send_time == 1
        await stream.sender.stop()

    simulate(main)


def test_without_rtx_the_packet_itself_is_sent_again() -> None:
    async def main() -> None:
        stream = Stream([VP8])
        await stream.start()
        await stream.send(picture(2, 0))
        lost = stream.packets[1]
        await stream.nack(lost.sequence_number)
        again = stream.packets[2]
        assert (again.sequence_number, again.payload) == (lost.sequence_number, lost.payload)
        await stream.sender.stop()

    simulate(main)


def test_reports_of_the_receiver_reach_the_rate() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        now = asyncio.get_running_loop().time()
        await stream.remb(1_000_000)
        assert stream.rate.target(now) == pytest.approx(1_000_000, rel=1e-3)
        await stream.report(0.0, 1000)
        await stream.report(0.5, 2000)
        assert stream.rate.loss == pytest.approx(0.5)
        assert stream.rate.target(now) == pytest.approx(500_000, rel=1e-2)
        await stream.sender.stop()

    simulate(main)


@pytest.mark.parametrize("fci", [b"", b"REMB", b"REMB\x05\xff\xff\xff", b"NOPE" + bytes(8)])
def test_a_broken_remb_is_left_out(fci: bytes) -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.feedback(fci)
        assert stream.rate.target(asyncio.get_running_loop().time()) == LIMITS.start_bps
        await stream.sender.stop()

    simulate(main)


def test_requests_for_a_key_frame_are_handed_on() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.pli()
        assert stream.key_frames_wanted == 1
        await stream.sender.stop()

    simulate(main)


def test_sender_reports_pair_the_latest_moment_that_was_shown_in_its_time() -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(picture(1, 3000))
        origin = (stream.packets[0].timestamp - 3000) % (1 << 32)
        await stream.send(picture(1, 3090, repeated=True))
        await asyncio.sleep(2)
        reports = [r for r in stream.wire.reports if isinstance(r, RtcpSrPacket)]
        assert reports
        assert (reports[0].sender_info.rtp_timestamp - origin) % (1 << 32) == 3000
        assert reports[0].sender_info.packet_count == 2
        await stream.sender.stop()

    simulate(main)


@pytest.mark.parametrize("end", ["track", "wire", "error"])
def test_whatever_ends_it_the_sender_can_be_stopped(
    end: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        stream = Stream()
        await stream.start()
        await stream.send(picture(1, 0))
        if end == "track":
            await stream.send(picture(0, 0))
        elif end == "wire":
            stream.wire.broken = True
            await stream.send(picture(1, 3000))
        else:
            replace_private(stream.sender, "mid", None)
            stream.pictures.put_nowait("no picture")  # type: ignore[arg-type]
            await asyncio.sleep(0.1)
        assert stream.ended
        assert private(stream.sender, "track") is None
        stream.wire.broken = False
        await stream.sender.stop()

    simulate(main)
    assert ("outgoing video has ended" in caplog.text) == (end == "error")
