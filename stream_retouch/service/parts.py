"""What a session is made of, as the service sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import (
    BLOCK_WIDTH,
    BLOCKS,
    TEXT_WIDTH,
    Conditioner,
    Conditioning,
    FaceFinder,
    Planner,
    RetouchEngine,
    Transcriber,
)
from stream_retouch.service.worker import FramePort


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of; cli.py names the concrete ones."""

    engine: RetouchEngine
    """Shared by all sessions, one call at a time."""
    finder: Callable[[], FaceFinder]
    """Makes one face finder per session; blocking."""
    conditioner: Conditioner | None
    """None while it is loading: no session is opened until it is there."""
    planner: Planner
    """Called in the instruction thread only, as is the conditioner."""
    transcriber: Transcriber | None = None
    """Called in the speech thread only; None: nobody is listened to."""
    no_speech: str = "speech is off; start the service with --speech auto"
    """Why there is no transcriber, ending with the remedy."""


class PeerPort(FramePort, Protocol):
    """What a session needs of rtc.Peer."""

    on_message: Callable[[str], None] | None
    """Called on the loop with every text of the data channel."""
    on_closed: Callable[[], None] | None
    """Called on the loop once the connection is gone for good."""

    @property
    def has_audio(self) -> bool:
        """Whether the offer had sound that can be listened to."""
        ...

    def listen(self, listener: Callable[[NDArray[np.int16]], None] | None) -> None:
        """Hands what is said, 16 kHz mono blocks, to `listener` on the loop; None: to nobody."""
        ...

    @property
    def dropped_out(self) -> int:
        """Retouched frames that a newer one replaced before they were encoded."""
        ...

    @property
    def sent(self) -> int:
        """Frames sent so far."""
        ...

    @property
    def added_ms(self) -> Iterable[float]:
        """Recent samples, oldest first: last packet of a frame in to last packet of the same frame
        out."""
        ...

    async def answer(self, offer_sdp: str) -> str:
        """The answer; raises SdpError."""
        ...

    def send_message(self, text: str) -> bool:
        """Whether the data channel took it."""
        ...

    async def close(self) -> None:
        """Idempotent and bounded."""
        ...


def neutral() -> Conditioning:
    """The conditioning of a look that asks for nothing."""
    return Conditioning(
        f_txt=np.zeros(TEXT_WIDTH, np.float32),
        alpha=np.ones((BLOCKS, BLOCK_WIDTH), np.float32),
        beta=np.zeros((BLOCKS, BLOCK_WIDTH), np.float32),
        gamma=np.zeros((BLOCKS, BLOCK_WIDTH), np.float32),
    )
