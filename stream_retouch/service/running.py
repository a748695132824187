"""Runs the service: listens, says where, and ends with the right exit status."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Protocol

import uvicorn
from fastapi import FastAPI

from stream_retouch.errors import ServiceUnavailable, StreamRetouchError
from stream_retouch.service.parts import Parts
from stream_retouch.service.processes.fleet import Fleet
from stream_retouch.service.processes.front import create_front
from stream_retouch.service.server import create_app
from stream_retouch.service.service import Service
from stream_retouch.service.setting_up import SWITCH_S, loading, set_up, set_up_front, switching
from stream_retouch.settings import Settings


def uvicorn_level(ours: str) -> str:
    """uvicorn's level beside our own: never below warning, since its lines about WebSockets hold the
    query, and with it session ids and tokens."""
    return "error" if ours == "error" else "warning"


def is_worth_telling(record: logging.LogRecord) -> bool:
    """False for uvicorn's complaint about every WebSocket that we refuse with an HTTP answer; the
    client has been told why."""
    return "without completing handshake" not in record.getMessage()


class _Server(uvicorn.Server):
    """Uvicorn that says where it is once it listens, and leaves the exit status to `serve`."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address
        self.stopped_by: int | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"stream_retouch is on {self._address} (Ctrl+C stops it)", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's own: that raises the signal again after the shutdown, which would spoil the
        # exit status.
        self.stopped_by = self.stopped_by or sig
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def serve(settings: Settings, load_parts: Callable[[], Parts], processes: int = 1) -> int:
    """Runs the service until SIGTERM (returns 0) or SIGINT (returns 130, as the shell expects).
    Main thread.

    Args:
        load_parts: blocking; called in a thread once the service answers. With several processes it
            is called in each of them, so it can be pickled then.
        processes: that sessions are spread over, see service/processes; 1: all is done in this one.

    Raises:
        SettingsError: the address is open to a network and there is no token, or NVENC is asked for
            and cannot be had.
        ServiceUnavailable: the address or the port cannot be had.
        StreamRetouchError: the parts cannot be loaded.
    """
    if processes > 1:
        fleet = Fleet(settings, load_parts, processes)
        app = create_front(settings, fleet)
        set_up_front(settings)
        stopped_by = _run(settings, app, fleet, fleet.close)
        if fleet.failure is not None:
            raise StreamRetouchError(fleet.failure)
    else:
        app = create_app(settings, loading(load_parts))
        service: Service = app.state.service
        set_up(settings)
        stopped_by = _run(settings, app, service, service.close)
        if service.failure is not None:
            raise service.failure
    return 128 + signal.SIGINT if stopped_by == signal.SIGINT else 0


class _Failing(Protocol):
    """What can go wrong while it is loaded."""

    on_failure: Callable[[], None] | None


def _run(
    settings: Settings, app: FastAPI, served: _Failing, close: Callable[[], Awaitable[None]]
) -> int | None:
    """Serves until a signal, which is returned, or until `served` has failed."""
    logging.getLogger("uvicorn.error").addFilter(is_worth_telling)
    listener = _listen(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        loop="asyncio",  # uvloop breaks aioice
        ws="websockets-sansio",
        ws_max_size=settings.max_message_bytes,
        timeout_graceful_shutdown=5,
        proxy_headers=False,  # it would believe X-Forwarded-For; service/rate_limits.py knows whom
        access_log=False,  # its lines hold session ids
        log_config=None,
        log_level=uvicorn_level(settings.log_level),
        server_header=False,
    )
    server = _Server(config, _address(settings.host, listener.getsockname()[1]))

    def give_up() -> None:
        server.should_exit = True

    served.on_failure = give_up

    async def run() -> None:
        try:
            await server.serve(sockets=[listener])
        finally:
            await close()  # a second Ctrl+C skips the lifespan's end

    try:
        with switching(SWITCH_S):
            asyncio.run(run())
    except KeyboardInterrupt:  # before uvicorn listens to signals, or after
        return signal.SIGINT
    finally:
        listener.close()
    return server.stopped_by


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        ServiceUnavailable: the port is in use or not allowed, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, place = found[0]
        return socket.create_server(place[:2], family=family, backlog=128)
    except socket.gaierror:
        raise ServiceUnavailable(
            f"{host} is not an address of this machine; choose another one with --host"
        ) from None
    except OSError as error:
        raise ServiceUnavailable(_why_not(error, host, port)) from None


def _why_not(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {port} on {host} is in use; stop the program that has it, "
                "or choose another port with --port"
            )
        case errno.EACCES:
            return f"port {port} needs more rights; choose one above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine; choose another one with --host"
        case _:
            return (
                f"cannot listen on {host} port {port} ({error.strerror}); "
                "choose others with --host and --port"
            )
