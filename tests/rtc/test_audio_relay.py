"""Sound leaves as late as the video, in order, whole, and never more of it than may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtpPacket
from numpy.typing import NDArray

from stream_retouch.rtc.added_delay import AddedDelay
from stream_retouch.rtc.audio_relay import (
    FOLLOWS,
    LONGEST_DELAY_S,
    MOST_UNREAD,
    MOST_WAITING,
    USUAL_DELAY_S,
    AudioRelay,
)
from stream_retouch.rtc.peer import Peer, PeerOptions
from tests.rtc.client import Client, closing, run, until
from tests.rtc.simulated import simulate
from tests.rtc.test_audio import Tone, pitch, sound

STEP = 960
FRAME_S = 0.02


class Room:
    """A relay and one who writes down what is heard, and when."""

    def __init__(self, delay_s: float = 0.03) -> None:
        self.video_delay_s = delay_s
        self.relay = AudioRelay(lambda: self.video_delay_s)
        self.heard: list[tuple[float, int]] = []
        self._loop = asyncio.get_running_loop()
        self.relay.add_sink(
            lambda sound: self.heard.append((self._loop.time(), round(sound.pts or 0)))
        )

    def put(self, number: int, ssrc: int = 7, base: int = 1000) -> None:
        timestamp = (base + STEP * number) % (1 << 32)
        self.relay.put_rtp(RtpPacket(111, 0, number, timestamp, ssrc, bytes([number % 256])))

    async def say(self, first: int, count: int, **source: int) -> None:
        for number in range(first, first + count):
            self.put(number, **source)
            await asyncio.sleep(FRAME_S)


def in_room(play: Callable[[Room], Any], delay_s: float = 0.03) -> Room:
    """Plays in simulated time."""
    rooms: list[Room] = []

    async def main() -> None:
        rooms.append(Room(delay_s))
        await play(rooms[0])
        await asyncio.sleep(2.0)
        rooms[0].relay.close()

    simulate(main)
    return rooms[0]


def test_every_packet_leaves_as_late_as_the_video() -> None:
    room = in_room(lambda room: room.say(0, 50))
    assert [pts for _, pts in room.heard] == [STEP * n for n in range(50)]
    assert [at for at, _ in room.heard] == pytest.approx([n * FRAME_S + 0.03 for n in range(50)])


def test_the_delay_follows_the_video_s_slowly_and_nothing_is_lost_or_doubled() -> None:
    async def play(room: Room) -> None:
        await room.say(0, 50)
        room.video_delay_s = 0.08
        await room.say(50, 100)
        room.video_delay_s = 0.02
        await room.say(150, 100)

    room = in_room(play)
    assert [pts for _, pts in room.heard] == [STEP * n for n in range(250)]
    late = np.array([at - n * FRAME_S for n, (at, _) in enumerate(room.heard)])
    assert np.abs(np.diff(late)).max() <= FOLLOWS * FRAME_S + 1e-9
    assert late[49] == pytest.approx(0.03)
    assert late[149] == pytest.approx(0.03 + 100 * FRAME_S * FOLLOWS)
    assert late[249] == pytest.approx(0.03, abs=1e-3)


def test_a_wild_delay_is_bounded() -> None:
    for wild, bound in ((1e9, LONGEST_DELAY_S), (-5.0, 0.0)):
        room = in_room(lambda room: room.say(0, 3), delay_s=wild)
        assert room.relay.delay_s == bound
        assert room.heard[0][0] == pytest.approx(bound)


def test_packets_out_of_order_are_put_in_order() -> None:
    async def play(room: Room) -> None:
        for number in (0, 2, 1, 3):
            room.put(number)
            await asyncio.sleep(0.005)

    room = in_room(play)
    assert [pts for _, pts in room.heard] == [0, STEP, 2 * STEP, 3 * STEP]


def test_what_comes_twice_or_after_its_place_is_left_out() -> None:
    async def play(room: Room) -> None:
        for number in (0, 1, 1, 3):
            room.put(number)
        await asyncio.sleep(0.1)
        room.put(2)
        room.put(4)

    room = in_room(play)
    assert [pts // STEP for _, pts in room.heard] == [0, 1, 3, 4]
    assert room.relay.dropped == 2


def test_the_clock_may_wrap_and_a_new_source_goes_on_where_the_old_one_was() -> None:
    async def play(room: Room) -> None:
        await room.say(0, 10, base=(1 << 32) - 5 * STEP)
        await room.say(0, 10, ssrc=8, base=123_456)
        await room.say(0, 10, ssrc=8, base=3_000_000_000)

    room = in_room(play)
    assert [pts for _, pts in room.heard] == [STEP * n for n in range(30)]


def test_no_more_than_a_second_waits() -> None:
    async def play(room: Room) -> None:
        for number in range(1000):
            room.put(number)
        assert len(room.relay._waiting) == MOST_WAITING

    room = in_room(play)
    assert room.relay.passed == MOST_WAITING
    assert room.relay.dropped == 1000 - MOST_WAITING


def test_while_nobody_listens_nothing_waits() -> None:
    async def main() -> None:
        relay = AudioRelay(lambda: 0.03)
        track = relay.track()
        track.stop()
        relay.put(sound(0))
        assert relay._waiting == [] and relay._timer is None
        relay.close()

    simulate(main)


def test_everyone_who_listens_gets_everything_from_then_on() -> None:
    async def main() -> None:
        relay = AudioRelay(lambda: 0.01)
        early = relay.track()
        relay.put(sound(0))
        await asyncio.sleep(0.02)
        late = relay.track()
        relay.put(sound(STEP))
        assert [(await early.recv()).pts for _ in range(2)] == [0, STEP]
        assert (await late.recv()).pts == STEP
        relay.close()
        for track in (early, late, relay.track()):
            with pytest.raises(MediaStreamError):
                await track.recv()

    simulate(main)


def test_one_who_does_not_read_loses_the_oldest_and_holds_up_nobody() -> None:
    async def main() -> None:
        relay = AudioRelay(lambda: 0.0)
        lazy, keen = relay.track(), relay.track()
        for number in range(MOST_UNREAD + 30):
            relay.put(sound(STEP * number))
            await asyncio.sleep(FRAME_S)
            assert (await keen.recv()).pts == STEP * number
        assert lazy.dropped == 30
        assert (await lazy.recv()).pts == STEP * 30
        relay.close()

    simulate(main)


def test_sound_without_a_time_stamp_and_packets_without_payload_are_left_out() -> None:
    async def play(room: Room) -> None:
        unstamped = sound(0)
        unstamped.pts = None
        room.relay.put(unstamped)
        room.relay.put_rtp(RtpPacket(111, ssrc=7))

    assert in_room(play).heard == []


def test_a_closed_relay_takes_nothing() -> None:
    async def play(room: Room) -> None:
        room.put(0)
        room.relay.close()
        room.relay.close()
        room.put(1)

    assert in_room(play).heard == []


def test_the_delay_of_a_session_is_its_video_s_median() -> None:
    video = AddedDelay()
    delay = AudioRelay.delay_of(video)
    assert delay() == USUAL_DELAY_S
    for n, waited in enumerate((0.02, 0.024, 0.9)):
        video.arrived(n, 0.0)
        video.left(n, waited)
    assert delay() == pytest.approx(0.024)


class Ear:
    """Reads a returned track."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.frames: list[av.AudioFrame] = []
        self.task = asyncio.create_task(self._read(track))

    async def _read(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self.frames.append(frame)
        except MediaStreamError:
            pass

    @property
    def samples(self) -> NDArray[np.int16]:
        """What was heard, left ear, at 16 kHz."""
        return np.concatenate([f.to_ndarray().reshape(-1)[::6] for f in self.frames])


@pytest.mark.parametrize("relay", [True, False])
def test_a_client_hears_itself_where_that_is_switched_on(relay: bool) -> None:
    async def main() -> None:
        tone, ears = Tone(), []
        peer = Peer(PeerOptions(relay_audio=relay, audio=True))
        client = Client()
        client.pc.addTransceiver(tone, direction="sendrecv")
        client.pc.on(
            "track", lambda track: ears.append(Ear(track)) if track.kind == "audio" else None
        )
        answer = await client.connect(peer)
        sound_part = answer.split("m=audio")[1].split("m=")[0]
        assert ("a=sendrecv" in sound_part) == relay
        assert "opus/48000/2" in sound_part
        if relay:
            await until(lambda: bool(ears) and sum(f.samples for f in ears[0].frames) > 48_000)
            assert abs(pitch(ears[0].samples[4_000:]) - 440) < 5
            stamps = [frame.pts for frame in ears[0].frames]
            assert set(np.diff(stamps)) == {STEP}
            assert peer._audio.dropped > 3  # nobody else listens, and nothing piles up
        else:
            await until(lambda: peer._audio.dropped > 3)
        tone.stop()
        await closing(peer, client)
        for ear in ears:
            ear.task.cancel()
            await asyncio.wait([ear.task])

    run(main)
