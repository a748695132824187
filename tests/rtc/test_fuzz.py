"""Whatever a client sends for a connection is answered or left out; nobody else notices."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from stream_retouch.errors import SdpError
from stream_retouch.rtc.peer import Peer, PeerOptions
from stream_retouch.rtc.publisher import Publisher
from stream_retouch.rtc.sdp import MAX_OFFER_BYTES, PUBLISH, SESSION, WATCH, check_offer
from stream_retouch.rtc.trickle import Fragment, parse_fragment
from tests.fuzzing import FRAGMENT, OFFER, bounded, broken

TIMEOUT_S = 20.0
OFFERS = st.one_of(
    st.text(max_size=200),
    st.text(max_size=200).map("v=0\r\n".__add__),
    broken(OFFER),
    broken(OFFER),
)
FRAGMENTS = st.one_of(st.text(max_size=200), broken(FRAGMENT), broken(OFFER))


def sentence(error: SdpError) -> None:
    """A refusal says what is wrong, and what to do."""
    assert ";" in str(error) and len(str(error)) < MAX_OFFER_BYTES


@bounded(150)
@given(OFFERS, st.sampled_from([SESSION, PUBLISH, WATCH]))
def test_any_offer_is_accepted_or_refused_with_a_sentence(offer: str, wanted: Any) -> None:
    try:
        check_offer(offer, wanted)
    except SdpError as error:
        sentence(error)


async def answered(peer: Peer, offer: str) -> bool:
    """Whether there is an answer; all else but a refusal fails."""
    try:
        assert (await peer.answer(offer)).startswith("v=0")
    except SdpError as error:
        sentence(error)
        return False
    return True


@bounded(120)
@given(broken(OFFER), st.sampled_from([Peer, Publisher]))
@example(OFFER, Peer)
@example(OFFER, Publisher)
def test_any_offer_is_answered_or_refused_and_the_next_client_is_answered(
    offer: str, kind: type[Peer]
) -> None:
    faults: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: faults.append(what))
        async with asyncio.timeout(TIMEOUT_S):
            options = PeerOptions(audio=True, relay_audio=True)
            bad, good = kind(options), kind(options)
            done = await answered(bad, offer)
            assert done or offer != OFFER
            assert await answered(good, OFFER)
            await bad.close()
            assert good.end_reason is None
            await good.close()

    asyncio.run(main())
    assert faults == []


@bounded(200)
@given(FRAGMENTS)
def test_any_fragment_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        fragment = parse_fragment(text)
    except SdpError as error:
        sentence(error)
        return
    assert all(0 < each.port < 65_536 for each in fragment.candidates)


@bounded(100)
@given(st.lists(FRAGMENTS, min_size=1, max_size=3))
def test_any_fragment_is_taken_by_a_connection_or_left_out(texts: list[str]) -> None:
    async def main() -> None:
        peer = Peer(PeerOptions())
        async with asyncio.timeout(TIMEOUT_S):
            assert await answered(peer, OFFER)
            for text in texts:
                try:
                    await peer.trickle(parse_fragment(text))
                except SdpError as error:
                    sentence(error)
            assert await peer.trickle(parse_fragment(FRAGMENT))
            assert not await peer.trickle(Fragment("another"))
            assert peer.end_reason is None
            await peer.close()

    asyncio.run(main())
