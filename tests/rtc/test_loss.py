"""The real receiver over a network that loses, delays and breaks off: how long the picture stands.

Round trip 50 ms, 30 frames of 8 packets a second, in simulated time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiortc.rtp import RtpPacket

from tests.rtc.simulated import RTX_SSRC, Camera, Chance, SimulatedLoop, simulate

Lost = Callable[[RtpPacket], bool]


def filmed(seconds: float, check: Callable[[Camera], None], make: Callable[[], Camera]) -> None:
    async def main() -> None:
        camera = make()
        await camera.film(seconds)
        assert in_order(camera)
        check(camera)

    simulate(main)


def in_order(camera: Camera) -> bool:
    """Whether every frame shown follows the one before, or is a key frame."""
    numbers = [number for _, number in camera.shown]
    pairs = zip(numbers, numbers[1:], strict=False)
    return all(after == before + 1 or after in camera.keys for before, after in pairs)


def number_of(packet: RtpPacket) -> int:
    """Its place in the stream, whether it is sent for the first time or again."""
    again = packet.ssrc == RTX_SSRC
    sequence = int.from_bytes(packet.payload[:2], "big") if again else packet.sequence_number
    return (sequence - 65_000) & 0xFFFF


def losing(number: int, times: int) -> Lost:
    """Loses one packet, and what is sent in its place, so many times in all."""
    losses = [number] * times

    def lost(packet: RtpPacket) -> bool:
        if number_of(packet) not in losses:
            return False
        losses.pop()
        return True

    return lost


def during(start_s: float, end_s: float) -> Lost:
    """Loses everything for a while."""
    loop = asyncio.get_running_loop()
    return lambda packet: start_s <= loop.time() < end_s


def test_without_loss_nothing_is_asked_for_and_no_frame_is_missing() -> None:
    def check(camera: Camera) -> None:
        assert len(camera.shown) == 300 and camera.freeze_ms < 1
        counts = camera.stream.reception.counts
        assert (counts.nacks_sent, counts.plis_sent, counts.gaps, counts.frozen_s) == (0, 0, 0, 0)
        assert camera.bitrate_bps is not None and camera.bitrate_bps > 2_500_000

    filmed(10, check, Camera)


@pytest.mark.parametrize("place", [0, 3, 7])  # in its frame
def test_a_packet_and_its_first_retransmission_lost(place: int) -> None:
    def check(camera: Camera) -> None:
        assert len(camera.shown) == 150
        assert camera.freeze_ms <= 200  # with a round trip that is not known yet
        counts = camera.stream.reception.counts
        assert (counts.nacks_sent, counts.plis_sent, counts.given_up) == (2, 0, 0)
        assert (counts.gaps, counts.packets_lost) == (1, 1)

    filmed(5, check, lambda: Camera(lost=losing(560 + place, times=2)))


def test_a_packet_that_never_comes_costs_the_frames_up_to_a_key_frame() -> None:
    def check(camera: Camera) -> None:
        assert camera.freeze_ms <= 300
        counts = camera.stream.reception.counts
        assert (counts.given_up, counts.plis_sent, len(camera.keys)) == (1, 1, 2)
        assert counts.nacks_sent <= 4  # not asked for any more once the key frame is here
        assert counts.freezes == 1 and counts.frozen_s == pytest.approx(0.3, abs=0.1)

    filmed(5, check, lambda: Camera(lost=losing(563, times=99)))


def test_a_packet_that_comes_while_the_key_frame_is_on_its_way_is_used() -> None:
    def check(camera: Camera) -> None:
        counts = camera.stream.reception.counts
        assert (counts.given_up, counts.plis_sent, len(camera.keys)) == (0, 1, 2)
        assert len(camera.shown) == 150 and camera.freeze_ms <= 200

    def make() -> Camera:
        once, thrice = (
            losing(320, times=1),
            losing(563, times=3),
        )  # after one the round trip is known
        return Camera(lost=lambda packet: once(packet) or thrice(packet))

    filmed(5, check, make)


def test_the_very_first_packet_lost() -> None:
    def check(camera: Camera) -> None:
        at, number = camera.shown[0]
        assert at < 0.3 and number in camera.keys

    filmed(2, check, lambda: Camera(lost=losing(0, times=99)))


@pytest.mark.parametrize(("share", "most_ms"), [(0.01, 200), (0.03, 300), (0.10, 600)])
def test_loss_freezes_for_a_short_time_only(share: float, most_ms: float) -> None:
    def check(camera: Camera) -> None:
        assert camera.freeze_ms <= most_ms
        assert len(camera.shown) >= 0.97 * 900

    filmed(30, check, lambda: Camera(lost=Chance(share).lost))


def test_reordering_costs_nothing() -> None:
    def check(camera: Camera) -> None:
        assert len(camera.shown) == 600 and camera.freeze_ms < 5
        counts = camera.stream.reception.counts
        assert (counts.plis_sent, counts.given_up) == (0, 0)
        assert counts.nacks_sent < 5

    filmed(20, check, lambda: Camera(late_s=Chance(0.05).late_s))


@pytest.mark.parametrize("outage_s", [0.3, 1.0, 5.0])
def test_after_an_outage_the_picture_is_back_soon(outage_s: float) -> None:
    def check(camera: Camera) -> None:
        assert camera.freeze_ms / 1000 < outage_s + 0.15
        assert camera.shown[-1][1] == 30 * 10 - 1
        assert camera.stream.reception.counts.stalls == (outage_s > 3)

    filmed(10, check, lambda: Camera(lost=during(2, 2 + outage_s)))


def test_a_loop_that_stands_still_is_not_taken_for_a_slow_network() -> None:
    async def main() -> None:
        camera = Camera()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        for second in range(1, 10):
            loop.call_later(second, loop.stand_still, 0.3)
        await camera.film(10)
        assert camera.bitrate_bps is not None and camera.bitrate_bps > 2_500_000

    simulate(main)
