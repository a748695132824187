"""Everything that can go wrong and be told to somebody.

StreamRetouchError
├── SettingsError            an argument or an environment variable is not usable
├── MediaError               a file or stream cannot be read or written
├── WeightsError             a weights file is missing, truncated or for another model
├── EngineError              an engine cannot be built, loaded or used
│   ├── EngineMismatch       it was built for something else
│   ├── EngineBusy           it has no time for these crops
│   ├── DeviceFailure        its GPU did not do what it was told
│   └── ParityError          it does not compute what the eager model computes
├── SpeechError              a recogniser is missing, or cannot be used
├── SdpError                 an offer is not usable
│   └── UnsupportedOffer     it is well-formed, but asks for what is not done here
├── SessionNotFound          no such session, or it has ended
├── StreamConflict           a stream's name is taken, or nobody publishes it
└── ServiceUnavailable       the service cannot be started or reached
"""

from __future__ import annotations


class StreamRetouchError(Exception):
    """Base of all errors of this project; its text is a sentence for the user, ending with the remedy."""


class SettingsError(StreamRetouchError):
    """An argument or an environment variable is not usable."""


class MediaError(StreamRetouchError):
    """A file or stream cannot be read or written."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class WeightsError(StreamRetouchError):
    """A weights file is missing, truncated or for another model."""

    def __init__(
        self, path: str, reason: str, remedy: str = "reinstall stream-retouch or name another file"
    ) -> None:
        self.path, self.reason, self.remedy = path, reason, remedy

    def __str__(self) -> str:
        return f"weights {self.path}: {self.reason}; {self.remedy}"


class EngineError(StreamRetouchError):
    """An engine cannot be built, loaded or used."""


class EngineBusy(EngineError):
    """The engine has no time for these crops: by the time it had, they would be of no use."""

    def __str__(self) -> str:
        return "the engine has no time for these crops; go on with the last edit"


class DeviceFailure(EngineError):
    """The GPU did not do what it was told; what runs on it next will not be better."""


class EngineMismatch(EngineError):
    """An engine was built for something else than what is here now."""

    def __init__(self, field: str, found: str, expected: str) -> None:
        self.field, self.found, self.expected = field, found, expected

    def __str__(self) -> str:
        return (
            f"engine was built for {self.field} {self.found} but this is {self.expected}; "
            "run python -m engines.build"
        )


class ParityError(EngineError):
    """An engine does not compute what the eager model computes."""

    def __init__(self, figure: str, found: float, bound: float) -> None:
        self.figure, self.found, self.bound = figure, found, bound

    def __str__(self) -> str:
        return (
            f"engine refused: {self.figure} is {self.found:.1f}, at least {self.bound:.1f} is needed; "
            "build with a higher precision (--precision f32)"
        )


class SpeechError(StreamRetouchError):
    """A recogniser of speech is missing, or cannot be used."""


class SdpError(StreamRetouchError):
    """An offer is not usable."""


class UnsupportedOffer(SdpError):
    """A well-formed offer that asks for what is not done here; nothing of it is accepted."""


class SessionNotFound(StreamRetouchError):
    """No such session, or it has ended."""

    def __init__(self, session_id: str, reason: str | None = None) -> None:
        """`reason`: why it has ended, where that is known, with the remedy."""
        self.session_id, self.reason = session_id, reason

    def __str__(self) -> str:
        if self.reason is not None:
            return f"this session has ended: {self.reason}"
        return "no such session; it has ended or never was: start a new one with POST /session"


class StreamConflict(StreamRetouchError):
    """A stream's name is taken, or nobody publishes under it; later it may be otherwise."""


class ServiceUnavailable(StreamRetouchError):
    """The service cannot be started or reached, or takes nobody more."""

    def __init__(self, sentence: str, reason: str = "other") -> None:
        """`reason` is one of metrics.REFUSALS."""
        super().__init__(sentence)
        self.reason = reason
