"""``stream-retouch file``: a video or a picture in, the same one retouched out; nothing hurried,
nothing dropped."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.stream import Stream

from stream_retouch.errors import MediaError
from stream_retouch.outputs.look import LookRetoucher
from stream_retouch.outputs.picture import PICTURE_KINDS, read_still, retouch_still, write_still
from stream_retouch.outputs.planes import PlaneReader, Planes, beside, frame_of, padded, planes_of
from stream_retouch.outputs.sink import VIDEO_KINDS, VideoSink
from stream_retouch.outputs.source import Trouble, VideoFacts, VideoSource, open_media

_PICTURE_FORMATS = ("_pipe", "image2")  # how FFmpeg's demuxers of still pictures are named


@dataclass(frozen=True, slots=True)
class Report:
    """What was done with a file."""

    target: Path
    frames: int
    """Pictures written; exactly those that could be read."""
    with_face: int
    """Pictures that hold a face."""
    faces: int
    """Most faces in one picture."""
    elapsed_s: float
    notes: tuple[str, ...] = ()
    """What a user should know, a sentence each; the first ones matter most."""

    @property
    def fps(self) -> float:
        """Pictures done in a second."""
        return self.frames / max(self.elapsed_s, 1e-9)

    def __str__(self) -> str:
        pictures = "1 picture" if self.frames == 1 else f"{self.frames} frames"
        if not self.faces:
            done = "no face was found, so nothing was changed"
        else:
            people = "1 face" if self.faces == 1 else f"up to {self.faces} faces"
            done = f"{people} retouched in {self.with_face}"
        return f"wrote {self.target}: {pictures}, {done}, {self.fps:.1f} fps"


@dataclass(slots=True)
class _Count:
    frames: int = 0
    with_face: int = 0
    faces: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, faces: int) -> None:
        self.frames += 1
        self.with_face += faces > 0
        self.faces = max(self.faces, faces)


def check_paths(source: Path, target: Path, overwrite: bool) -> None:
    """Refuses, before anything slow is loaded, what cannot end well.

    Raises:
        MediaError: no such source, source and target are one file, the target exists and may not be
        overwritten, or
            its extension is not known or not of the source's kind.
    """
    known = [*VIDEO_KINDS, *PICTURE_KINDS]
    suffix = target.suffix.lower()
    if suffix not in known:
        what = f"the extension {suffix!r} is not known" if suffix else "the name has no extension"
        raise MediaError(str(target), f"{what}; use one of {' '.join(known)}")
    if target.is_dir():
        raise MediaError(str(target), "this is a folder; name a file")
    if not target.parent.is_dir():
        raise MediaError(str(target), "the folder does not exist; make it first")
    is_picture = is_still(source)
    if target.exists() and os.path.samefile(source, target):
        raise MediaError(str(target), "input and output are the same file; choose another name")
    if target.exists() and not overwrite:
        raise MediaError(str(target), "exists already; add --overwrite to replace it")
    if is_picture and suffix not in PICTURE_KINDS:
        raise MediaError(
            str(target), f"the input is a picture; name the output {_words(PICTURE_KINDS)}"
        )
    if not is_picture and suffix not in VIDEO_KINDS:
        raise MediaError(
            str(target), f"the input is a video; name the output {_words(VIDEO_KINDS)}"
        )


def is_still(path: Path) -> bool:
    """Whether a file is a still picture.

    Raises:
        MediaError: it is missing or no media file.
    """
    with open_media(path) as container:
        name = container.format.name
    return name != "gif_pipe" and any(part in name for part in _PICTURE_FORMATS)


def retouch_file(
    source: Path,
    target: Path,
    retoucher: LookRetoucher,
    *,
    compare: bool = False,
    overwrite: bool = False,
    crf: int | None = None,
    on_frame: Callable[[int, float | None], None] | None = None,
) -> Report:
    """Retouches one file from beginning to end.

    The target appears when it is whole; whatever goes wrong before (Ctrl+C included) leaves nothing
    behind.

    Args:
        source, target: their extensions choose the container and the codec.
        compare: write the picture before and after side by side, twice as wide.
        overwrite: replace a target that exists.
        crf: constant quality of the video encoder, 1..51, lower is better; None: visually lossless.
        on_frame: called after each frame with the number done and the share of the file, or None
            where its length is not known.

    Raises:
        MediaError: the source cannot be read or the target not be written.
    """
    check_paths(source, target, overwrite)
    start = time.perf_counter()
    if is_still(source):
        count = _retouch_picture(source, target, retoucher, compare)
    else:
        count = _retouch_video(source, target, retoucher, compare, crf, on_frame)
    elapsed = time.perf_counter() - start
    return Report(target, count.frames, count.with_face, count.faces, elapsed, tuple(count.notes))


def _retouch_picture(source: Path, target: Path, retoucher: LookRetoucher, compare: bool) -> _Count:
    count = _Count()
    still = read_still(source)
    pixels, faces = retouch_still(still, retoucher)
    if compare:
        pixels = np.hstack([still.pixels, pixels])
    count.add(faces)
    count.notes += write_still(target, pixels, still.metadata)
    return count


def _retouch_video(
    source: Path,
    target: Path,
    retoucher: LookRetoucher,
    compare: bool,
    crf: int | None,
    on_frame: Callable[[int, float | None], None] | None,
) -> _Count:
    count = _Count()
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(VideoSource(source))
        path = _FramePath(video.facts, retoucher, compare, needs_even=_needs_even(target))
        sink: VideoSink | None = None
        waiting: list[av.Packet[Stream]] = []  # sound that comes before the first picture
        for item in video.items():
            if isinstance(item, av.Packet):
                waiting.append(item)
            else:
                frame, faces = path.apply(item)
                if sink is None:
                    sink = stack.enter_context(VideoSink(target, video, frame, crf))
                sink.write(frame)
                count.add(faces)
                if on_frame is not None:
                    on_frame(count.frames, video.share(item))
            if sink is not None:
                for packet in waiting:
                    sink.copy(packet)
                waiting.clear()
        if sink is None:
            raise MediaError(str(source), "no picture in it can be decoded; the file is damaged")
        sink.finish()
        count.notes += _trouble(source, video.trouble, count.frames) + path.notes + sink.notes
    return count


class _FramePath:
    """One decoded frame to one frame to encode: upright, retouched, set side by side, turned
    back."""

    def __init__(
        self, facts: VideoFacts, retoucher: LookRetoucher, compare: bool, needs_even: bool
    ) -> None:
        self._reader = PlaneReader()
        self._retoucher, self._compare, self._turn = retoucher, compare, facts.orientation
        odd = bool(facts.width % 2 or facts.height % 2)
        self._pads = odd and (needs_even or compare or self._turn.turns)
        self._size = (facts.width, facts.height)
        self._resized = False
        self.notes = _facts_notes(facts, self._pads)

    def apply(self, frame: av.VideoFrame) -> tuple[av.VideoFrame, int]:
        """The frame to encode and the number of faces in it."""
        if (frame.width, frame.height) != self._size and not self._resized:
            self._resized = True
            width, height = self._size
            self.notes.append(
                f"the picture's size changes; all frames are written as {width}x{height}"
            )
        frame = self._reader.normal(frame, self._size)
        if not (self._pads or self._turn.turns or self._compare):
            result = self._retoucher.apply(frame)
            result.frame.duration = frame.duration
            return result.frame, result.faces
        planes = padded(planes_of(frame)) if self._pads else planes_of(frame)
        before = self._turn.upright(planes)
        result = self._retoucher.apply(frame_of(before, frame))
        after: Planes = planes_of(result.frame)
        shown = beside(before, after) if self._compare else after
        return frame_of(self._turn.stored(shown), frame), result.faces


def _needs_even(target: Path) -> bool:
    return VIDEO_KINDS[target.suffix.lower()][1] == "libx264"


def _facts_notes(facts: VideoFacts, pads: bool) -> list[str]:
    notes = []
    if facts.bits > 8:
        notes.append(f"the source has {facts.bits} bits a sample; the output has 8")
    if facts.has_alpha:
        notes.append("the source may be transparent, which the output is not")
    if facts.is_interlaced:
        notes.append("the source is interlaced; the output is written as whole frames")
    if pads:
        wide, high = facts.width + facts.width % 2, facts.height + facts.height % 2
        notes.append(
            f"{facts.width}x{facts.height} is odd, which the encoder cannot store; "
            f"the last column or row was repeated: {wide}x{high}"
        )
    return notes


def _trouble(source: Path, trouble: Trouble, frames: int) -> list[str]:
    notes = []
    if trouble.ends_early:
        readable = _counted(frames, "frame")
        notes.append(f"{source} ends early: it is cut off; {readable} could be read and are kept")
    if trouble.damaged:
        packets = _counted(trouble.damaged, "damaged packet")
        notes.append(f"{packets} of {source} could not be decoded")
    if trouble.retimed:
        frames_ = _counted(trouble.retimed, "frame")
        notes.append(f"{frames_} did not come after the one before and got the next moment")
    return notes


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _words(kinds: Iterable[str]) -> str:
    return " ".join(kinds)
