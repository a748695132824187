"""Messages between two processes, here between two ends of one."""

from __future__ import annotations

import asyncio
import socket

from stream_retouch.service.processes.channel import Channel


async def pair() -> tuple[Channel, Channel]:
    one, other = socket.socketpair()
    return await Channel.over(one), await Channel.over(other)


def test_messages_arrive_whole_in_their_order_until_the_end_closes() -> None:
    async def main() -> None:
        one, other = await pair()
        sent = [{"n": n, "body": b"x" * (n * 70_000)} for n in range(8)]
        for message in sent:
            one.post(message)
        closing = asyncio.create_task(one.close())
        assert [message async for message in other.messages()] == sent
        await closing
        await other.close()
        await other.close()

    asyncio.run(main())


def test_what_is_posted_to_an_end_that_is_gone_is_lost_without_an_error() -> None:
    async def main() -> None:
        one, other = await pair()
        await other.close()
        assert [message async for message in one.messages()] == []
        for _ in range(3):
            one.post("hello")
            await asyncio.sleep(0)
        await one.close()
        one.post("hello")

    asyncio.run(main())


def test_half_a_message_is_none() -> None:
    async def main() -> None:
        one, other = socket.socketpair()
        channel = await Channel.over(one)
        other.sendall(b"\x00\x00\x00\x10half")
        other.close()
        assert [message async for message in channel.messages()] == []
        await channel.close()

    asyncio.run(main())
