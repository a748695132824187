"""One frame after the other: faces, crops and requests out; edits in; a retouched frame out.

`FrameRetoucher` never waits. `prepare` says what the engine should look at, the caller asks the
engine when and where it likes, and `finish` makes the best frame of the answers that are there.
Time is the frames' pts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from stream_retouch.engine import (
    CROP_SIZE,
    REQUEST_CHANNELS,
    REQUEST_SIZE,
    Conditioning,
    EditLayer,
    FaceFinder,
    RetouchEngine,
)
from stream_retouch.language.plan import InstructionPlan, request_map
from stream_retouch.media.affine import Affine
from stream_retouch.media.edits import Edit, edit_of, scaled
from stream_retouch.media.faces import Face, FaceTracker
from stream_retouch.media.fading import FADE_IN_S, FaceEdit
from stream_retouch.media.frames import Picture, picture_of, take_crop, usual_crop
from stream_retouch.media.paste import copy_of, paste

_Map = NDArray[np.float32]

MAX_FACES = 4
"""Faces in one picture that are retouched; further ones go out as they came."""
KEPT_S = 1.5
"""So long after it was last in view a face's look is kept: longer than the tracker knows it again."""
USUAL_INTERVAL_S = 1 / 30
"""Taken for the time between frames where it is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a session wants at one moment. Replaced as a whole, never changed."""

    version: int
    """Counts every change of the look."""
    plan: InstructionPlan
    table: NDArray[np.float32]
    """(17, 12), the plan as `language.plan.amounts` returns it."""
    default: Conditioning
    """For faces that have none of their own yet."""
    by_face: Mapping[int, Conditioning]
    """By Face.id."""
    strength: float = 1.0
    """0..1, scales the mask M when it is pasted."""
    enabled: bool = True
    """Off: frames go out as they came."""
    overlay: bool = False
    """Tints the picture where the mask is."""


@dataclass(slots=True, eq=False)
class Job:
    """One frame on its way: what the engine is asked, and what the answer is applied to."""

    frame: av.VideoFrame
    picture: Picture | None
    """None when the filter is off."""
    pts_s: float
    look: Look
    faces: list[Face]
    """At most MAX_FACES."""
    known: frozenset[int]
    """Ids of `faces` and of those that left within KEPT_S and may come back."""
    subjects: list[Face]
    """The B of `faces` that the engine is asked about: those with anything requested."""
    crops: NDArray[np.uint8]
    """(B, S, S, 3) RGB, S the engine's crop size; B may be 0, then there is nothing to ask."""
    requests: NDArray[np.float32]
    """(B, 17, 32, 32)."""
    conditionings: list[Conditioning]
    """B of them."""
    copy: av.VideoFrame | None = None
    """The frame that will be changed, if `FrameRetoucher.meanwhile` has made it."""


@dataclass(frozen=True, slots=True, eq=False)
class Retouched:
    """A frame that is ready to go out."""

    frame: av.VideoFrame
    """A new frame, or the very frame that came in if nothing was to be changed."""
    fresh: bool
    """Every face's edit is from this frame's own crop; also True when no edit was wanted."""
    reused: int
    """Faces that show an edit from an earlier crop."""
    faces: int
    applied: int | None
    """look.version on the first frame that shows it, once per version; None otherwise."""


class Tracker(Protocol):
    """Follows faces from picture to picture; `media.faces.FaceTracker` is the one that serves."""

    def update(self, picture: Picture, pts_s: float) -> list[Face]: ...

    def seek(self, picture: Picture) -> None: ...

    def reset(self) -> None: ...


class FrameRetoucher:
    """The frames of one session, in order. One thread at a time, except `faces` and `key_crop`."""

    def __init__(
        self,
        finder: FaceFinder,
        *,
        crop_size: int = CROP_SIZE,
        webrtc: bool = False,
        fade_s: float = FADE_IN_S,
        tracker: Tracker | None = None,
        smooth: bool = True,
    ) -> None:
        """`crop_size` is the engine's. `fade_s` is how long a new look fades in; 0 for a file, which is
        retouched at once. Without `smooth` every frame shows the edit of its own crop alone: to measure
        what smoothing does."""
        self._tracker: Tracker = FaceTracker(finder, MAX_FACES) if tracker is None else tracker
        self._crop_size = crop_size
        self._webrtc, self._fade_s, self._smooth = webrtc, fade_s, smooth
        self._reformatter = VideoReformatter()
        # by Face.id: the table and the maps (which change together) that it was made of, and the map
        self._requests: dict[int, tuple[_Map, _Map, _Map]] = {}
        self._edits: dict[int, FaceEdit] = {}
        self._shown: frozenset[int] = frozenset()  # ids of the faces in the last finished frame
        self._listed_s: dict[int, float] = {}  # when each known face was last in view
        self._applied: int | None = None
        self._prepared_s: float | None = None
        self._finished_s: float | None = None
        # One assignment: `faces` and `key_crop` are called from other threads.
        self._latest: tuple[Picture | None, list[Face]] = (None, [])

    def prepare(self, frame: av.VideoFrame, look: Look) -> Job:
        """What to ask the engine about `frame`; no face or nothing requested means B = 0."""
        pts_s = self._time_of(frame)
        if not look.enabled:
            self._forget()
            return _job(frame, None, pts_s, look, [], frozenset(), [], self._crop_size)
        picture = picture_of(frame, webrtc=self._webrtc, reformatter=self._reformatter)
        faces = self._tracker.update(picture, pts_s)[:MAX_FACES]
        self._latest = (picture, faces)
        requests = [self._request(look, face) for face in faces]
        asked = [(face, map_) for face, map_ in zip(faces, requests, strict=True) if map_.any()]
        known = self._known(faces, pts_s)
        return _job(frame, picture, pts_s, look, faces, known, asked, self._crop_size)

    def meanwhile(self, job: Job) -> None:
        """What needs no answer, while the engine works: makes the frame that will be changed. May be
        left out."""
        if job.picture is not None:
            job.copy = copy_of(job.frame, job.picture)

    def finish(self, job: Job, answers: Sequence[tuple[Job, list[EditLayer]]]) -> Retouched:
        """The frame of `job`, retouched as well as the answers allow.

        Args:
            job: the oldest one prepared and not finished yet; a newer one may have been prepared.
            answers: what the engine returned since the last call, oldest first, each with the job
                it answers; none newer than `job`. That for `job` itself is fresh; earlier ones only
                renew the edit that is used again; those for another version of the look are ignored.
        """
        before_s = self._before(job.pts_s)
        self._finished_s = job.pts_s
        if not job.look.enabled or job.picture is None:
            return Retouched(job.frame, True, 0, 0, self._report(job.look.version))
        self._meet(job, before_s)
        self._learn(job, answers, before_s)
        placed: list[tuple[Affine, Edit]] = []
        reused = 0
        for face in job.faces:
            edit = self._edits[face.id].at(job.pts_s)
            if edit is not None:
                placed.append((face.transform, scaled(edit, face.strength)))
            reused += self._edits[face.id].is_reused(job.pts_s)
        own = any(answered is job for answered, _ in answers)
        shown = not job.look.table.any() or any(
            self._edits[face.id].version == job.look.version for face in job.faces
        )
        return Retouched(
            frame=paste(job.frame, job.picture, placed, job.copy) if placed else job.frame,
            fresh=own or not job.subjects,
            reused=reused,
            faces=len(job.faces),
            applied=self._report(job.look.version) if shown else None,
        )

    def look_around(self) -> None:
        """What can wait until the frame is out: looks for faces that came into view."""
        picture = self._latest[0]
        if picture is not None:
            self._tracker.seek(picture)

    def process(self, frame: av.VideoFrame, look: Look, engine: RetouchEngine) -> Retouched:
        """Both halves with the engine between them, for files: it waits as long as it takes."""
        job = self.prepare(frame, look)
        layers = []
        if job.subjects:
            layers = engine.retouch(job.crops, job.requests, job.conditionings)
        done = self.finish(job, [(job, layers)])
        self.look_around()
        return done

    def faces(self) -> list[Face]:
        """The faces in the latest picture. Any thread may ask."""
        return list(self._latest[1])

    def key_crop(self, face_id: int | None) -> NDArray[np.uint8] | None:
        """The latest crop of that face, or of the largest for None; None if it is not in view.

        (S, S, 3) RGB, S the engine's crop size. Any thread may ask.
        """
        picture, faces = self._latest
        if face_id is not None:
            faces = [face for face in faces if face.id == face_id]
        if picture is None or not faces:
            return None
        largest = max(faces, key=lambda face: abs(np.linalg.det(face.transform[:, :2])))
        return take_crop(picture, largest.transform, self._crop_size)

    def _request(self, look: Look, face: Face) -> NDArray[np.float32]:
        """The face's request map, the very one of the frame before while table and maps are."""
        told = self._requests.get(face.id)
        if told is None or told[0] is not look.table or told[1] is not face.regions:
            told = (look.table, face.regions, request_map(look.table, face.regions, face.uncut))
            self._requests[face.id] = told
        return told[2]

    def _known(self, faces: list[Face], pts_s: float) -> frozenset[int]:
        """Ids of these faces and of those that left a moment ago."""
        self._listed_s |= {face.id: pts_s for face in faces}
        self._listed_s = {i: at for i, at in self._listed_s.items() if pts_s - at <= KEPT_S}
        self._requests = {i: told for i, told in self._requests.items() if i in self._listed_s}
        return frozenset(self._listed_s)

    def _meet(self, job: Job, before_s: float) -> None:
        """Newcomers have no edit yet, who comes back has the old one, who is away for long loses
        it."""
        self._edits = {i: edit for i, edit in self._edits.items() if i in job.known}
        for face in job.faces:
            if face.id not in self._edits:
                self._edits[face.id] = FaceEdit(self._fade_s, smooth=self._smooth)
            elif face.id not in self._shown:
                self._edits[face.id].resume(job.look.version, before_s)
        self._shown = frozenset(face.id for face in job.faces)

    def _learn(
        self, job: Job, answers: Sequence[tuple[Job, list[EditLayer]]], before_s: float
    ) -> None:
        """Hands each answer of this look to its face; faces with nothing requested fade out."""
        look = job.look
        listed = {face.id for face in job.faces}
        for answered, layers in answers:
            if answered.look.version != look.version:
                continue
            for face, crop, layer in zip(answered.subjects, answered.crops, layers, strict=True):
                if face.id not in listed:
                    continue
                shown = self._edits[face.id]
                self._turn(shown, job, before_s)
                shown.learn(
                    edit_of(layer),
                    usual_crop(crop),
                    face.regions,
                    answered.pts_s,
                    before_s,
                    job.pts_s,
                    strength=look.strength,
                    overlay=look.overlay,
                )
        asked = {face.id for face in job.subjects}
        for face in job.faces:
            if face.id not in asked:
                self._turn(self._edits[face.id], job, before_s)

    def _turn(self, edit: FaceEdit, job: Job, before_s: float) -> None:
        """Starts the fade to the look of `job` unless it has begun."""
        version = job.look.version
        if edit.version != version:
            # A face that comes into a look that others already show has nothing to fade from.
            known = edit.version is None and self._applied == version
            edit.turn(version, before_s, job.pts_s, fade_in=not known)

    def _report(self, version: int) -> int | None:
        """`version` the first time, then None."""
        if self._applied == version:
            return None
        self._applied = version
        return version

    def _time_of(self, frame: av.VideoFrame) -> float:
        """Seconds; a frame without time is one usual interval after the last; a step back is a new
        start."""
        last_s = self._prepared_s
        if frame.pts is not None and frame.time_base is not None:
            pts_s = float(frame.pts * frame.time_base)
        else:
            pts_s = 0.0 if last_s is None else last_s + USUAL_INTERVAL_S
        if last_s is not None and pts_s < last_s:
            self._forget()
        self._prepared_s = pts_s
        return pts_s

    def _before(self, pts_s: float) -> float:
        """The time of the frame before that of `pts_s`, at most a usual interval before the
        first."""
        if self._finished_s is None or not self._finished_s < pts_s:
            return pts_s - USUAL_INTERVAL_S
        return self._finished_s

    def _forget(self) -> None:
        self._tracker.reset()
        self._edits, self._listed_s, self._shown = {}, {}, frozenset()
        self._requests = {}
        self._latest = (None, [])


def _job(
    frame: av.VideoFrame,
    picture: Picture | None,
    pts_s: float,
    look: Look,
    faces: list[Face],
    known: frozenset[int],
    asked: list[tuple[Face, NDArray[np.float32]]],
    crop_size: int,
) -> Job:
    """The job with the crops of the faces that the engine is asked about."""
    crops = np.empty((len(asked), crop_size, crop_size, 3), np.uint8)
    requests = np.empty((len(asked), REQUEST_CHANNELS, REQUEST_SIZE, REQUEST_SIZE), np.float32)
    for i, (face, request) in enumerate(asked):
        if picture is not None:
            crops[i] = take_crop(picture, face.transform, crop_size)
        requests[i] = request
    subjects = [face for face, _ in asked]
    conditionings = [look.by_face.get(face.id, look.default) for face in subjects]
    return Job(frame, picture, pts_s, look, faces, known, subjects, crops, requests, conditionings)
