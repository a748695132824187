"""Faces followed through a stream: where each one is, upright and steady, with an id that stays.

A finder looks at the whole picture to acquire faces and to verify them, a quick landmarker follows
them. Time is the frames' pts; nothing here reads a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from stream_retouch.engine import FaceFinder
from stream_retouch.media.affine import Affine
from stream_retouch.media.cuts import SceneCuts
from stream_retouch.media.frames import Picture, luma_full
from stream_retouch.media.pose import apart, is_upright, overlap, size_px, transform_of_box
from stream_retouch.media.reentry import SAME_HERE, Memory
from stream_retouch.media.searching import SearchPlan, search_width
from stream_retouch.media.sights import ACCEPTED, Sight, look_at, look_closely, newcomer
from stream_retouch.media.tracks import ENOUGH, WHOLE, Face, Track

__all__ = ["Face", "FaceTracker"]

NOMINAL_S = 1 / 30
"""Time step assumed when pts repeat or run backwards."""
LONGEST_S = 0.5
"""After a longer gap smoothing starts afresh."""
LOOKS = 20
"""Crops that the landmarker may be shown in one search before it ends: four to six a newcomer, one where
nothing is."""
SURE = 0.5
"""Score from which a box is looked at before less sure ones, however small it is."""

SAME_FACE = 0.35
"""Overlap (intersection over union of the ovals' boxes) from which two faces are one."""
CONFIRMED = (0.5, 2.0)
"""A box so many face sizes away at most, and so many times larger or smaller, confirms a track."""
UNCONFIRMED, UNSURE = 4, 0.7
"""A track that so many searches in a row did not confirm, with a mean presence below this, is
given up."""
STRANGER = 0.45
"""Likeness below which a face that never was out of sight is another person: a cut that the whole
picture did not show."""
DISPLACES = 1.3
"""A newcomer takes the place of the smallest of a full house if it is so many times larger."""
TOO_SMALL, LEFT_ALONE = 1 / 6, 1 / 7
"""Newcomers smaller than the first part of the largest face followed are left alone, and followed
faces that become smaller than the second part of it."""


class FaceTracker:
    """Follows up to `max_faces` faces. One thread at a time.

    What counts as a person: whatever finder and landmarker both take for a face, so also a drawing,
    a poster or a screen that shows one. The largest `max_faces` are followed; a face that is less
    than a sixth as large as the largest one followed is left alone, so that pictures on the wall
    behind a speaker stay as they are while a group at a table is retouched whole. Upside-down
    faces (rolled by more than 70 degrees) and those of less than SMALLEST_EYES_PX are not followed.

    It never raises for what a picture shows; errors of the finder pass through.
    """

    def __init__(self, finder: FaceFinder, max_faces: int = 4) -> None:
        self._finder, self._max_faces = finder, max_faces
        self._cuts = SceneCuts()
        self._next_id = 0
        self.reset()

    def reset(self) -> None:
        """Forgets all faces. Ids go on counting."""
        self._tracks: list[Track] = []
        self._memory = Memory()
        self._plan = SearchPlan()
        self._last_pts_s: float | None = None
        self._shape: tuple[int, int] | None = None
        self._opens = True
        self._search_waits = False

    def update(self, picture: Picture, pts_s: float) -> list[Face]:
        """The faces in the next frame, largest first.

        With no face in view it searches at once. While one is followed, a search is left to
        `seek`, since it takes longer than a frame may wait.

        Args:
            picture: the frame.
            pts_s: its presentation time; steps that are not forward count as one nominal frame.
        """
        self._fit(picture)
        dt_s = self._step(pts_s)
        self._memory.age(dt_s)
        if self._cuts.is_cut(picture):
            self._cut()
        self._follow(picture, dt_s)
        self._recall(picture)
        missing = bool(self._memory) or len(self._seen()) < len(self._tracks)
        due = self._plan.due(dt_s, in_view=bool(self._seen()), missing=missing)
        self._search_waits = due == "later"
        if due == "now":
            self._search(picture)
        self._fade(dt_s)
        self._opens = False
        for track in self._tracks:
            if track.skin.map is None:
                track.look(picture, pts_s)
        return [track.face() for track in self._tracks]

    def seek(self, picture: Picture) -> None:
        """Searches the latest picture for newcomers if that is due, and verifies those who are
        followed; who is found is listed from the next frame on. Else looks again at where one of
        the faces has skin, hair and glasses.

        Called when nobody waits for that frame any more, or seldom.
        """
        if self._search_waits:
            self._search_waits = False
            self._search(picture)
        elif self._last_pts_s is not None:
            any(track.look(picture, self._last_pts_s) for track in self._seen())

    # ---- time, size, cuts

    def _step(self, pts_s: float) -> float:
        last, self._last_pts_s = self._last_pts_s, pts_s
        if last is None or not pts_s > last:
            return NOMINAL_S
        if pts_s - last > LONGEST_S:
            for track in self._tracks:
                track.forget_motion()
        return pts_s - last

    def _fit(self, picture: Picture) -> None:
        """A call that changes its resolution goes on; another shape is another stream."""
        last, self._shape = self._shape, (picture.width, picture.height)
        if last is None or last == self._shape:
            return
        across, down = picture.width / last[0], picture.height / last[1]
        if abs(math.log(across / down)) > 0.02:
            self.reset()
            self._shape = (picture.width, picture.height)
        for track in [*self._tracks, *self._memory.tracks()]:
            track.rescale(across)

    def _cut(self) -> None:
        """Everybody leaves, and is known again only at once, at the same place and very alike: a
        burst of garbage looks like cuts too."""
        for track in self._tracks:
            track.strength = 0.0
        self._memory.cut(track for track in self._tracks if not track.leaving)
        self._tracks = []
        self._opens = True

    # ---- following

    def _seen(self) -> list[Track]:
        return [track for track in self._tracks if track.unseen_s == 0.0]

    def _follow(self, picture: Picture, dt_s: float) -> None:
        places = [track.expected(dt_s) for track in self._tracks]
        sights = look_at(self._finder, picture, places)
        alike: dict[int, float] = {}
        strangers: list[Sight] = []
        for track, sight in zip(list(self._tracks), sights, strict=True):
            alike[track.id] = track.likeness(sight) if track.is_shown_by(sight) else -2.0
            known = alike[track.id] >= (STRANGER if track.unseen_s == 0.0 else SAME_HERE)
            whole = sight.presence >= ACCEPTED and sight.share >= WHOLE
            if alike[track.id] > -2.0 and not known and whole:
                strangers.append(sight)
                self._lose(track)
            elif alike[track.id] > -2.0 and (known or track.unseen_s == 0.0):
                track.see(sight, dt_s)
            else:
                track.miss(dt_s)
        self._part(alike)
        self._admit(strangers)
        largest = max((size_px(track.transform) for track in self._tracks), default=0.0)
        for track in self._tracks:
            if size_px(track.transform) < LEFT_ALONE * largest:
                track.leaving = True

    def _part(self, alike: dict[int, float]) -> None:
        """Two tracks on one face: it is that of whom it looks like, else of the older one."""
        for one in list(self._tracks):
            for other in list(self._tracks):
                if not (one.id < other.id and one in self._tracks and other in self._tracks):
                    continue
                if overlap(one.transform, other.transform) > SAME_FACE:
                    better = alike[other.id] > alike[one.id] + 0.1
                    self._lose(one if better else other)

    def _lose(self, track: Track) -> None:
        """It is no longer listed, but remembered."""
        self._tracks.remove(track)
        track.strength = 0.0
        if not track.leaving:
            self._memory.add(track)

    def _fade(self, dt_s: float) -> None:
        for track in list(self._tracks):
            track.fade(dt_s)
            if self._opens:
                track.strength = track.target
            if track.strength == 0.0:
                self._lose(track)
        self._tracks.sort(key=lambda track: -size_px(track.transform))

    # ---- acquiring

    def _recall(self, picture: Picture) -> None:
        """Looks for the remembered where they were."""
        sights: list[Sight] = []
        for track in self._memory.tracks():
            if not self._is_taken(track.transform, sights):
                sight = look_closely(self._finder, picture, track.transform)
                if sight is not None and not self._is_taken(sight.transform, sights):
                    sights.append(sight)
        self._admit(sights)

    def _search(self, picture: Picture) -> None:
        self._plan.searched()
        luma = luma_full(picture, search_width(picture.width, picture.height))
        ratio = picture.width / luma.shape[1]
        found = [
            (transform_of_box(box, ratio), box.score)
            for box in self._finder.find(luma)
            if math.isfinite(box.x0 + box.y0 + box.x1 + box.y1 + box.roll)
        ]
        self._verify([place for place, _ in found])
        sights: list[Sight] = []
        looks = LOOKS
        # the sure ones by size, since the largest are wanted; then those that may be faces
        order = [
            (size_px(place) if score >= SURE else score - 1, i)
            for i, (place, score) in enumerate(found)
        ]
        for _, i in sorted(order, reverse=True):
            place, score = found[i]
            if looks <= 0 or len(sights) >= self._max_faces:
                break
            if not is_upright(place) or self._is_taken(place, sights) or not self._fits(place):
                continue
            sight, taken = newcomer(self._finder, picture, place, score)
            looks -= taken
            if sight is not None and not self._is_taken(sight.transform, sights):
                sights.append(sight)
        self._admit(sights)

    def _verify(self, places: Sequence[Affine]) -> None:
        """The finder's boxes confirm those who are followed; whom it has not seen for long, and
        the landmarker is not sure of, is given up."""
        for track in self._seen():
            ways = (apart(track.transform, place) for place in places)
            found = any(way <= CONFIRMED[0] and larger <= CONFIRMED[1] for way, larger in ways)
            track.unconfirmed = 0 if found else track.unconfirmed + 1
            if track.unconfirmed > UNCONFIRMED and track.sure < UNSURE:
                track.leaving = True

    def _is_taken(self, place: Affine, sights: Sequence[Sight]) -> bool:
        """Whether a face there is one that is seen already."""
        taken = [track.transform for track in self._seen()] + [s.transform for s in sights]
        return any(overlap(place, other) > SAME_FACE for other in taken)

    def _fits(self, place: Affine) -> bool:
        """Whether a face there may be followed: not much smaller than others, and there is room or
        will be."""
        size = size_px(place)
        sizes = [size_px(track.transform) for track in self._tracks]
        if size < TOO_SMALL * max(sizes, default=0.0):
            return False
        if len(self._tracks) < self._max_faces:
            return True
        leaves = any(track.leaving for track in self._tracks)
        return not leaves and size > DISPLACES * min(sizes)

    def _admit(self, sights: Sequence[Sight]) -> None:
        """Follows faces just seen, as the one who they were if they are known."""
        sights = sorted(
            (sight for sight in sights if sight.share >= ENOUGH),
            key=lambda sight: -size_px(sight.transform),
        )
        held = [track for track in self._tracks if track.unseen_s > 0.0]
        known = self._memory.known(sights, held)
        for i, sight in enumerate(sights):
            if self._is_taken(sight.transform, []):
                continue
            track = known.get(i)
            if track is None or track not in self._tracks:
                if not self._has_room(sight):
                    continue
                track = self._came(track, sight)
            track.come(sight, NOMINAL_S)

    def _has_room(self, sight: Sight) -> bool:
        """Whether there is room now; the smallest of a full house may begin to leave."""
        for track in [track for track in self._tracks if track.unseen_s > 0.0]:
            if overlap(track.transform, sight.transform) > SAME_FACE:
                self._lose(track)  # somebody else is there now
        if not self._fits(sight.transform):
            return False
        if len(self._tracks) < self._max_faces:
            return True
        min(self._tracks, key=lambda track: size_px(track.transform)).leaving = True
        self._plan.hurry()
        return False

    def _came(self, track: Track | None, sight: Sight) -> Track:
        if track is None:
            track = Track.of(self._next_id, sight)
            self._next_id += 1
        else:
            self._memory.take(track)
        self._tracks.append(track)
        return track
