"""What a session is made of, as the service sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from stream_retouch.language.plan import InstructionPlan, amounts
from stream_retouch.media.retouch import Look
from stream_retouch.metrics import Stage, TransportCount
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

    on_open: Callable[[], None] | None
    """Called on the loop with every data channel that opens."""
    on_message: Callable[[str], None] | None
    """Called on the loop with every text of the data channel."""
    on_closed: Callable[[], None] | None
    """Called on the loop once the connection is gone for good."""
    on_stalled: Callable[[bool], None] | None
    """Called on the loop with True when no video has come for 3 s, with False when it goes on."""

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

    @property
    def waiting(self) -> int:
        """Encoded frames that wait for the decoder."""
        ...

    def transport_counts(self) -> Mapping[TransportCount, float]:
        """What the connection has counted so far."""
        ...

    def take_stage_seconds(self) -> Mapping[Stage, Sequence[float]]:
        """How long the stages of the connection took, of the frames since the last call."""
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


def no_look() -> Look:
    """The look of a session that has been asked for nothing yet."""
    return Look(0, InstructionPlan(), amounts(InstructionPlan()), neutral(), {})
