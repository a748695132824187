"""What one session's outgoing video may use.

Fault this answers: aiortc 1.16 keeps the bounds of its encoders in module constants (VP8 at most
1.5 Mbps, H.264 at most 3 Mbps), so that one session's limits are every session's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Bounds of one encoder."""

    min_bps: int = 300_000
    """Bit rate the encoder never goes below, whatever the receiver asks for."""
    start_bps: int = 2_500_000
    """Bit rate until the receiver's first estimate."""
    max_bps: int = 3_000_000
    """Bit rate the stream may never exceed."""
    frame_rate: int = 30
    """Frames per second the encoder is told to expect."""

    def clamp(self, bitrate_bps: int) -> int:
        """`bitrate_bps` brought between the two bounds."""
        return max(self.min_bps, min(bitrate_bps, self.max_bps))
