"""Reading a video: its pictures decoded in order with sure timestamps, its other streams as
packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from stream_retouch.errors import MediaError
from stream_retouch.outputs.orientation import Orientation

_MICROSECONDS = 1_000_000  # container times are in AV_TIME_BASE units
_TS_DISCONT = 0x200  # AVFMT_TS_DISCONT
_EARLY_END_S = 0.25
_DECLARES_DURATION = ("matroska", "flv")  # formats whose header says how long the file should be


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a video says about its pictures, found from its first one."""

    width: int
    """Stored width, pixels."""
    height: int
    """Stored height, pixels."""
    bits: int
    """Bits of a sample."""
    has_alpha: bool
    is_interlaced: bool
    orientation: Orientation
    time_base: Fraction
    """Seconds of one step of a timestamp."""
    rate: Fraction
    """Frames a second: the nominal one where the rate varies."""
    sample_aspect_ratio: Fraction
    """Width over height of a pixel."""
    format_name: str
    """FFmpeg's name of the container format."""


@dataclass(slots=True)
class Trouble:
    """What was not right with a file that could be read all the same."""

    damaged: int = 0
    """Packets that could not be decoded."""
    retimed: int = 0
    """Pictures whose timestamp did not rise, or was missing, and had to be set."""
    ends_early: bool = False
    """The file stops before its index or its header says."""
    left_out: int = 0
    """Streams of a kind that is never copied: data."""


class VideoSource:
    """One video file, read once from its beginning. A context manager; one thread.

    Raises:
        MediaError: the file is missing, unreadable, no media file, or holds no picture.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trouble = Trouble()
        self.facts = _facts(path)
        self.container = open_media(path)
        self.stream = _video_stream(self.container, path)
        self.stream.thread_type = (
            "AUTO"  # frame threads: files gain speed, and latency does not matter
        )
        self.attachments: list[Stream] = []
        """Files inside the file: fonts of subtitles, pictures."""
        self.copied = [s for s in self.container.streams if self._is_copied(s)]
        """Streams whose packets go to the output as they are."""
        self._shift_s = _shift_s(self.container)
        self._last_pts: int | None = None
        self._packets = 0
        self._end_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.container.close()

    def items(self) -> Iterator[av.VideoFrame | av.Packet[Stream]]:
        """Decoded pictures in the order in which they are shown, and packets of `copied`, as the
        file holds them.

        Damaged packets are counted and skipped; a file that is cut off ends there. Nothing is
        dropped otherwise.
        """
        packets = self.container.demux([self.stream, *self.copied])
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.FFmpegError:
                self.trouble.ends_early = True
                break
            if packet.stream_index == self.stream.index:
                if packet.size:
                    self._note(packet)
                    yield from self._decoded(packet)
            elif packet.size:
                self._note(packet)
                yield self._shifted(packet)
        yield from self._decoded(None)
        self.trouble.ends_early = self.trouble.ends_early or self._is_cut_off()

    def share(self, frame: av.VideoFrame) -> float | None:
        """How much of the file lies before a frame's end, 0..1, or None where its length is not
        known."""
        stream, base = self.stream, self.facts.time_base
        if frame.pts is None:
            return None
        start = float((stream.start_time or 0) * base) - self._shift_s
        if stream.duration:
            length = float(stream.duration * base)
        elif self.container.duration:
            length = self.container.duration / _MICROSECONDS
        else:
            return None
        return min(1.0, (float((frame.pts + frame.duration) * base) - start) / length)

    def _is_copied(self, stream: Stream) -> bool:
        if stream.index == self.stream.index:
            return False
        if stream.type in ("audio", "subtitle", "video") and stream.codec_context is not None:
            return True
        if stream.type == "attachment":
            self.attachments.append(stream)
        else:
            self.trouble.left_out += 1
        return False

    def _decoded(self, packet: av.Packet[Any] | None) -> Iterator[av.VideoFrame]:
        try:
            frames = self.stream.codec_context.decode(packet)
        except av.FFmpegError:
            self.trouble.damaged += 1
            return
        for frame in frames:
            self._set_time(frame)
            yield frame

    def _set_time(self, frame: av.VideoFrame) -> None:
        """The frame's timestamp, less the file's start in broadcast formats; always rising."""
        base = self.facts.time_base
        frame.time_base = base
        step = max(1, round(1 / (self.facts.rate * base)))
        # AVI carries decoding times only, and FFmpeg's guess at the others does not rise.
        pts = frame.dts if self.facts.format_name == "avi" else frame.pts
        if pts is not None:
            pts -= round(self._shift_s / base)
        last = self._last_pts
        if pts is None:
            pts = 0 if last is None else last + step
        elif last is not None and pts <= last:
            pts = last + 1
            self.trouble.retimed += 1
        frame.pts = self._last_pts = pts
        if not frame.duration:
            frame.duration = step

    def _shifted(self, packet: av.Packet[Stream]) -> av.Packet[Stream]:
        if self._shift_s:
            steps = round(self._shift_s / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - steps
            packet.dts = None if packet.dts is None else packet.dts - steps
        return packet

    def _note(self, packet: av.Packet[Stream]) -> None:
        if packet.stream_index == self.stream.index:
            self._packets += 1
        if packet.pts is not None and packet.time_base is not None:
            self._end_s = max(
                self._end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base)
            )

    def _is_cut_off(self) -> bool:
        name = self.facts.format_name
        if "mp4" in name:  # the index lists every packet; a cut-off file has fewer
            return self._packets < len(self.stream.index_entries)
        duration = self.container.duration
        if duration is None or not any(known in name for known in _DECLARES_DURATION):
            return False
        start = (self.container.start_time or 0) / _MICROSECONDS
        return self._end_s < start + duration / _MICROSECONDS - _EARLY_END_S


def open_media(path: Path) -> InputContainer:
    """The file as FFmpeg sees it.

    Raises:
        MediaError: it is missing, unreadable or no media file.
    """
    if not path.exists():
        raise MediaError(str(path), "no such file; check the name")
    if path.is_dir():
        raise MediaError(str(path), "this is a folder; name a file")
    try:
        # "file:" keeps a colon in a name from being read as a protocol.
        container = av.open(f"file:{path}", "r", metadata_errors="replace")
    except PermissionError as problem:
        raise MediaError(str(path), "may not be read; change its permissions") from problem
    except (av.FFmpegError, OSError, ValueError) as problem:
        raise MediaError(
            str(path),
            "this is not a media file that can be read, or it is damaged or cut off; "
            "try to play it, or copy it again from where it came",
        ) from problem
    if container.format.name == "tty":  # FFmpeg plays text files as terminal art
        container.close()
        raise MediaError(str(path), "this is a text file; name a video or a picture")
    return container


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise MediaError(
        str(path), "this file has no video (sound or subtitles only); name a video or a picture"
    )


def _facts(path: Path) -> VideoFacts:
    """Decodes up to the first picture."""
    with open_media(path) as container:
        stream = _video_stream(container, path)
        frame = _first_frame(container, stream)
        if frame is None:
            raise MediaError(
                str(path),
                "no picture in it can be decoded; it is damaged or its codec is not supported",
            )
        ratio = stream.sample_aspect_ratio
        rate = stream.guessed_rate or stream.average_rate
        return VideoFacts(
            width=frame.width,
            height=frame.height,
            bits=max(part.bits for part in frame.format.components),
            has_alpha=any(part.is_alpha for part in frame.format.components),
            is_interlaced=frame.interlaced_frame,
            orientation=Orientation.of(frame),
            time_base=_fraction(stream.time_base) or Fraction(1, 90_000),
            rate=_fraction(rate) or Fraction(25),
            sample_aspect_ratio=_fraction(ratio) or Fraction(1),
            format_name=container.format.name,
        )


def _fraction(value: Fraction | None) -> Fraction | None:
    """PyAV's rational as a true Fraction; None for 0 and for what is not known."""
    if value is None:
        return None
    number = Fraction(value.numerator, value.denominator)
    return number if number > 0 else None


def _first_frame(container: InputContainer, stream: VideoStream) -> av.VideoFrame | None:
    packets = container.demux(stream)
    while True:
        try:
            for frame in stream.decode(next(packets)):
                return frame
        except StopIteration:
            return None
        except av.FFmpegError:
            continue  # a generator that has raised stops, a damaged packet is passed over


def _shift_s(container: InputContainer) -> Fraction:
    """Start to take away, seconds: broadcast formats begin anywhere, others where their times
    say."""
    if container.format.flags & _TS_DISCONT and container.start_time:
        return Fraction(container.start_time, _MICROSECONDS)
    return Fraction(0)
