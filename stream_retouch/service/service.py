"""The parts, loaded in a thread of their own while the service already answers, and the sessions."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from stream_retouch.engine import FaceFinder
from stream_retouch.errors import StreamRetouchError
from stream_retouch.metrics import Metrics
from stream_retouch.service.occupancy import Occupancy
from stream_retouch.service.parts import Parts, PeerPort
from stream_retouch.service.sessions import Sessions
from stream_retouch.service.streams import PublisherPort, StreamPort, Streams, ViewerPort
from stream_retouch.service.worker import Retoucher
from stream_retouch.settings import Settings

logger = logging.getLogger(__name__)


class Service:
    """The parts, once they are loaded, and the sessions. One per app; lives on the event loop."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts | Callable[[], Parts],
        registry: CollectorRegistry | None,
        make_peer: Callable[[], PeerPort],
        make_retoucher: Callable[[FaceFinder], Retoucher],
        make_publisher: Callable[[], PublisherPort],
        make_viewer: Callable[[StreamPort], ViewerPort],
        cores: float | None = None,
        mark: str = "",
    ) -> None:
        """
        Args:
            cores: that may be used; None: as many as the system allows this process.
            mark: what the ids of this process begin with, see service/processes.
        """
        self.settings = settings
        self.metrics = Metrics(registry)
        self.sessions = Sessions(settings, self.metrics, make_peer, make_retoucher, cores, mark)
        self.streams = Streams(
            self.sessions, self.metrics, make_publisher, make_viewer, settings.max_viewers
        )
        self.parts: Parts | None = None
        self.failure: Exception | None = None
        """What went wrong while the parts were loaded."""
        self.on_failure: Callable[[], None] | None = None
        """Called on the loop when the parts cannot be loaded."""
        self.on_change: Callable[[], None] | None = None
        """Called on the loop when the parts are loaded, or cannot be, and whenever the service is fuller or emptier
        than before."""
        self.sessions.on_change = self._changed
        self._load = parts if callable(parts) else None
        if not callable(parts):
            self.parts = parts
            self.sessions.share(parts.engine)
        self._loader: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Starts the instruction thread and begins to load; returns at once."""
        self.sessions.start()
        if self._load is not None:
            loop = asyncio.get_running_loop()
            self._loader = threading.Thread(
                target=self._run_loader, args=(self._load, loop), name="loader", daemon=True
            )
            self._loader.start()

    def missing(self) -> str | None:
        """Why no session can be opened yet; None when one can."""
        if isinstance(self.failure, StreamRetouchError):
            return str(self.failure)
        if self.failure is not None:
            return "the retoucher could not be loaded; see the service's log"
        if self.parts is None:
            return "the engine is being loaded; try again in a few seconds"
        if self.parts.conditioner is None:
            return "the conditioner is being loaded; try again in a few seconds"
        return None

    @property
    def occupancy(self) -> Occupancy:
        """How full this process is."""
        return self.sessions.occupancy(self.streams.viewers)

    async def close(self) -> None:
        """Ends the sessions, then frees engine and recogniser; bounded, may be called twice."""
        timeout_s = self.settings.shutdown_timeout_s
        try:
            async with asyncio.timeout(3 * timeout_s):
                await self.streams.close()
                await self.sessions.close()
        except TimeoutError:
            logger.warning("some sessions did not end in time; they are left behind")
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._close_parts, timeout_s)

    def _close_parts(self, timeout_s: float) -> None:
        if self._loader is not None:
            self._loader.join(timeout_s)
        if self.parts is None:
            return
        if self.parts.transcriber is not None:
            self.parts.transcriber.close()
        turns, until = self.sessions.engine_turns, time.monotonic() + timeout_s
        held = 0
        while held < turns.at_once and turns.acquire(timeout_s=max(0.0, until - time.monotonic())):
            held += 1
        try:
            if held == turns.at_once:  # else a call hangs in it, and it is left behind
                self.parts.engine.close()
        finally:
            for _ in range(held):
                turns.release()

    def _run_loader(self, load: Callable[[], Parts], loop: asyncio.AbstractEventLoop) -> None:
        began = time.monotonic()
        logger.info("loading the retoucher")
        parts, failure = None, None
        try:
            parts = load()
        except Exception as error:  # told by /readyz and, in serve, by the exit
            failure = error
            if not isinstance(error, StreamRetouchError):
                logger.exception("the retoucher could not be loaded")
        else:
            logger.info("the retoucher is ready after %.1f s", time.monotonic() - began)
        try:
            loop.call_soon_threadsafe(self._loaded, parts, failure)
        except RuntimeError:
            logger.debug("loaded after the service had ended")

    def _loaded(self, parts: Parts | None, failure: Exception | None) -> None:
        self.parts, self.failure = parts, failure
        if parts is not None:
            self.sessions.share(parts.engine)
        if failure is not None and self.on_failure is not None:
            self.on_failure()
        self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()
