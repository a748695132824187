"""The clips that are looked at: single shots for flicker and warping, joined ones for cuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av

from stream_retouch.errors import MediaError

Item = TypeVar("Item")

RATE = 30
"""Frames a second that a splice is given; of its parts, each keeps its own pictures."""
BEFORE, AFTER = 15, 12
"""Frames looked at on both sides of a cut."""
REELS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("wh_weekly_reel_9cuts", (115, 144, 134, 126, 66, 86, 74, 61, 42)),
    ("grid_reel_11x3s", (75,) * 11),
)
"""Joined clips of the data folder and the lengths of their shots, frames: 8 and 10 hard cuts."""
SPLICES: tuple[tuple[str, str], ...] = (
    ("london_021_morph", "london_025_morph"),
    ("london_062_morph", "london_104_morph"),
    ("london_118_morph", "london_135_morph"),
    ("london_172_morph", "wh_weekly_05"),
    ("wh_weekly_01", "london_038_morph"),
    ("grid_swiz3n", "grid_bbaf2n"),
    ("grid_lbax4n", "grid_pwij3p"),
    ("asl_again", "asl_bird"),
)
"""Pairs of clips of one size that are joined here: other persons at about the same place."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A single shot."""

    path: Path
    kind: str
    """``real`` or ``semi_synthetic``."""

    @property
    def name(self) -> str:
        """Its file's, without the suffix."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class Cut:
    """A hard cut: the end of one shot and the beginning of another."""

    name: str
    old: tuple[Path, int]
    """File and number of the frame with which the shot before begins, as far as it is played."""
    new: tuple[Path, int]
    """The same of the shot after: its first frame is the cut."""


def clips(shared: Path, most: int | None = None) -> list[Clip]:
    """All single shots, or `most` of them spread over all kinds.

    Raises:
        MediaError: there are none.
    """
    folder = shared / "faces" / "video"
    found = [
        Clip(path, kind)
        for kind in ("real", "semi_synthetic")
        for path in sorted((folder / kind).glob("*"))
        if path.suffix in (".mp4", ".mkv")
        and "_reel_" not in path.stem
        and "pingpong" not in path.stem  # shots that are there already, forward and back
    ]
    if not found:
        raise MediaError(str(folder), "no clips here; name the data folder with --shared")
    return spread(found, most)


def cuts(shared: Path, most: int | None = None) -> list[Cut]:
    """The cuts of the reels, and those between spliced clips, as far as the files are there."""
    folder = shared / "faces" / "video"
    files = {path.stem: path for path in sorted(folder.glob("*/*")) if path.suffix != ".npz"}
    found = []
    for name, lengths in REELS:
        start = 0
        for number, length in enumerate(lengths[:-1]):
            start += length
            if name in files:
                reel = files[name]
                found.append(Cut(f"{name}:{number + 1}", (reel, start - BEFORE), (reel, start)))
    for old, new in SPLICES:
        if old in files and new in files:
            found.append(Cut(f"{old}+{new}", (files[old], 0), (files[new], 0)))
    return spread(found, most)


def spread(items: list[Item], most: int | None) -> list[Item]:
    """`most` of them at even steps, or all."""
    if most is None or most >= len(items):
        return items
    return [items[round(i * (len(items) - 1) / max(most - 1, 1))] for i in range(most)]


def frames(path: Path, start: int, count: int) -> Iterator[av.VideoFrame]:
    """`count` frames of a file from number `start` on, fewer if it ends.

    Raises:
        MediaError: it cannot be opened.
    """
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as problem:
        raise MediaError(str(path), "cannot be opened; copy the clips again") from problem
    with container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= start + count:
                return
            if number >= start:
                yield frame


def timed(pictures: Iterator[av.VideoFrame], first: int = 0) -> Iterator[av.VideoFrame]:
    """The frames at RATE from number `first` on, whatever times they had."""
    for number, frame in enumerate(pictures, first):
        frame.time_base, frame.pts = Fraction(1, RATE), number
        yield frame
