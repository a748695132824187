"""Writing a video: pictures encoded, other streams copied, into a file that appears only when it is
whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.codec.context import Flags as CodecFlags
from av.stream import Stream
from av.video.stream import VideoStream

from stream_retouch.errors import MediaError
from stream_retouch.outputs import orientation
from stream_retouch.outputs.source import VideoFacts, VideoSource

VIDEO_KINDS: dict[str, tuple[str, str]] = {
    ".mp4": ("mp4", "libx264"),
    ".m4v": ("mp4", "libx264"),
    ".mov": ("mov", "libx264"),
    ".mkv": ("matroska", "libx264"),
    ".webm": ("webm", "libvpx-vp9"),
}
"""Container format and video encoder by file name extension."""
DEFAULT_CRF = {"libx264": 17, "libvpx-vp9": 22}
"""Constant quality at which the retouched picture is not visibly different from the source."""

_LOOKAHEAD_BYTES = 512 << 20
_LOOKAHEAD = 30
_GLOBAL_HEADER = 0x40  # AVFMT_GLOBALHEADER
_FINEST_TIMESCALE = 1_000_000
_LEVEL_UNKNOWN = -99  # FF_LEVEL_UNKNOWN: the encoder chooses
_CONTAINER_OWN = {"major_brand", "minor_version", "compatible_brands", "encoder"}
_STREAM_KEPT = {"language", "title", "handler_name", "creation_time", "filename", "mimetype"}


class VideoSink:
    """One video file being written beside its final name; `finish` puts it in place, leaving
    without removes it.

    A context manager; one thread.

    Raises:
        MediaError: the folder cannot be written, the container cannot hold the sound, or the disk
        is full.
    """

    def __init__(
        self, target: Path, source: VideoSource, like: av.VideoFrame, crf: int | None
    ) -> None:
        """`like` has the size and the colour description of every frame that will be written."""
        self._target = target
        self.notes: list[str] = []
        """What could not be kept, a sentence each."""
        self._format, self._codec = VIDEO_KINDS[target.suffix.lower()]
        self._temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.part")
        self._size = (like.width, like.height)
        self._refused = 0
        with writing(target):
            self._container = av.open(
                f"file:{self._temporary}",
                "w",
                format=self._format,
                container_options=self._container_options(source.facts),
            )
        try:
            self._add_streams(source, like, crf)
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._discard()

    def write(self, frame: av.VideoFrame) -> None:
        """Encodes one picture: yuv420p, the size of `like`, rising pts."""
        with writing(self._target):
            self._container.mux(self._stream.encode(frame))

    def copy(self, packet: av.Packet[Stream]) -> None:
        """Stores a packet of a copied stream as it is."""
        stream = self._copies.get(packet.stream_index)
        if stream is None:
            return
        packet.stream = stream
        with writing(self._target):
            try:
                self._container.mux_one(packet)
            except (
                ValueError,
                av.ArgumentError,
            ):  # broken times in the source: keep what can be kept
                self._refused += 1

    def finish(self) -> None:
        """Writes what the encoder still holds and gives the file its name."""
        with writing(self._target):
            self._container.mux(self._stream.encode(None))
            self._container.close()
            os.replace(self._temporary, self._target)
        if self._refused:
            self.notes.append(
                f"packets of sound or subtitles with broken times were left out: {self._refused}"
            )

    def _discard(self) -> None:
        # Closing writes the trailer, which fails again on a full disk: the file goes either way.
        with contextlib.suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _add_streams(self, source: VideoSource, like: av.VideoFrame, crf: int | None) -> None:
        facts, container = source.facts, self._container
        with writing(self._target):
            self._stream = self._video_stream(facts, like, crf)
            self._describe(source)
            self._copies = {s.index: c for s in source.copied if (c := self._copy_of(s))}
            self._attach(source.attachments)
            try:
                container.start_encoding()
            except (ValueError, av.FFmpegError) as problem:
                if isinstance(problem, OSError) and problem.errno in _REASONS:
                    raise
                suffix = self._target.suffix
                raise MediaError(
                    str(self._target),
                    f"{suffix} cannot hold the streams of this file; write .mkv instead",
                ) from problem
        base = Fraction(self._stream.time_base or 1)
        if (facts.time_base / base).denominator != 1:
            self.notes.append(
                f"times are rounded to {base} s, as {self._target.suffix} stores them; "
                "write .mp4 or .mov to keep them exactly"
            )
        if self._format == "webm" and facts.sample_aspect_ratio != 1:
            self.notes.append(
                "the pixels are not square and .webm does not say so; write .mp4 or .mkv "
                "to keep their shape"
            )

    def _video_stream(self, facts: VideoFacts, like: av.VideoFrame, crf: int | None) -> VideoStream:
        width, height = self._size
        container = self._container
        if facts.orientation.is_written:
            with orientation.template(self._codec, facts.orientation.matrix) as example:
                stream = container.add_stream_from_template(example.streams.video[0], opaque=False)
            # The example's own settings must not reach the encoder.
            stream.codec_context.extradata = None
            stream.codec_context.level = _LEVEL_UNKNOWN
            stream.codec_context.bit_rate = 0
        else:
            added = container.add_stream(self._codec, rate=facts.rate)
            assert isinstance(added, VideoStream)  # both encoders are video encoders
            stream = added
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = stream.time_base = facts.time_base
        context.framerate = facts.rate
        context.sample_aspect_ratio = facts.sample_aspect_ratio
        context.color_range, context.colorspace = like.color_range, like.colorspace
        context.color_primaries, context.color_trc = like.color_primaries, like.color_trc
        context.options = self._encoder_options(crf)
        if container.format.flags & _GLOBAL_HEADER:
            context.flags |= CodecFlags.global_header
        context.open()
        return stream

    def _container_options(self, facts: VideoFacts) -> dict[str, str]:
        if self._format not in ("mp4", "mov"):
            return {}
        # A first picture after 0 is an empty edit, counted in the movie's own time scale, which
        # is 1/1000 s unless it is set to the video's.
        scale = facts.time_base.denominator
        while scale < 1000:
            scale *= 2
        return {"movie_timescale": str(min(scale, _FINEST_TIMESCALE))}

    def _encoder_options(self, crf: int | None) -> dict[str, str]:
        quality = str(DEFAULT_CRF[self._codec] if crf is None else crf)
        if self._codec == "libvpx-vp9":
            return {
                "crf": quality,
                "b": "0",
                "deadline": "good",
                "cpu-used": "4",
                "row-mt": "1",
                "auto-alt-ref": "1",
                "lag-in-frames": str(self._lookahead(25)),
            }
        return {"crf": quality, "preset": "fast", "rc-lookahead": str(self._lookahead(_LOOKAHEAD))}

    def _lookahead(self, wanted: int) -> int:
        """Frames the encoder holds back: fewer for 8K, where one is 50 MB."""
        width, height = self._size
        return max(4, min(wanted, _LOOKAHEAD_BYTES // (width * height * 3 // 2)))

    def _describe(self, source: VideoSource) -> None:
        """Title, date, chapters: what the file says about itself."""
        kept = {k: v for k, v in source.container.metadata.items() if k not in _CONTAINER_OWN}
        self._container.metadata.update(kept)
        self._stream.metadata.update(_kept(source.stream))
        chapters = source.container.chapters()
        if chapters:
            self._container.set_chapters(chapters)
        if source.trouble.left_out:
            self.notes.append("data streams (timecode, sensors) were left out")

    def _attach(self, attachments: Sequence[Stream]) -> None:
        if attachments and self._format != "matroska":
            self.notes.append("attached files were left out; write .mkv to keep them")
            return
        for attachment in attachments:
            self._container.add_stream_from_template(attachment)

    def _copy_of(self, stream: Stream) -> Stream | None:
        suffix = self._target.suffix
        codec = stream.codec_context.codec.canonical_name
        try:
            copy = self._container.add_stream_from_template(stream, opaque=True)
        except ValueError as problem:
            if stream.type == "audio":
                remedy = "convert the sound first" if suffix == ".mkv" else "write .mkv instead"
                raise MediaError(
                    str(self._target), f"{suffix} cannot hold its {codec} sound unchanged; {remedy}"
                ) from problem
            other = ".mp4" if suffix == ".mkv" else ".mkv"
            self.notes.append(
                f"{suffix} cannot hold the {stream.type} stream ({codec}), which was left out; "
                f"write {other} to keep it"
            )
            return None
        copy.metadata.update(_kept(stream))
        copy.disposition = stream.disposition
        return copy


def _kept(stream: Stream) -> dict[str, str]:
    return {k: v for k, v in stream.metadata.items() if k in _STREAM_KEPT}


_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file would be larger than allowed here; choose another folder",
    errno.EACCES: "the folder may not be written; choose another one, or change its rights",
    errno.EPERM: "the folder may not be written; choose another one, or change its rights",
    errno.EROFS: "the folder is read-only; choose another one",
    errno.ENOENT: "the folder does not exist; make it first",
    errno.ENOTDIR: "the folder does not exist; make it first",
    errno.EIO: "the disk reports an error; choose another folder",
}


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turns what goes wrong with a file being written into a sentence about it.

    Raises:
        MediaError: instead of an OSError or an FFmpeg error.
    """
    try:
        yield
    except (OSError, av.FFmpegError) as problem:
        reason = _REASONS.get(problem.errno or 0)
        raise MediaError(
            str(target), reason or f"cannot be written ({problem.strerror}); choose another name"
        ) from problem
