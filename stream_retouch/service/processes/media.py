"""One media process: a whole service, whose requests come from the front.

front ─ channel ─ Answerer ─ the app of service/server.py, without its guard
                ─ `Others`: how full the other processes are
      ─ channel ─ `State`: how full this one is, twice a second and with every change
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple

from stream_retouch.errors import StreamRetouchError
from stream_retouch.service.occupancy import Occupancy
from stream_retouch.service.parts import Parts
from stream_retouch.service.processes.channel import Channel
from stream_retouch.service.processes.forwarding import Answerer
from stream_retouch.service.server import create_app
from stream_retouch.service.service import Service
from stream_retouch.service.setting_up import SWITCH_S, loading, set_up, switching
from stream_retouch.settings import Settings

MakeParts = Callable[[], Parts]
"""Loads what a process is made of; blocking, and can be pickled."""


class State(NamedTuple):
    """To the front: how this process is."""

    missing: str | None
    """Why no session can be opened yet; None when one can."""
    failure: str | None
    """Why none ever can."""
    occupancy: Occupancy


class Others(NamedTuple):
    """To a media process: how full the others are, together."""

    occupancy: Occupancy


class Close(NamedTuple):
    """To a media process: end all sessions, and yourself."""


def run(settings: Settings, load_parts: MakeParts, mark: str, end: socket.socket) -> None:
    """The process. Returns when the front says so, or is gone.

    Args:
        mark: what the ids of its sessions begin with.
        end: of the channel to the front.
    """
    # Ctrl+C and a service manager's SIGTERM reach all processes of the service; the front tells when it is time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    set_up(settings)
    with switching(SWITCH_S):
        asyncio.run(_serve(settings, load_parts, mark, end))


async def _serve(settings: Settings, load_parts: MakeParts, mark: str, end: socket.socket) -> None:
    channel = await Channel.over(end)
    app = create_app(settings, loading(load_parts), mark=mark, guarded=False)
    service: Service = app.state.service
    answerer = Answerer(app, channel)
    service.on_change = lambda: channel.post(_state(service))
    service.start()
    channel.post(_state(service))
    try:
        async for message in channel.messages():
            match message:
                case Others(occupancy=occupancy):
                    service.sessions.elsewhere = occupancy
                case Close():
                    break
                case crossing:
                    answerer.take(crossing)
    finally:
        service.on_change = None
        await answerer.close()
        await service.close()
        await channel.close()


def _state(service: Service) -> State:
    failure = service.failure
    if failure is None or isinstance(failure, StreamRetouchError):
        told = None if failure is None else str(failure)
    else:
        told = service.missing()
    return State(service.missing(), told, service.occupancy)
