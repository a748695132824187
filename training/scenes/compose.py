"""Composes frames: a webcam close-up, a gallery of tiles, or a room with up to five people; or no face at all."""

from __future__ import annotations

import numpy as np

from stream_retouch.engine import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from training.scenes import light, occluders, worn
from training.scenes.backgrounds import Backgrounds, background, bundled, clutter
from training.scenes.camera import LARGEST_SIDE_PX, film
from training.scenes.canvas import Canvas, Cast
from training.scenes.lookalikes import avatar, draw_lookalike, without_face
from training.scenes.people import Pose, set_person
from training.scenes.portraits import Portrait
from training.scenes.scene import (
    HIDDEN_SHARE_IGNORED,
    Floats,
    Scene,
    SceneFace,
    oval_size,
)

SMALLEST_PX = 18.0
"""Smallest face of a 1280-wide frame."""
SMALL_PX, LARGE_PX = 60.0, 300.0
"""Below and above, a face has the condition ``small`` or ``large``; both in a 1280-wide frame."""
_TURNED_AWAY_DEG = 70.0
_EYES = slice(len(FACE_OVAL), len(FACE_OVAL) + len(RIGHT_EYE) + len(LEFT_EYE))
_PEOPLE = (0.03, 0.4, 0.22, 0.15, 0.12, 0.08)
"""Chance of 0..5 people in a room."""


class Composer:
    """Makes frames from portraits. The same portraits, seed and index give the same frame.

    Args:
        portraits: all luma or all BGR, as `colour` says.
        width: of the frame, pixels; sizes are drawn in relation to the longer side.
        colour: BGR frames, else luma. The people stand in the same places either way.
        backgrounds: further pictures to cut backgrounds from; by default scikit-image's.
        difficulty: 0..1, how hard light, noise, blur and things before faces make it.

    Raises:
        ValueError: no portraits, or of the other kind; or a frame of more than LARGEST_SIDE_PX.
    """

    def __init__(
        self,
        portraits: list[Portrait],
        seed: int = 0,
        width: int = 640,
        height: int = 384,
        colour: bool = False,
        backgrounds: Backgrounds | None = None,
        difficulty: float = 0.5,
    ) -> None:
        self._channels = 3 if colour else 1
        if not portraits or any(p.channels != self._channels for p in portraits):
            raise ValueError("scenes need portraits, all in colour or all in luma; load them so")
        if max(width, height) > LARGEST_SIDE_PX:
            raise ValueError(f"frames have at most {LARGEST_SIDE_PX} px a side; make it smaller")
        self._portraits, self._seed, self._difficulty = portraits, seed, difficulty
        self._shape, self._unit = (height, width), max(width, height) / 1280
        self._stock = bundled(colour) if backgrounds is None else backgrounds
        self._made = self._made_empty = 0

    def scene(self) -> Scene:
        """The next frame, mostly with people."""
        self._made += 1
        return self.scene_at(self._made - 1)

    def empty(self) -> Scene:
        """The next frame without a face, mostly with things that look a little like one."""
        self._made_empty += 1
        return self.empty_at(self._made_empty - 1)

    def scene_at(self, index: int) -> Scene:
        """The frame of this number, whatever was made before."""
        rng = np.random.default_rng((self._seed, 0, index))
        lights = light.draw_lights(rng, self._difficulty)
        kind = rng.random()
        if kind < 0.3:
            canvas, name = self._webcam(rng, lights), "webcam"
        elif kind < 0.42:
            canvas, name = self._gallery(rng, lights), "gallery"
        else:
            canvas, name = self._room(rng, lights), "room"
        return self._finished(rng, canvas, lights, {name})

    def empty_at(self, index: int) -> Scene:
        """The faceless frame of this number."""
        rng = np.random.default_rng((self._seed, 1, index))
        lights = light.draw_lights(rng, self._difficulty)
        canvas = self._backdrop(rng, lights)
        if rng.random() < 0.3:
            canvas.picture = clutter(rng, self._shape, self._channels, canvas.picture)
        for _ in range(int(rng.integers(0, 6))):
            draw_lookalike(rng, canvas, self._stock, self._place(rng), self._size(rng, 500))
        names = {"empty"}
        for _ in range(int(rng.choice([0, 1, 2], p=[0.5, 0.3, 0.2]))):
            if self._faceless(rng, canvas, lights, self._size(rng, 450)):
                names.add("face_parts")
        return self._finished(rng, canvas, lights, names)

    # ---- kinds of frames

    def _webcam(self, rng: np.random.Generator, lights: light.Lights) -> Canvas:
        """One person close up, before their own backdrop or another."""
        height, width = self._shape
        canvas = self._backdrop(rng, lights)
        size = np.exp(rng.uniform(np.log(0.2), np.log(0.88))) * min(height, width)
        x = width * (0.5 + rng.normal(0, 0.1))
        y = height * (0.5 + rng.normal(0, 0.06)) + 0.05 * size
        if rng.random() < 0.12:  # leaning out of the picture
            x = width * rng.choice([rng.uniform(-0.02, 0.15), rng.uniform(0.85, 1.02)])
        pose = self._pose(rng, x, y, size)
        self._person(rng, canvas, lights, pose, whole=rng.random() < 0.6)
        return canvas

    def _gallery(self, rng: np.random.Generator, lights: light.Lights) -> Canvas:
        """A meeting's tiles, each a webcam picture or an avatar."""
        height, width = self._shape
        canvas = Canvas(np.zeros(self._deep(), np.uint8))
        canvas.picture[:] = int(rng.integers(0, 60))
        columns, rows = ((2, 1), (2, 2), (3, 2), (3, 3), (4, 3))[int(rng.integers(5))]
        if height > width:
            columns, rows = rows, columns
        gap = int(rng.integers(0, 8) * self._unit)
        for i in range(rows * columns):
            row, column = divmod(i, columns)
            x0, x1 = column * width // columns + gap, (column + 1) * width // columns - gap
            y0, y1 = row * height // rows + gap, (row + 1) * height // rows - gap
            if rng.random() < 0.2:
                canvas.window = (x0, y0, x1, y1)
                avatar(rng, canvas)
                continue
            room = min(x1 - x0, y1 - y0)
            size = max(room * rng.uniform(0.28, 0.7), SMALLEST_PX * self._unit)
            x = (x0 + x1) / 2 + rng.normal(0, 0.1) * (x1 - x0)
            y = (y0 + y1) / 2 + rng.normal(0, 0.07) * (y1 - y0)
            pose = self._pose(rng, x, y, size, tail=0.5)
            canvas.window = (x0, y0, x1, y1)
            self._person(rng, canvas, lights, pose, whole=True)
        return canvas

    def _room(self, rng: np.random.Generator, lights: light.Lights) -> Canvas:
        """Up to five people at any size, and sometimes things that look like one."""
        height, width = self._shape
        canvas = self._backdrop(rng, lights)
        if rng.random() < 0.25:
            for _ in range(int(rng.integers(1, 4))):
                draw_lookalike(rng, canvas, self._stock, self._place(rng), self._size(rng, 250))
        if rng.random() < 0.08:
            self._faceless(rng, canvas, lights, self._size(rng, 200))
        count = int(rng.choice(len(_PEOPLE), p=_PEOPLE))
        largest = (0.9, 0.9, 0.6, 0.45, 0.4, 0.4)[count] * min(height, width) / self._unit
        taken: list[tuple[float, float, float]] = []
        for size in sorted(self._size(rng, largest) for _ in range(count)):
            x, y = self._free_place(rng, taken, size)
            taken.append((x, y, size))
            self._person(rng, canvas, lights, self._pose(rng, x, y, size))
        return canvas

    # ---- parts of a frame

    def _backdrop(self, rng: np.random.Generator, lights: light.Lights) -> Canvas:
        picture = background(rng, self._shape, self._channels, self._stock, self._portraits)
        return Canvas(light.behind(rng, np.ascontiguousarray(picture), lights))

    def _deep(self) -> tuple[int, ...]:
        return self._shape if self._channels == 1 else (*self._shape, 3)

    def _size(self, rng: np.random.Generator, largest_px: float) -> float:
        """Face size in frame pixels, log-uniform from the smallest to one in a 1280-wide frame."""
        low, high = np.log([SMALLEST_PX * self._unit, largest_px * self._unit])
        return float(np.exp(rng.uniform(low, high)))

    def _place(self, rng: np.random.Generator) -> Floats:
        return rng.uniform(0.02, 0.98, 2) * [self._shape[1], self._shape[0]]

    def _free_place(
        self, rng: np.random.Generator, taken: list[tuple[float, float, float]], size: float
    ) -> tuple[float, float]:
        """Somewhere in the frame, now and then at its edge, seldom before somebody's face."""
        height, width = self._shape
        edge = rng.random() < 0.14
        margin = -0.1 if edge else 0.55
        at = (0.0, 0.0)
        for _ in range(8):
            low = np.minimum(margin * size, [width / 2, height / 2])
            x, y = rng.uniform(low, [width, height] - low)
            if edge:
                x = rng.choice(
                    [rng.uniform(-0.15, 0.4) * size, width - rng.uniform(-0.15, 0.4) * size]
                )
            at = (float(x), float(y))
            if all(np.hypot(x - a, y - b) > 0.75 * (size + s) for a, b, s in taken):
                break
            if rng.random() < 0.08:
                break
        return at

    def _pose(
        self, rng: np.random.Generator, x: float, y: float, size: float, tail: float = 1.0
    ) -> Pose:
        """Mostly upright and frontal, with tails; seldom beyond what the finder is for."""
        roll = rng.normal(0, 7)
        if rng.random() < 0.25 * tail:
            roll = rng.uniform(-45, 45)
        yaw = rng.uniform(-50, 50) if rng.random() < 0.35 else rng.normal(0, 10)
        pitch = rng.uniform(-25, 25) if rng.random() < 0.3 else rng.normal(0, 6)
        if rng.random() < 0.02 * tail:
            roll = rng.uniform(100, 260)
        elif rng.random() < 0.02 * tail:
            yaw = rng.choice([-1, 1]) * rng.uniform(72, 88)
        return Pose(
            float(x), float(y), float(size), float(roll), float(yaw), float(pitch),
            float(rng.uniform(-0.06, 0.12)), bool(rng.random() < 0.5),
        )  # fmt: skip

    def _person(
        self,
        rng: np.random.Generator,
        canvas: Canvas,
        lights: light.Lights,
        pose: Pose,
        whole: bool = False,
    ) -> None:
        """A person, what they wear and what is before their face."""
        portrait = self._portraits[int(rng.integers(len(self._portraits)))]
        relight = light.on_person(rng, lights, self._difficulty)
        face = set_person(canvas, portrait, pose, whole, relight)
        canvas.cast.append(face)
        if not whole and rng.random() < 0.8:
            worn.torso(rng, canvas, face)
        face.ignore = _turned_away(pose, face)
        _dress(rng, canvas, face, self._difficulty, float(relight.gain.mean()))

    def _faceless(
        self, rng: np.random.Generator, canvas: Canvas, lights: light.Lights, size: float
    ) -> bool:
        """A person whose face is blank or scrambled; whether parts of it are left."""
        portrait = self._portraits[int(rng.integers(len(self._portraits)))]
        x, y = self._place(rng)
        pose = Pose(float(x), float(y), size, rng.normal(0, 12), mirrored=bool(rng.random() < 0.5))
        level, parts = without_face(rng, portrait, size)
        relight = light.on_person(rng, lights, self._difficulty)
        face = set_person(canvas, portrait, pose, relight=relight, level=level)
        if rng.random() < 0.8:
            worn.torso(rng, canvas, face)
        return parts

    # ---- the whole frame

    def _finished(
        self, rng: np.random.Generator, canvas: Canvas, lights: light.Lights, names: set[str]
    ) -> Scene:
        faces = [face for cast in canvas.cast if (face := self._face(cast)) is not None]
        sizes = [face.size for face in faces if not face.ignore]
        smallest = min(sizes, default=60 * self._unit)
        picture = light.on_frame(rng, canvas.picture, lights, self._difficulty)
        picture, filmed = film(rng, picture, smallest, self._difficulty)
        if len(faces) > 2:
            names = names | {"crowd"}
        deep = picture if picture.ndim == 3 else picture[:, :, None]
        return Scene(deep, faces, lights | filmed | frozenset(names - {"room"}))

    def _face(self, cast: Cast) -> SceneFace | None:
        """The label, or None if nothing of the face is left to see."""
        height, width = self._shape
        place = np.rint(cast.points)
        inside = ((place >= 0) & (place < [width, height])).all(axis=1)
        visible = cast.visible & inside
        if visible.mean() < 0.04:
            return None
        roll, size = _roll(cast.points), 0.0
        size = oval_size(cast.points, roll)
        names = set(cast.conditions)
        names |= {"small"} if size < SMALL_PX * self._unit else set()
        names |= {"large"} if size > LARGE_PX * self._unit else set()
        names |= {"rolled"} if abs(np.degrees(roll)) > 15 else set()
        names |= {"yawed"} if abs(cast.yaw_deg) > 20 else set()
        names |= {"pitched"} if abs(cast.pitch_deg) > 12 else set()
        names |= {"at_edge"} if not inside.all() else set()
        names |= {"occluded"} if visible.mean() < 0.85 else set()
        ignore = cast.ignore or visible.mean() < 1 - HIDDEN_SHARE_IGNORED
        return SceneFace(
            cast.points.astype(np.float32), visible, roll, cast.yaw_deg, cast.pitch_deg,
            cast.person, frozenset(names), bool(ignore),
        )  # fmt: skip


def _roll(points: Floats) -> float:
    eyes = points[_EYES]
    right, left = eyes[: len(RIGHT_EYE)].mean(axis=0), eyes[len(RIGHT_EYE) :].mean(axis=0)
    return float(np.arctan2(left[1] - right[1], left[0] - right[0]))


def _turned_away(pose: Pose, face: Cast) -> bool:
    roll = (pose.roll_deg + 180) % 360 - 180
    return abs(face.yaw_deg) > _TURNED_AWAY_DEG or abs(roll) > _TURNED_AWAY_DEG


def _dress(
    rng: np.random.Generator, canvas: Canvas, face: Cast, difficulty: float, lit: float
) -> None:
    """Glasses, hair, a hand and so on, more of them the harder."""
    more = 0.35 + 1.3 * difficulty
    face.skin, face.hair = face.skin * lit, face.hair * lit
    draws = rng.random(8)
    if draws[0] < 0.12 * more:
        worn.fringe(rng, canvas, face)
        face.conditions.add("fringe")
    if draws[1] < 0.22:
        dark = draws[2] < 0.22 * more
        worn.glasses(rng, canvas, face, dark)
        face.conditions.add("sunglasses" if dark else "glasses")
    if draws[3] < 0.05 * more:
        worn.mask(rng, canvas, face)
        face.conditions.add("mask")
    if draws[4] < 0.08 * more:
        worn.cap(rng, canvas, face)
        face.conditions.add("hat")
    elif draws[4] < 0.2 * more:
        worn.headset(rng, canvas, face)
        face.conditions.add("headset")
    held = draws[5]
    for name, share, draw in (
        ("hand", 0.1, occluders.hand),
        ("microphone", 0.08, occluders.microphone),
        ("cup", 0.05, occluders.cup),
    ):
        if held < share * more:
            draw(rng, canvas, face, difficulty)
            face.conditions.add(name)
            break
        held -= share * more
