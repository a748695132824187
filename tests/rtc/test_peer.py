"""Two real peers over loopback: ours, and aiortc as the browser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from stream_retouch.errors import SdpError, ServiceUnavailable, SettingsError
from stream_retouch.latest import Closed
from stream_retouch.rtc.peer import Peer, PeerOptions
from tests.rtc.client import MARK, Client, Worker, closing, first, luma_of, run, until


def is_marked(frame: object) -> bool:
    return abs(float(luma_of(frame)[8:24, 8:24].mean()) - MARK) < 10  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_frames_come_back_as_the_worker_made_them(codec: str) -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client(codec=codec)
        Worker(peer)
        answer = await client.connect(peer)
        assert f"{codec}/90000" in answer
        frame = await first(client.returned, is_marked)
        assert (frame.width, frame.height) == (320, 240)
        assert float(luma_of(frame)[100:, 100:].mean()) == pytest.approx(62, abs=8)
        assert peer.connected
        assert peer.received >= 1 and peer.sent >= 1
        await closing(peer, client)

    run(main)


def test_a_frame_keeps_its_source_time_through_the_session() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client()
        Worker(peer)
        await client.connect(peer)
        stamps = [(await client.returned.get()).pts or 0 for _ in range(20)]
        steps = [later - earlier for earlier, later in zip(stamps, stamps[1:], strict=False)]
        # Dropped frames leave gaps, but every step is a whole number of source frames.
        assert all(step > 0 and step % 3000 == 0 for step in steps)
        await closing(peer, client)

    run(main)


def test_the_added_delay_is_measured_on_every_returned_frame() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client()
        Worker(peer)
        await client.connect(peer)
        await until(lambda: len(peer.added_ms) >= 10)
        assert len(peer.added_ms) <= peer.sent
        assert all(0 < sample < 10_000 for sample in peer.added_ms)
        p50, p95 = peer.added_delay.p50_ms, peer.added_delay.p95_ms
        assert p50 is not None and p95 is not None and p50 <= p95
        await closing(peer, client)

    run(main)


@pytest.mark.parametrize("label", ["control", "anything"])
def test_messages_go_both_ways(label: str) -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client(label=label)
        peer.on_message = lambda text: answers.append(peer.send_message(f"got {text}"))
        answers: list[bool] = []
        assert peer.send_message("nobody there yet") is False
        await client.connect(peer)
        await client.opened.wait()
        client.channel.send("keep my freckles")
        assert await client.messages.get() == "got keep my freckles"
        assert answers == [True]
        await closing(peer, client)
        assert peer.send_message("nobody there any more") is False

    run(main)


def test_a_message_handler_that_raises_does_not_end_the_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client()

        def handle(text: str) -> None:
            if text == "bad":
                raise ValueError("no such thing")
            peer.send_message(text)

        peer.on_message = handle
        await client.connect(peer)
        await client.opened.wait()
        client.channel.send("bad")
        client.channel.send(b"binary is ignored")
        client.channel.send("good")
        assert await client.messages.get() == "good"
        await closing(peer, client)

    run(main)
    assert "handling a control message failed" in caplog.text


def test_audio_in_the_offer_is_answered_inactive_and_video_flows() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client(audio=True)
        Worker(peer)
        answer = await client.connect(peer)
        audio = answer.split("m=audio")[1].split("m=")[0]
        assert "a=inactive" in audio
        await first(client.returned, is_marked)
        await closing(peer, client)

    run(main)


def test_a_sender_that_wants_nothing_back_is_received() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client(direction="sendonly")
        answer = await client.connect(peer)
        assert "a=recvonly" in answer.split("m=video")[1]
        await until(lambda: peer.received >= 3)
        assert peer.sent == 0
        await closing(peer, client)

    run(main)


def test_the_answer_prefers_h264_and_tells_the_start_rate() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions(google_min_bitrate_bps=1_250_000)), Client()
        answer = await client.connect(peer)
        video = answer.split("m=video")[1]
        assert video.index("H264/90000") < video.index("VP8/90000")
        hints = "x-google-start-bitrate=2500;x-google-min-bitrate=1250;x-google-max-bitrate=5000"
        assert video.count(hints) == 3  # two H.264 profiles and VP8
        assert "x-google" not in video.split("apt=")[1].splitlines()[0]
        await closing(peer, client)

    run(main)


def test_a_session_bound_to_loopback_offers_loopback_only() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client()
        answer = await client.connect(peer)
        candidates = [line for line in answer.splitlines() if line.startswith("a=candidate")]
        assert candidates
        assert all(line.split()[4] == "127.0.0.1" for line in candidates)
        await closing(peer, client)

    run(main)


def test_two_sessions_have_their_own_bounds() -> None:
    async def main() -> None:
        small, large = Peer(PeerOptions(max_bitrate_bps=400_000)), Peer(PeerOptions())
        clients = [Client(), Client()]
        workers = [Worker(small), Worker(large)]
        for peer, client in zip((small, large), clients, strict=True):
            await client.connect(peer)
        for client in clients:
            await first(client.returned, is_marked)
        bounds = [peer._sending._encoder.limits.max_bps for peer in (small, large)]  # type: ignore[union-attr]
        assert bounds == [400_000, 3_000_000]
        await closing(small, large, *clients)
        for worker in workers:
            worker.thread.join(10)

    run(main)


def test_a_picture_that_changes_to_an_odd_size_is_still_sent() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client(codec="VP8")
        Worker(peer, change=lambda frame: frame)
        await client.connect(peer)
        await client.returned.get()
        client.camera.size = (427, 241)
        frame = await first(client.returned, lambda frame: frame.width != 320)
        assert (frame.width, frame.height) == (426, 240)
        await closing(peer, client)

    run(main)


def test_a_second_offer_is_refused_and_the_session_lives_on() -> None:
    async def main() -> None:
        peer, client, other = Peer(PeerOptions()), Client(), Client()
        Worker(peer)
        await client.connect(peer)
        with pytest.raises(SdpError, match="this session has its offer already"):
            await peer.answer(await other.offer())
        await first(client.returned, is_marked)
        await closing(peer, client, other)

    run(main)


def test_after_a_refused_offer_nothing_is_left() -> None:
    async def main() -> None:
        client = Client()
        offer = (await client.offer()).replace("ice-pwd", "ice-word")
        for bad in ("hello", "v=0\r\nm=video nonsense\r\n", offer):
            peer = Peer(PeerOptions())
            with pytest.raises(SdpError):
                await peer.answer(bad)
            await peer.close()
        await client.close()

    run(main)


def test_an_offer_that_aiortc_cannot_use_is_refused_with_a_sentence() -> None:
    async def main() -> None:
        client = Client(audio=True)
        offer = (await client.offer()).replace("a=rtcp-mux\r\n", "")
        peer = Peer(PeerOptions())
        with pytest.raises(SdpError, match="the offer cannot be used: RTCP mux is not enabled"):
            await peer.answer(offer)
        await closing(peer, client)
        with pytest.raises(Closed):
            peer.frames.get()

    run(main)


def test_an_address_that_is_not_of_this_machine_is_said_so() -> None:
    async def main() -> None:
        client, peer = Client(), Peer(PeerOptions(host="198.51.100.7"))
        with pytest.raises(ServiceUnavailable, match="no port for media .* on 198.51.100.7"):
            await peer.answer(await client.offer())
        await closing(peer, client)

    run(main)


def test_a_host_that_is_no_address_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="bind to an IP address"):
        Peer(PeerOptions(host="nowhere.example"))


def test_close_ends_both_sides_and_may_be_called_twice_at_once() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client()
        peer.on_closed = lambda: pytest.fail("close is no surprise to who called it")
        worker = Worker(peer)
        await client.connect(peer)
        await first(client.returned, is_marked)
        await closing(peer, peer)
        await peer.close()
        await client.ended.wait()
        worker.thread.join(10)
        assert not worker.thread.is_alive()
        assert not peer.connected
        peer.send(await client.returned.get() if not client.returned.empty() else None)  # type: ignore[arg-type]
        await client.close()

    run(main)


def test_a_session_that_never_answered_can_be_closed() -> None:
    async def main() -> None:
        peer = Peer(PeerOptions())
        await peer.close()
        with pytest.raises(SdpError):
            await peer.answer("v=0")

    run(main)


def ended_by(leave: Callable[[Client], None]) -> tuple[int, str | None]:
    """Connects, lets the client leave by `leave`; how often on_closed was called, and why."""
    calls: list[None] = []
    reasons: list[str | None] = []

    async def main() -> None:
        peer, client = Peer(PeerOptions(silence_timeout_s=1.0)), Client()
        closed = asyncio.Event()

        def on_closed() -> None:
            calls.append(None)
            closed.set()

        peer.on_closed = on_closed
        worker = Worker(peer)
        await client.connect(peer)
        await first(client.returned, is_marked)
        leave(client)
        await closed.wait()
        reasons.append(peer.end_reason)
        await closing(peer, client)
        worker.thread.join(10)

    run(main)
    return len(calls), reasons[0]


def test_a_client_that_leaves_ends_the_session_once() -> None:
    tasks: list[asyncio.Task[None]] = []
    calls, reason = ended_by(lambda client: tasks.append(asyncio.create_task(client.close())))
    assert calls == 1
    assert reason == "the other side has left; start a new session"


def test_a_client_that_is_killed_ends_the_session_once() -> None:
    calls, reason = ended_by(lambda client: client.kill())
    assert calls == 1
    assert reason == "nothing came from the other side for too long; start a new session"


def test_a_client_that_never_connects_is_given_up() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions(connect_timeout_s=0.2)), Client()
        closed = asyncio.Event()
        peer.on_closed = closed.set
        await peer.answer(await client.offer())
        await closed.wait()
        assert peer.end_reason is not None and "never connected" in peer.end_reason
        await closing(peer, client)

    run(main)
