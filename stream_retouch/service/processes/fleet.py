"""The media processes: started, told of each other, started again, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import socket
import string
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess

from stream_retouch.service.occupancy import NOBODY, Occupancy, together
from stream_retouch.service.processes import media
from stream_retouch.service.processes.channel import Channel
from stream_retouch.service.processes.forwarding import Forwarder
from stream_retouch.service.processes.media import Close, MakeParts, Others, State
from stream_retouch.settings import Settings

logger = logging.getLogger(__name__)

MARKS = string.ascii_lowercase
"""What the ids of each process's sessions begin with."""
LOADING = "the engine is being loaded; try again in a few seconds"
AGAIN_S, MOST_AGAIN_S = 0.5, 30.0
"""How long a process that has ended is left before it is started again: at first, and when it ends again and again."""
STEADY_S = 60.0
"""A process that has lived for so long ends for the first time."""
KILL_S = 5.0
"""Beyond the time that its service takes to end: then a process is killed."""


class MediaProcess:
    """One place of the fleet, and the process that has it now."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.forwarder: Forwarder | None = None
        """None while there is no process."""
        self.channel: Channel | None = None
        self.state = State(LOADING, None, NOBODY)
        self.coming = 0
        """Requests under way that may begin a session here."""

    @property
    def is_ready(self) -> bool:
        """Whether a session can be opened."""
        return self.forwarder is not None and self.state.missing is None


class Fleet:
    """Event loop only, but for its making.

    Args:
        load_parts: what every process is made of; can be pickled.
        count: processes, 1 to len(MARKS).
        target: what each of them runs, see `media.run`.
    """

    def __init__(
        self,
        settings: Settings,
        load_parts: MakeParts,
        count: int,
        target: Callable[[Settings, MakeParts, str, socket.socket], None] = media.run,
    ) -> None:
        self._settings, self._load_parts, self._target = settings, load_parts, target
        self.processes: Sequence[MediaProcess] = [MediaProcess(mark) for mark in MARKS[:count]]
        self.failure: str | None = None
        """Why the service cannot be: none of its processes has been ready, and one has said why."""
        self.on_failure: Callable[[], None] | None = None
        self._was_ready = False
        self._ending = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts all processes and keeps them there; returns at once. Call once."""
        self._keepers = [
            asyncio.create_task(self._keep(place), name=f"media process {place.mark}")
            for place in self.processes
        ]

    def missing(self) -> str | None:
        """Why no session can be opened yet; None when one can: at first all processes have to be ready, later one."""
        if self.failure is not None:
            return self.failure
        enough = any if self._was_ready else all
        return None if enough(place.is_ready for place in self.processes) else LOADING

    def running(self) -> list[MediaProcess]:
        """The processes that answer, ready or not."""
        return [place for place in self.processes if place.forwarder is not None]

    def emptiest(self) -> MediaProcess | None:
        """Where the next session is to go; None when no process answers."""
        return min(
            self.running(),
            key=lambda place: (not place.is_ready, place.state.occupancy.sessions + place.coming),
            default=None,
        )

    def of(self, identity: str) -> MediaProcess | None:
        """The process whose id or token this is, if it answers."""
        return next((place for place in self.running() if identity[:1] == place.mark), None)

    async def close(self) -> None:
        """Ends all processes; bounded. May be called twice."""
        self._ending.set()
        for place in self.processes:
            if place.channel is not None:
                place.channel.post(Close())
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, place: MediaProcess) -> None:
        loop, wait_s = asyncio.get_running_loop(), AGAIN_S
        while not self._ending.is_set():
            began = loop.time()
            try:
                code = await self._live(place)
            except OSError as error:  # no memory, no descriptors: there may be later
                logger.error("media process %s cannot be started: %s", place.mark, error)
                code = None
            if not self._ending.is_set():
                self._give_up(
                    f"a media process ended (exit status {code}) before it was ready; see the service's log"
                )
            if self._ending.is_set() or self.failure is not None:
                return
            wait_s = AGAIN_S if loop.time() - began > STEADY_S else min(2 * wait_s, MOST_AGAIN_S)
            logger.error(
                "media process %s ended (exit status %s); its sessions are lost, it is started again in %.0f s",
                place.mark,
                code,
                wait_s,
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), wait_s)

    async def _live(self, place: MediaProcess) -> int | None:
        """One process from its start to its end; gives its exit status."""
        ours, theirs = socket.socketpair()
        process = multiprocessing.get_context("spawn").Process(
            target=self._target,
            args=(self._settings, self._load_parts, place.mark, theirs),
            name=f"media process {place.mark}",
        )
        with theirs:
            process.start()
        channel = place.channel = await Channel.over(ours)
        forwarder = place.forwarder = Forwarder(channel)
        if self._ending.is_set():
            channel.post(Close())
        try:
            async for message in channel.messages():
                if isinstance(message, State):
                    self._note(place, message)
                else:
                    forwarder.take(message)
        finally:
            place.channel = place.forwarder = None
            place.state = State(LOADING, None, NOBODY)
            forwarder.close()
            self._tell()
            await channel.close()
            code = await asyncio.to_thread(_ended, process, self._patience_s)
        return code

    @property
    def _patience_s(self) -> float:
        return 4 * self._settings.shutdown_timeout_s + KILL_S

    def _note(self, place: MediaProcess, state: State) -> None:
        place.state = state
        self._was_ready = self._was_ready or all(one.is_ready for one in self.processes)
        if state.failure is not None:
            if place.channel is not None:
                place.channel.post(Close())  # to be started again, if the others go on
            self._give_up(state.failure)
        self._tell()

    def _give_up(self, why: str) -> None:
        """What goes wrong before the service was ever ready is told, and ends it."""
        if self._was_ready or self.failure is not None:
            return
        self.failure = why
        if self.on_failure is not None:
            self.on_failure()

    def _tell(self) -> None:
        """Tells every process how full the others are."""
        for place in self.processes:
            if place.channel is not None:
                place.channel.post(Others(self._beside(place)))

    def _beside(self, place: MediaProcess) -> Occupancy:
        return together(other.state.occupancy for other in self.processes if other is not place)


def _ended(process: BaseProcess, patience_s: float) -> int | None:
    process.join(patience_s)
    if process.is_alive():
        logger.warning("%s did not end in time and is killed", process.name)
        process.kill()
        process.join()
    code = process.exitcode
    process.close()
    return code
