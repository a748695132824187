"""Videos on disk: pairs of two folders by name, and their frames."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from stream_retouch.errors import MediaError

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")


def videos(folder: Path) -> dict[str, Path]:
    """The videos of a folder by their name without suffix; other files are named on stderr.

    Raises:
        MediaError: there is no such folder, no video in it, or two of one name.
    """
    if not folder.is_dir():
        raise MediaError(str(folder), "no such folder; name one that holds videos")
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    found: dict[str, Path] = {}
    for path in (p for p in files if p.suffix.lower() in SUFFIXES):
        if path.stem in found:
            reason = f"two videos of the name {path.stem!r} ({found[path.stem].name}, {path.name}); rename one"
            raise MediaError(str(folder), reason)
        found[path.stem] = path
    if not found:
        raise MediaError(str(folder), f"no video here ({', '.join(SUFFIXES)}); name another folder")
    odd = [p.name for p in files if p not in found.values()]
    if odd:
        print(f"{folder}: no videos, left out: {', '.join(odd)}", file=sys.stderr)
    return found


def pairs(reference: Path, output: Path) -> list[tuple[str, Path, Path]]:
    """Name, reference and output of every video, by name.

    Raises:
        MediaError: as `videos`, or a video has no counterpart.
    """
    ours, theirs = videos(reference), videos(output)
    for name, here, there, folder in (
        *((n, ours, theirs, output) for n in sorted(ours.keys() - theirs.keys())),
        *((n, theirs, ours, reference) for n in sorted(theirs.keys() - ours.keys())),
    ):
        alone = sorted(here.keys() - there.keys())
        more = f" (and {len(alone) - 1} more: {', '.join(alone[1:])})" if len(alone) > 1 else ""
        reason = (
            f"no counterpart of {here[name].name}{more}; add it, or take it out of the other folder"
        )
        raise MediaError(str(folder), reason)
    return [(name, ours[name], theirs[name]) for name in sorted(ours)]


def frames(path: Path, first: int = 0, count: int | None = None) -> Iterator[av.VideoFrame]:
    """`count` frames from number `first` on, each with a time.

    Raises:
        MediaError: the file cannot be decoded.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            for i, frame in enumerate(container.decode(stream)):
                if count is not None and i >= first + count:
                    break
                if i >= first:
                    if frame.pts is None:
                        frame.pts = i
                        frame.time_base = 1 / Fraction(stream.average_rate or 25)
                    yield frame
    except (av.FFmpegError, IndexError) as problem:
        raise MediaError(str(path), f"no readable video ({problem}); encode it again") from problem


def length(path: Path) -> int:
    """How many frames a video has: as its container says, else counted by packets."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            return stream.frames or sum(packet.size > 0 for packet in container.demux(stream))
    except (av.FFmpegError, IndexError) as problem:
        raise MediaError(str(path), f"no readable video ({problem}); encode it again") from problem


def middle(path: Path, count: int | None) -> list[av.VideoFrame]:
    """`count` consecutive frames from the middle of a video, or all of a shorter one."""
    if count is None:
        return list(frames(path))
    return list(frames(path, max(0, (length(path) - count) // 2), count))


def rgb_of(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of a whole frame."""
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
