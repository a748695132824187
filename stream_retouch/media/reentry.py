"""Faces that left a moment ago, and who of them it is that comes.

A face that is back at its old place is the same unless it clearly looks different; one that turns up
elsewhere must look the same; and after what may be a cut it must look the same at the same place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stream_retouch.media.pose import apart
from stream_retouch.media.sights import Sight
from stream_retouch.media.tracks import Track

REMEMBERED_S = 1.0
"""So long after its last trace in the picture a face is known again."""
MOST = 4
"""Faces that are remembered at most: each costs a look a frame."""

SAME_HERE, SAME_ELSEWHERE, SAME_AFTER_CUT = 0.65, 0.85, 0.87
"""Likeness from which a face is the same: near its old place, elsewhere, and after a cut; see
`media.appearance` for what people's faces have."""
_HERE = (0.6, 1.5)
"""Near: at most so many face sizes away, and so many times larger or smaller."""
_RIGHT_HERE = (0.25, 1.2)
"""The same for one that a cut took away."""


@dataclass(slots=True, eq=False)
class _Lost:
    track: Track
    cut: bool
    """It went with a cut."""
    away_s: float = 0.0


class Memory:
    """The faces that left within the last second. One stream, one thread."""

    def __init__(self) -> None:
        self._lost: list[_Lost] = []

    def __bool__(self) -> bool:
        return bool(self._lost)

    def tracks(self) -> list[Track]:
        """The remembered faces, the one that left last first."""
        return [lost.track for lost in self._lost]

    def add(self, track: Track) -> None:
        """Remembers a face that is not shown any more."""
        self._lost = [_Lost(track, cut=False), *self._lost][:MOST]

    def cut(self, tracks: Iterable[Track]) -> None:
        """A cut, or a burst of garbage: all faces leave at once, and the demands rise."""
        for lost in self._lost:
            lost.cut = True
        self._lost = [*(_Lost(track, cut=True) for track in tracks), *self._lost][:MOST]

    def age(self, dt_s: float) -> None:
        """Time passes; whoever was away too long is forgotten."""
        for lost in self._lost:
            lost.away_s += dt_s
            lost.track.unseen_s += dt_s
        self._lost = [lost for lost in self._lost if lost.away_s <= REMEMBERED_S + 1e-6]

    def take(self, track: Track) -> None:
        """The face is back."""
        self._lost = [lost for lost in self._lost if lost.track is not track]

    def known(self, sights: Sequence[Sight], held: Sequence[Track]) -> dict[int, Track]:
        """Who the faces are that were just seen.

        Args:
            sights: newly seen faces.
            held: faces that are fading out but still listed, who may be among them.

        Returns:
            The track of sights by their number; no track twice. Others are new.
        """
        claims = [
            (likes, i, track)
            for i, sight in enumerate(sights)
            for track, cut in [(lost.track, lost.cut) for lost in self._lost]
            + [(track, False) for track in held]
            if (likes := track.likeness(sight)) >= _bar(track, sight, cut)
        ]
        known: dict[int, Track] = {}
        taken: set[int] = set()
        for _, i, track in sorted(claims, key=lambda claim: -claim[0]):
            if i not in known and track.id not in taken:
                known[i] = track
                taken.add(track.id)
        return known


def _bar(track: Track, sight: Sight, cut: bool) -> float:
    """The likeness that is asked for."""
    way, larger = apart(track.transform, sight.transform)
    if cut:
        right_here = way <= _RIGHT_HERE[0] and larger <= _RIGHT_HERE[1]
        return SAME_AFTER_CUT if right_here else 2.0
    return SAME_HERE if way <= _HERE[0] and larger <= _HERE[1] else SAME_ELSEWHERE
