"""Everything a user can set, checked once: flag, then STREAM_RETOUCH_* variable, then default.

Nothing else in the package reads the environment. A field is the flag ``--like-this`` and the
variable ``STREAM_RETOUCH_LIKE_THIS``.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from stream_retouch.errors import SettingsError

PREFIX = "STREAM_RETOUCH_"
"""Beginning of the name of every environment variable that is read."""
VIDEO_ENCODERS = ("auto", "x264", "nvenc")
LOG_LEVELS = ("debug", "info", "warning", "error")
SPEECH = (
    "off",
    "auto",
    "embedded",
    "pocketsphinx",
    "moonshine",
    "faster-whisper",
    "whisper",
    "sherpa-onnx",
)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")  # RFC 6750 §2.1: what may follow "Bearer"
_SECRETS = ("token", "key", "secret")
"""How the names of secret settings end."""
_ORIGIN = re.compile(r"https?://[a-z0-9._\[\]:-]+")
_ICE_SERVER = re.compile(r"(stun|stuns|turn|turns):\S+")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the service runs with. The defaults suit a laptop: no GPU, this machine only.

    Raises:
        SettingsError: a value is of the wrong type or out of range; the text says what is right.
    """

    host: str = "127.0.0.1"
    """Address to bind, an IP address or ``localhost``; the WebRTC candidates follow it."""
    port: int = 8080
    """TCP port of the page and the endpoints, 0..65535; 0 takes any free one."""
    token: str | None = None
    """Secret in ``Authorization: Bearer``, at least 16 characters; None: this machine only."""
    engine: str = "openvino"
    """How the network is run; one of the names that ``stream-retouch doctor`` lists."""
    weights: Path | None = None
    """Weights file; None: those that ship in the package."""
    size: int | None = None
    """Size of the network, 256 (for CPUs) or 512; None: that of the weights file, 256 without one."""
    threads: int = 1
    """Threads of one engine call, 1..64."""
    frame_budget_ms: float = 40.0
    """How long a decoded frame waits for its edit, then it leaves with the last one; 0..1000."""
    min_bitrate_bps: int = 300_000
    """Least bit rate of the returned video, bits per second."""
    start_bitrate_bps: int = 2_500_000
    """Bit rate of the first seconds, bits per second."""
    max_bitrate_bps: int = 3_000_000
    """Greatest bit rate of the returned video, bits per second."""
    video_encoder: str = "auto"
    """Who makes H.264: auto (NVENC where it has encoded a picture, else libx264), x264 or nvenc."""
    relay_audio: bool = False
    """Whether a session's sound is sent back to it, as late as its video: on or off. A page that plays it echoes."""
    google_min_bitrate_bps: int | None = None
    """Bit rate below which Chromium is told never to go, bits per second; None: not told."""
    ice_servers: tuple[str, ...] = ()
    """STUN and TURN servers (``stun:host:port``); none unless set: nothing leaves the machine."""
    turn_secret: str | None = None
    """Secret shared with the TURN servers among `ice_servers` (coturn: ``static-auth-secret``); None: they want no
    credentials."""
    udp_ports: tuple[int, int] | None = None
    """First and last UDP port of the video, ``50000-50199``; None: any."""
    advertise: str | None = None
    """IP address at which clients reach the video, where it is not the one that is bound (1:1 NAT, Docker)."""
    max_sessions: int | None = None
    """Sessions at one time, 1..1000; further ones get 503; None: as many as the machine carries."""
    processes: int | None = None
    """Processes that sessions are spread over, 1..26; None: one where only this machine can come in or a GPU is shared,
    otherwise one for each core, four at most."""
    max_viewers: int = 50
    """Viewers at one time, over all streams, 0..10000; further ones get 503."""
    allow_origins: tuple[str, ...] = ()
    """Origins of web pages (``https://example.org``) that may publish and watch over WHIP and WHEP; none unless set."""
    max_text_chars: int = 2_000
    """Longest instruction, characters, 1..100000."""
    max_message_bytes: int = 65_536
    """Longest control message, bytes of UTF-8, 1024..1048576."""
    max_sdp_bytes: int = 65_536
    """Longest SDP offer, bytes, 1024..1048576."""
    requests_per_s: float = 5.0
    """Requests a second that one address may make in the long run, and ten times as many at once, 0..1000; 0: no
    limit."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose X-Forwarded-For tells who asks; none: nobody is believed."""
    connect_timeout_s: float = 30.0
    """A session whose peer has not connected for so long is ended, seconds, 1..3600."""
    shutdown_timeout_s: float = 5.0
    """How long an ending session, and the ending service, may take, seconds, 0.1..60."""
    planner: str = "embedded"
    """Who reads the words: embedded, grammar, the URL of an endpoint that speaks the OpenAI chat protocol, up to and
    with ``/v1``, or a folder with a language model; where one of these does not answer in time, the embedded one does.
    """
    planner_model: str | None = None
    """The endpoint's model, as it names it."""
    planner_key: str | None = None
    """The endpoint's secret, sent as a bearer token."""
    speech: str = "auto"
    """Who recognises speech: off, embedded, pocketsphinx, moonshine, or another of SPEECH from `speech_dir`; auto:
    embedded where it is installed, otherwise pocketsphinx."""
    speech_dir: Path | None = None
    """Folder with the recogniser's model; None: the one that ships, or comes with moonshine."""
    log_level: str = "info"
    """debug, info, warning or error. What users say appears at debug only."""

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            object.__setattr__(self, name, _checked(kind, value, f"setting {name}"))
        if not self.min_bitrate_bps <= self.start_bitrate_bps <= self.max_bitrate_bps:
            raise SettingsError(
                "bit rates must rise from --min-bitrate-bps over --start-bitrate-bps to "
                "--max-bitrate-bps, "
                f"not {self.min_bitrate_bps}, {self.start_bitrate_bps}, {self.max_bitrate_bps}"
            )

    @classmethod
    def resolve(cls, args: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
        """Settings from flags, then variables, then defaults.

        Args:
            args: parsed flags by field name; None = not given; other names are ignored.
            environ: the environment.

        Raises:
            SettingsError: names the flag or the variable that is wrong and says what is right.
        """
        given: dict[str, object] = {}
        for item in fields(cls):
            flag, variable = "--" + item.name.replace("_", "-"), PREFIX + item.name.upper()
            value, source = args.get(item.name), flag
            if value is None and environ.get(variable, ""):
                value, source = environ[variable], variable
            if value is not None:
                given[item.name] = _checked(_KINDS[item.name], value, source)
        return cls(**given)  # type: ignore[arg-type]  # every value has passed its field's check

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)

    def check_exposure(self) -> None:
        """Refuses to open faces to a network without a token.

        Raises:
            SettingsError: the address is not loopback and there is no token.
        """
        if not self.is_loopback and self.token is None:
            raise SettingsError(
                f"{self.host} can be reached from other machines, so a token is needed: "
                f"set {PREFIX}TOKEN (or --token) to at least 16 characters, or bind 127.0.0.1 "
                "with --host"
            )


def is_loopback(host: str) -> bool:
    """Whether a host (brackets allowed) is this machine itself: localhost, 127.0.0.0/8, ::1."""
    if host.lower() == "localhost":
        return True
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a field takes."""

    wanted: str
    """Words that follow "must be" in a message."""
    read: Callable[[object], object]
    """The value from a text or from a value; raises TypeError, ValueError or OverflowError."""
    optional: bool = False
    """Whether None is a value."""


def _checked(kind: _Kind, value: object, source: str) -> object:
    if value is None and kind.optional:
        return None
    try:
        return kind.read(value)
    except (TypeError, ValueError, OverflowError):
        # The message never repeats a secret, nor the user:password@ of a URL.
        secret = source.lower().endswith(_SECRETS) or "@" in str(value)
        shown = "what was given" if secret else repr(value)
        raise SettingsError(f"{source} must be {kind.wanted}, not {shown}") from None


def _whole(low: int, high: int, optional: bool = False) -> _Kind:
    def read(value: object) -> int:
        if isinstance(value, bool | float):
            raise ValueError
        number = int(value)  # type: ignore[call-overload]  # anything else raises TypeError
        if not low <= number <= high:
            raise ValueError
        return int(number)

    return _Kind(f"a whole number from {low} to {high}", read, optional)


def _one_of(*numbers: int, optional: bool = False) -> _Kind:
    read = _whole(min(numbers), max(numbers)).read

    def read_one(value: object) -> object:
        number = read(value)
        if number not in numbers:
            raise ValueError
        return number

    return _Kind(" or ".join(map(str, numbers)), read_one, optional)


def _real(low: float, high: float) -> _Kind:
    def read(value: object) -> float:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)  # type: ignore[arg-type]  # anything else raises TypeError
        if not (math.isfinite(number) and low <= number <= high):
            raise ValueError
        return number

    return _Kind(f"a number from {low:g} to {high:g}", read)


def _text(wanted: str, pattern: str) -> _Kind:
    def read(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return _Kind(wanted, read)


def _host(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value if value == "localhost" else str(ipaddress.ip_address(value))


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError
    return Path(value)


def _token(value: object) -> str:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ValueError
    return value


def _several(value: object) -> tuple[str, ...]:
    """The parts of a list, or of a text with commas or spaces between them."""
    if isinstance(value, str):
        value = re.split(r"[,\s]+", value.strip(", \t\n"))
    if not isinstance(value, tuple | list) or not all(isinstance(item, str) for item in value):
        raise ValueError
    return tuple(item for item in value if item)


def _ice_servers(value: object) -> tuple[str, ...]:
    servers = _several(value)
    if not all(_ICE_SERVER.fullmatch(item) for item in servers):
        raise ValueError
    return servers


def _networks(value: object) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(item, strict=False)) for item in _several(value))


def _address(value: object) -> str:
    address = ipaddress.ip_address(value) if isinstance(value, str) else None
    if address is None or address.is_unspecified:
        raise ValueError
    return str(address)


def _ports(value: object) -> tuple[int, int]:
    if isinstance(value, str):
        value = tuple(value.split("-"))
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError
    first, last = (int(port) for port in value)
    if not 1024 <= first <= last <= 65_535:
        raise ValueError
    return first, last


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.lower() not in ("on", "off"):
        raise ValueError
    return value.lower() == "on"


def _origins(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = re.split(r"[,\s]+", value.strip(", \t\n"))
    if not isinstance(value, tuple | list):
        raise ValueError
    origins = tuple(item.lower() if isinstance(item, str) else "" for item in value if item)
    if not all(_ORIGIN.fullmatch(item) for item in origins):
        raise ValueError
    return origins


def _word_of(words: tuple[str, ...]) -> _Kind:
    def read(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in words:
            raise ValueError
        return value.lower()

    return _Kind("one of " + ", ".join(words), read)


def _optional(kind: _Kind) -> _Kind:
    return replace(kind, optional=True)


_PLANNER = r"https?://[^\s@]+|(?!\s|[A-Za-z][A-Za-z0-9+.-]*://).+"  # a name, or a path
_BITRATE = _whole(30_000, 100_000_000)
_KINDS: dict[str, _Kind] = {
    "host": _Kind("an IP address of this machine, for example 127.0.0.1", _host),
    "port": _whole(0, 65_535),
    "token": _Kind("at least 16 letters, digits or - . _ ~ + / =", _token, optional=True),
    "engine": _text("the name of an engine (see stream-retouch doctor)", r"[a-z0-9_-]{1,40}"),
    "weights": _Kind("the path of a weights file", _path, optional=True),
    "size": _one_of(256, 512, optional=True),
    "threads": _whole(1, 64),
    "frame_budget_ms": _real(0, 1_000),
    "min_bitrate_bps": _BITRATE,
    "start_bitrate_bps": _BITRATE,
    "max_bitrate_bps": _BITRATE,
    "video_encoder": _word_of(VIDEO_ENCODERS),
    "relay_audio": _Kind("on or off", _switch),
    "google_min_bitrate_bps": _whole(30_000, 100_000_000, optional=True),
    "ice_servers": _Kind("addresses like stun:host:3478, separated by commas", _ice_servers),
    "turn_secret": _optional(_text("a secret without spaces", r"[!-~]{1,4096}")),
    "udp_ports": _Kind("two ports from 1024 to 65535, like 50000-50199", _ports, optional=True),
    "advertise": _Kind("an IP address, for example 203.0.113.7", _address, optional=True),
    "max_sessions": _whole(1, 1_000, optional=True),
    "processes": _whole(1, 26, optional=True),
    "max_viewers": _whole(0, 10_000),
    "allow_origins": _Kind("origins like https://example.org, separated by commas", _origins),
    "max_text_chars": _whole(1, 100_000),
    "max_message_bytes": _whole(1_024, 1_048_576),
    "max_sdp_bytes": _whole(1_024, 1_048_576),
    "requests_per_s": _real(0, 1_000),
    "trusted_proxies": _Kind(
        "addresses or networks like 10.0.0.0/8, separated by commas", _networks
    ),
    "connect_timeout_s": _real(1, 3_600),
    "shutdown_timeout_s": _real(0.1, 60),
    "planner": _text("embedded, grammar, a URL like http://host:port/v1 or a folder", _PLANNER),
    "planner_model": _optional(_text("the name of a model", r"\S{1,200}")),
    "planner_key": _optional(_text("a secret without spaces", r"[!-~]{1,4096}")),
    "speech": _word_of(SPEECH),
    "speech_dir": _Kind("the path of a folder", _path, optional=True),
    "log_level": _word_of(LOG_LEVELS),
}
