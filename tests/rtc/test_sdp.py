"""Which offers are refused, and what is written into an answer."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from stream_retouch.errors import SdpError
from stream_retouch.rtc.sdp import (
    MAX_OFFER_BYTES,
    check_offer,
    codec_preferences,
    with_rate_hints,
    without_mdns,
)


def offered(videos: int = 1, audios: int = 0, direction: str = "sendrecv") -> str:
    """An offer as aiortc makes it, without candidates."""

    async def make() -> str:
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for _ in range(audios):
            pc.addTransceiver("audio")
        for _ in range(videos):
            pc.addTransceiver("video", direction=direction)
        if not videos + audios:
            pc.createDataChannel("control")
        offer = await pc.createOffer()
        await pc.close()
        return offer.sdp

    return asyncio.run(make())


GOOD = offered()


@pytest.mark.parametrize(
    "offer",
    [GOOD, offered(audios=2), offered(direction="sendonly")],
    ids=["video", "audio", "send"],
)
def test_an_offer_of_one_video_is_accepted(offer: str) -> None:
    check_offer(offer)


@pytest.mark.parametrize(
    ("offer", "sentence"),
    [
        ("", "the offer is not a session description; send the SDP text of createOffer"),
        ('{"sdp": "v=0"}', "the offer is not a session description"),
        ("v=zero\r\n", "the offer is not a session description"),
        ("v=0\r\nm=video\r\n", "the offer cannot be read"),
        ("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=fmtp:1 x=y\r\n", "the offer cannot be read"),
        ("v=0\r\n", "the offer has no video; offer one video track with sendrecv"),
        (offered(videos=0, audios=1), "the offer has no video"),
        (offered(videos=2), "the offer has 2 videos; offer one video track"),
        (offered(direction="recvonly"), "the offer's video is recvonly; offer one video track"),
        (offered(direction="inactive"), "the offer's video is inactive"),
        (
            offered(audios=1).replace("a=sendrecv", "a=x", 1),
            "the offer's audio has no direction of its own",
        ),
        (GOOD.replace("a=sendrecv", "a=x"), "the offer's video has no direction of its own"),
        (
            GOOD.replace("VP8", "VP9").replace("H264", "H265"),
            "the offer has neither H.264 nor VP8; offer one of them",
        ),
        (GOOD.replace("a=ice-pwd", "a=x"), "the offer has no ICE user name or password"),
        (GOOD.replace("a=fingerprint", "a=x"), "the offer has no DTLS fingerprint"),
        (GOOD.replace("BUNDLE 0", "BUNDLE 7 0"), "the offer bundles media that it does not have"),
        (GOOD + "a=simulcast:send a;b\r\n", "the offer has several simulcast layers"),
        ("v=0\r\n" + "a=x\r\n" * 20_000, "the offer is larger than 64 kB"),
    ],
)
def test_an_unusable_offer_is_refused_with_a_sentence_that_ends_with_the_remedy(
    offer: str, sentence: str
) -> None:
    with pytest.raises(SdpError) as refusal:
        check_offer(offer)
    assert str(refusal.value).startswith(sentence)
    assert ";" in str(refusal.value)


def test_the_size_is_counted_in_bytes() -> None:
    with pytest.raises(SdpError, match="larger than 64 kB"):
        check_offer("v=0\r\ns=" + "\N{SNOWMAN}" * (MAX_OFFER_BYTES // 3) + "\r\n")


def test_h264_is_preferred_constrained_baseline_first_and_rtx_is_kept() -> None:
    names = [(c.name, c.parameters.get("profile-level-id")) for c in codec_preferences()]
    assert names[:2] == [("H264", "42e01f"), ("H264", "42001f")]
    assert {name for name, _ in names[2:]} == {"VP8", "rtx"}


ANSWER = (
    "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 stereo=1\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
    "a=rtpmap:98 VP8/90000\r\na=rtcp-fb:98 nack\r\n"
)


def test_rate_hints_are_written_for_video_payloads_only() -> None:
    edited = with_rate_hints(ANSWER, start_bps=2_500_000, max_bps=5_000_000)
    hints = "x-google-start-bitrate=2500;x-google-max-bitrate=5000"
    assert edited == ANSWER.replace(
        "a=fmtp:96 packetization-mode=1", f"a=fmtp:96 {hints};packetization-mode=1"
    ).replace("a=rtpmap:98 VP8/90000", f"a=rtpmap:98 VP8/90000\r\na=fmtp:98 {hints}")


def test_the_least_rate_is_written_only_when_it_is_set() -> None:
    edited = with_rate_hints(ANSWER, 2_500_000, 5_000_000, min_bps=1_250_000)
    assert edited.count("x-google-min-bitrate=1250") == 2


HOST = "a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host\r\n"
MDNS = "a=candidate:2 1 udp 2122260223 0b2f-33.local 50001 typ host\r\n"
END = "a=end-of-candidates\r\n"


@pytest.mark.parametrize(
    ("offer", "kept"),
    [(HOST + END, HOST + END), (HOST + MDNS + END, HOST), (MDNS, ""), (HOST, HOST)],
)
def test_mdns_candidates_are_left_out_and_the_list_then_stays_open(offer: str, kept: str) -> None:
    assert without_mdns("v=0\r\n" + offer) == "v=0\r\n" + kept
