"""A whole session over loopback, from which single packets are taken away."""

from __future__ import annotations

from typing import Any

from aiortc.rtp import RtpPacket, is_rtcp

from stream_retouch.rtc.peer import Peer, PeerOptions
from tests.rtc.client import Client, Worker, closing, run, until

PLACE = 20
"""Which of the client's video packets is lost."""


class Thief:
    """Takes one of the client's video packets, and the first `again` that are sent in its place."""

    def __init__(self, client: Client, again: int) -> None:
        (video,) = [sender for sender in client.pc.getSenders() if sender.kind == "video"]
        self._sender, self._again = video, again
        self._transport: Any = video.transport
        self._stock_send = self._transport._send_rtp
        self._transport._send_rtp = self._send
        self._sent = 0
        self._taken: int | None = None
        self.thefts = 0

    async def _send(self, data: bytes) -> None:
        if not is_rtcp(data) and self._takes(RtpPacket.parse(data)):
            self.thefts += 1
            return
        await self._stock_send(data)

    def _takes(self, packet: RtpPacket) -> bool:
        if packet.ssrc == self._sender._ssrc:
            self._sent += 1
            if self._sent == PLACE:
                self._taken = packet.sequence_number
                return True
        elif packet.ssrc == self._sender._rtx_ssrc:
            original = int.from_bytes(packet.payload[:2], "big")
            return original == self._taken and self.thefts <= self._again
        return False


def test_a_packet_and_its_first_retransmission_lost_cost_no_frame() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client()
        worker = Worker(peer)
        thief = Thief(client, again=1)
        await client.connect(peer)
        await until(lambda: peer.received >= 60)
        assert thief.thefts == 2
        counts = peer.reception
        assert (counts.gaps, counts.packets_lost, counts.given_up) == (1, 1, 0)
        assert counts.nacks_sent >= 2 and counts.plis_sent == 0
        assert not peer.stalled
        await closing(client, peer)
        worker.thread.join()

    run(main)


def test_a_packet_that_never_comes_is_given_up_for_a_key_frame() -> None:
    async def main() -> None:
        peer, client = Peer(PeerOptions()), Client()
        worker = Worker(peer)
        thief = Thief(client, again=1000)
        await client.connect(peer)
        await until(lambda: peer.reception.given_up == 1)
        received = peer.received
        await until(lambda: peer.received >= received + 20)
        counts = peer.reception
        assert counts.given_up == 1 and counts.plis_sent >= 1
        assert thief.thefts >= 3 and counts.frozen_s > 0.1
        await closing(client, peer)
        worker.thread.join()

    run(main)
