"""Makes the sample clip of the page: ``python -m training.make_sample_clip OUT.webm``.

Two public-domain portraits (NASA's Eileen Collins inside scikit-image, the US Navy's Grace Hopper
inside matplotlib) get painted imperfections of known kind and place and a gentle head motion.
640x480, 25 frames a second, 8 s, a seamless loop: each person fades in and out of black, so neither
the change of person nor the loop shows a jump. Marks are multiplicative and soft-edged: skin
texture and light stay under them, as under a real one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""(H, W, 3) float32 RGB, 0..1."""
Point = tuple[float, float]

WIDTH, HEIGHT, FPS = 640, 480, 25
SECONDS_EACH = 4.0
FADE_S = 0.24
MAX_BYTES = 500_000

MOLE = (0.52, 0.36, 0.28)
FRECKLE = (0.83, 0.73, 0.66)
PIMPLE = (0.90, 0.68, 0.67)
REDNESS = (0.98, 0.86, 0.85)
CIRCLE = (0.74, 0.68, 0.71)
"""What a mark at full strength multiplies R, G and B by."""


@dataclass(frozen=True)
class Person:
    """Where the marks of one portrait go. Places are pixels of the portrait as it is stored."""

    centre: Point
    """What the camera looks at."""
    scale: float
    """Output pixels to a portrait pixel."""
    grain: float
    """Skin texture to add, 0..1 luma: enlarging leaves none."""
    moles: tuple[tuple[float, float, float], ...]
    """x, y, radius."""
    pimples: tuple[tuple[float, float, float], ...]
    redness: tuple[tuple[float, float, float, float], ...]
    """x, y, half width, half height."""
    freckles: tuple[tuple[float, float, float, float, int], ...]
    """x, y, half width, half height, how many."""
    circles: tuple[tuple[float, float, float, float], ...]
    """x, y, half width, half height of the hollow under an eye."""


COLLINS = Person(
    centre=(226, 124),
    scale=2.5,
    grain=0.016,
    moles=((259.5, 128.5, 1.6), (199.5, 146.5, 1.25), (232.5, 163.5, 1.0)),
    pimples=(
        (194.5, 84.5, 1.7),
        (205.0, 86.5, 1.3),
        (238.5, 87.5, 1.5),
        (222.0, 88.5, 1.4),
        (250.0, 140.5, 1.6),
        (213.0, 168.5, 1.4),
        (195.0, 133.0, 1.3),
    ),
    redness=((197, 128, 9, 8), (253, 130, 9, 8), (225, 122, 5, 4)),
    freckles=((201, 119, 12, 7, 20), (247, 120, 11, 7, 18), (223, 112, 5, 7, 7)),
    circles=((203.5, 107.5, 8.5, 3.2), (246.5, 109, 8.5, 3.2)),
)
HOPPER = Person(
    centre=(264, 242),
    scale=1.4,
    grain=0.008,
    moles=((210, 258, 2.3), (318, 268, 2.0), (287, 152, 1.8)),
    pimples=((229, 158, 3.2), (259, 149, 2.7), (321, 243, 3.0), (240, 305, 2.6), (280, 308, 2.3)),
    redness=((214, 246, 17, 14), (322, 248, 16, 14), (267, 236, 12, 9)),
    freckles=((212, 243, 16, 10, 16), (322, 240, 15, 10, 16)),
    circles=((224, 211, 15, 5), (306, 209, 15, 5)),
)


def portraits() -> list[tuple[Image, Person]]:
    """The two pictures, from the packages that ship them (development only, no download)."""
    from matplotlib.cbook import get_sample_data
    from skimage.data import astronaut

    path = get_sample_data("grace_hopper.jpg", asfileobj=False)
    hopper = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if hopper is None:
        raise ValueError("matplotlib's grace_hopper.jpg cannot be read; reinstall matplotlib")
    hopper = cv2.cvtColor(hopper, cv2.COLOR_BGR2RGB)
    return [
        (astronaut().astype(np.float32) / 255, COLLINS),
        (hopper.astype(np.float32) / 255, HOPPER),
    ]


class Canvas:
    """A portrait enlarged to the scale it is shown at: painted marks are as sharp as the clip."""

    def __init__(self, picture: Image, scale: float, rng: np.random.Generator) -> None:
        height, width = picture.shape[:2]
        size = (round(width * scale), round(height * scale))
        large = cv2.resize(picture, size, interpolation=cv2.INTER_LANCZOS4)
        soft = cv2.GaussianBlur(large, (0, 0), 0.6 * scale)
        self.picture: Image = np.clip(large + 0.45 * (large - soft), 0, 1).astype(np.float32)
        self.scale = scale
        self.rng = rng
        self.y, self.x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)

    def noise(self, sigma: float) -> NDArray[np.float32]:
        """(H, W) float32 smooth noise of deviation 1, its lumps `sigma` output pixels wide."""
        field = self.rng.standard_normal(self.x.shape).astype(np.float32)
        field = cv2.GaussianBlur(field, (0, 0), sigma)
        return np.asarray(field / field.std(), np.float32)

    def distance(self, x: float, y: float, rx: float, ry: float) -> NDArray[np.float32]:
        """(H, W) distance from a place in radii of the ellipse `rx`, `ry` (portrait pixels)."""
        dx = (self.x - x * self.scale) / (rx * self.scale)
        dy = (self.y - y * self.scale) / (ry * self.scale)
        return np.sqrt(dx * dx + dy * dy)

    def tint(self, weight: NDArray[np.floating], colour: tuple[float, float, float]) -> None:
        """Multiplies the picture by `colour` where `weight` (H, W) 0..1 is 1."""
        weight = np.clip(weight, 0, 1)[:, :, None]
        self.picture = self.picture * (1 + weight * (np.asarray(colour, np.float32) - 1))


def _disc(distance: NDArray[np.floating], edge: float) -> NDArray[np.float32]:
    """1 inside radius 1, 0 outside, a soft step of half width `edge` between."""
    return np.asarray(1 / (1 + np.exp(np.clip((distance - 1) / edge * 3, -30, 30))), np.float32)


def paint(picture: Image, person: Person, rng: np.random.Generator) -> Image:
    """The portrait at output scale with this person's marks painted on it."""
    canvas = Canvas(picture, person.scale, rng)
    lumps = canvas.noise(2.5 * person.scale)
    for x, y, rx, ry in person.redness:
        canvas.tint(np.exp(-(canvas.distance(x, y, rx, ry) ** 2)) * (0.75 + 0.35 * lumps), REDNESS)
    for x, y, rx, ry in person.circles:
        canvas.tint(0.85 * np.exp(-(canvas.distance(x, y, rx, ry) ** 2)), CIRCLE)
    for x, y, rx, ry, count in person.freckles:
        _freckle(canvas, (x, y), (rx, ry), count)
    for x, y, radius in person.pimples:
        _pimple(canvas, x, y, radius)
    wobble = canvas.noise(1.2 * person.scale)
    for x, y, radius in person.moles:
        uneven = canvas.distance(x, y, radius, radius * rng.uniform(0.82, 1.0)) + 0.07 * wobble
        canvas.tint(0.95 * _disc(uneven, 0.42), MOLE)
    texture = canvas.noise(0.8) * 0.7 + canvas.noise(1.6) * 0.5
    return np.clip(canvas.picture + person.grain * texture[:, :, None], 0, 1).astype(np.float32)


def _freckle(canvas: Canvas, centre: Point, spread: Point, count: int) -> None:
    """Small brown dots, denser in the middle, no two alike."""
    for _ in range(count):
        angle, reach = canvas.rng.uniform(0, 2 * np.pi), canvas.rng.uniform(0, 1) ** 0.6
        x = centre[0] + spread[0] * reach * np.cos(angle)
        y = centre[1] + spread[1] * reach * np.sin(angle)
        radius = canvas.rng.uniform(1.4, 2.6) / canvas.scale
        shape = canvas.distance(x, y, radius, radius * canvas.rng.uniform(0.75, 1.1))
        canvas.tint(canvas.rng.uniform(0.3, 0.75) * _disc(shape, 0.8), FRECKLE)


def _pimple(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """A red swelling: a wide flush, a darker core and light on the side that faces the lamp."""
    canvas.tint(0.5 * np.exp(-(canvas.distance(x, y, 2.0 * radius, 2.0 * radius) ** 2)), PIMPLE)
    canvas.tint(0.6 * _disc(canvas.distance(x, y, radius, 0.95 * radius), 0.5), PIMPLE)
    shade = canvas.distance(x + 0.3 * radius, y + 0.5 * radius, radius, 0.7 * radius)
    canvas.tint(0.35 * np.exp(-(shade**2)), (0.80, 0.72, 0.72))
    gleam = canvas.distance(x - 0.3 * radius, y - 0.4 * radius, 0.45 * radius, 0.38 * radius)
    canvas.tint(0.8 * np.exp(-(gleam**2)), (1.13, 1.16, 1.15))


def head_motion(phase: float) -> tuple[float, float, float, float]:
    """The head at `phase` 0..1 of its loop: x and y in output pixels, degrees, scale."""
    turn = 2 * np.pi * phase
    return (
        22 * np.sin(turn) + 6 * np.sin(2 * turn + 0.7),
        9 * np.sin(2 * turn + 0.4),
        4.5 * np.sin(turn + 0.9),
        1 + 0.035 * np.sin(turn + 2.2),
    )


def view(painted: Image, person: Person, phase: float) -> Image:
    """(480, 640, 3) float32 RGB: the painted portrait as the camera sees it at `phase`."""
    dx, dy, degrees, scale = head_motion(phase)
    centre = (person.centre[0] * person.scale, person.centre[1] * person.scale)
    matrix = cv2.getRotationMatrix2D(centre, degrees, scale)
    matrix[:, 2] += np.array([WIDTH / 2 - centre[0] + dx, HEIGHT / 2 - centre[1] + dy])
    return np.asarray(
        cv2.warpAffine(
            painted,
            matrix,
            (WIDTH, HEIGHT),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        np.float32,
    )


def frames(seed: int = 7) -> Iterator[NDArray[np.uint8]]:
    """Every frame of the clip: (480, 640, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    count = round(SECONDS_EACH * FPS)
    for picture, person in portraits():
        painted = paint(picture, person, rng)
        for index in range(count):
            light = min(1.0, (index + 1) / (FADE_S * FPS), (count - index) / (FADE_S * FPS))
            frame = view(painted, person, index / count) * np.float32(light)
            yield np.clip(np.rint(frame * 255), 0, 255).astype(np.uint8)


def write_clip(path: Path, pictures: list[NDArray[np.uint8]], crf: int) -> int:
    """Writes the clip as VP9 in WebM at quality `crf` (lower is better); returns its bytes."""
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx-vp9", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.options = {"crf": str(crf), "b": "0", "cpu-used": "2", "g": "100", "row-mt": "0"}
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.stat().st_size


def main(arguments: list[str] | None = None) -> int:
    """Writes the clip at the best quality that fits in 500 kB."""
    parser = argparse.ArgumentParser(description="make the page's sample clip")
    parser.add_argument("out", type=Path, help="the .webm file to write")
    options = parser.parse_args(arguments)
    pictures = list(frames())
    for crf in range(20, 52, 3):
        size = write_clip(options.out, pictures, crf)
        if size <= MAX_BYTES:
            print(f"{options.out}: {len(pictures)} frames, {size} bytes, crf {crf}")
            return 0
    print(f"{options.out}: over {MAX_BYTES} bytes at every quality", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
