"""Small rules: added delay, liveness, candidates."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from stream_retouch.errors import SettingsError
from stream_retouch.rtc.added_delay import HISTORY, WAITING, AddedDelay
from stream_retouch.rtc.candidates import addresses_for
from stream_retouch.rtc.liveness import Liveness
from tests.rtc.client import run
from tests.rtc.simulated import simulate


def test_the_added_delay_runs_from_the_last_packet_in_to_the_last_packet_out() -> None:
    delay = AddedDelay()
    delay.arrived(0, 10.000)
    delay.arrived(3000, 10.033)
    delay.left(3000, 10.043)
    delay.left(3000, 11.000)  # once only
    delay.left(9000, 11.000)  # never came in
    assert delay.samples_ms == pytest.approx((10.0,))


def test_percentiles_are_none_before_the_first_sample() -> None:
    delay = AddedDelay()
    assert (delay.p50_ms, delay.p95_ms) == (None, None)
    for n in range(101):
        delay.arrived(n, 0.0)
        delay.left(n, n / 1000)
    assert (delay.p50_ms, delay.p95_ms) == pytest.approx((50, 95))


def test_neither_samples_nor_frames_that_never_leave_pile_up() -> None:
    delay = AddedDelay()
    for n in range(WAITING + 10):
        delay.arrived(n, 0.0)
    delay.left(9, 1.0)  # forgotten
    assert delay.samples_ms == ()
    for n in range(10_000, 10_000 + 2 * HISTORY):
        delay.arrived(n, 0.0)
        delay.left(n, 1.0)
    assert len(delay.samples_ms) == HISTORY


class Line:
    """An ICE connection's two entrances."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def data_received(self, data: bytes, component: int) -> None:
        self.taken.append(data)

    def request_received(self, message: str, addr: tuple[str, int], protocol: object) -> None:
        self.taken.append(message)


def test_silence_is_noticed_once_and_everything_heard_still_arrives() -> None:
    async def main() -> None:
        line, silent = Line(), asyncio.Event()
        liveness = Liveness([cast(Any, line)], 0.1, silent.set)
        liveness.start()
        liveness.start()
        line.data_received(b"packet", 1)
        line.request_received("check", ("127.0.0.1", 1), None)
        assert line.taken == [b"packet", "check"]
        await silent.wait()
        assert liveness.silent_s >= 0.1
        liveness.stop()

    run(main)


@pytest.mark.parametrize("heard_s", [0.0, 0.1, 3.0, 25.0, 27.6])
def test_silence_is_noticed_when_it_has_lasted_long_enough_and_no_step_later(
    heard_s: float,
) -> None:
    async def main() -> None:
        loop, line, silent = asyncio.get_running_loop(), Line(), asyncio.Event()
        liveness = Liveness([cast(Any, line)], 9.0, silent.set)
        liveness.start()
        while loop.time() < heard_s:
            await asyncio.sleep(0.1)
            line.data_received(b"packet", 1)
        last_s = loop.time()
        await silent.wait()
        assert loop.time() - last_s == pytest.approx(9.0, abs=0.001)

    simulate(main)


def test_a_watch_that_was_stopped_says_nothing() -> None:
    async def main() -> None:
        liveness = Liveness([], 0.0, lambda: pytest.fail("it was stopped"))
        liveness.stop()
        heard = Liveness([], 0.01, lambda: pytest.fail("it was stopped"))
        heard.start()
        heard.stop()
        witness = asyncio.Event()
        Liveness([], 0.05, witness.set).start()
        await witness.wait()

    run(main)


INTERFACES = ["192.0.2.7", "2001:db8::7"]


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("localhost", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("192.0.2.7", ["192.0.2.7"]),
        ("0.0.0.0", [*INTERFACES, "127.0.0.1"]),
        ("::", [*INTERFACES, "127.0.0.1"]),
    ],
)
def test_media_is_taken_where_the_service_is_bound(host: str, addresses: list[str]) -> None:
    assert addresses_for(host, lambda: INTERFACES) == addresses


def test_a_host_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot take media on 'example.org'; bind to an IP"):
        addresses_for("example.org")
