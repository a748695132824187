"""How one connection is made and how much it may carry."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream_retouch.rtc.ports import UdpPorts


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """How one session is connected and how much it may send."""

    host: str = "127.0.0.1"
    """Address the service is bound to; candidates follow it (candidates.py)."""
    max_bitrate_bps: int = 3_000_000
    """Highest rate of the outgoing video."""
    min_bitrate_bps: int = 300_000
    """Lowest rate of the outgoing video, whatever the receiver asks for."""
    start_bitrate_bps: int = 2_500_000
    """Rate both directions start with."""
    uplink_max_bitrate_bps: int = 5_000_000
    """Highest rate asked of the sender of the incoming video."""
    google_min_bitrate_bps: int | None = None
    """Pins the browser's rate from below when set; for networks known to carry it."""
    ice_servers: tuple[str, ...] = ()
    """STUN or TURN addresses, for example ``stun:stun.example.org:3478``."""
    turn_credential: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password for the TURN servers among them."""
    udp_ports: UdpPorts | None = None
    """Ports that candidates are bound to; None: any."""
    advertise: str | None = None
    """IP address that the answer shows instead of the ones that are bound (ports.py)."""
    frame_rate: int = 30
    """Frames per second the encoder is told to expect."""
    audio: bool = False
    """Whether sound is received, when it is offered."""
    relay_audio: bool = False
    """Whether the sound that comes is sent back, as late as the video (audio_relay.py)."""
    video_encoder: str = "auto"
    """Who makes H.264: auto, x264 or nvenc (nvenc.py)."""
    connect_timeout_s: float = 20.0
    """A peer that has not connected this long after the answer is given up."""
    silence_timeout_s: float = 9.0
    """A connected peer from which nothing has come for this long is gone; within 10 s its end must be
    noticed and what it held freed."""
    close_timeout_s: float = 5.0
    """Longest time `Link.close` takes."""
