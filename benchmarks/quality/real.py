"""Real marks on real skin: the unpainted portraits, told to lose all blemishes.

* ``real_blob_energy``: blobs are found on the source (`blobs`), and their energy at the same places in the result is
  divided by theirs in the source, pooled over the portraits.
* ``texture_kept``: luma less its Gaussian of 2 px at native resolution, squared, on clear skin (away from its rim and
  from the blobs); the result's over the source's, mean over portraits.
* ``identity_cosine``: MobileFaceNet on both, aligned by the source's landmarks, mean over portraits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.heldout import square
from benchmarks.quality.blobs import Blob, Skin
from benchmarks.quality.pictures import Box, Rgb, bytes_of, inside, to_frame, to_rgb
from stream_retouch.errors import MediaError, WeightsError
from training.imperfections.anatomy import skin_of
from training.mobilefacenet import MobileFaceNet, aligned
from training.splits import Portrait

_FEATURES = (
    ((168, 6, 197, 195, 5, 4, 1, 2, 97, 326, 98, 327), 7.0),
    ((133, 362), 8.0),
    ((164, 167, 393, 165, 391), 6.0),
    ((61, 291), 6.0),
)
"""Mesh points whose surroundings shade, gleam or redden by themselves, and how far, units: ridge and base of the nose,
inner corners of the eyes, the upper lip, the corners of the mouth."""
_FINE_PX = 2.0
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One unpainted portrait and what is found on it."""

    portrait: Portrait
    rgb: NDArray[np.uint8]
    """(H, W, 3) as it is."""
    source: Rgb
    """The same after 4:2:0."""
    box: Box
    whole_skin: NDArray[np.float32]
    """(H, W) 0..1."""
    skin: Skin
    blobs: list[Blob]
    """In pixels of the square."""


@dataclass(slots=True)
class RealSums:
    """One filter's figures on real skin."""

    before: float = 0.0
    after: float = 0.0
    texture: list[float] = field(default_factory=list)
    likeness: list[float] = field(default_factory=list)
    by_face: dict[str, dict[str, float]] = field(default_factory=dict)

    def figures(self) -> dict[str, float | None]:
        """Those of the module's docstring."""
        return {
            "real_blob_energy": self.after / self.before if self.before else None,
            "texture_kept": float(np.mean(self.texture)) if self.texture else None,
            "identity_cosine": float(np.mean(self.likeness)) if self.likeness else None,
            "identity_cosine_min": min(self.likeness) if self.likeness else None,
        }


def face(portrait: Portrait) -> Face:
    """Reads a portrait and looks for its blobs.

    Raises:
        MediaError: its picture cannot be read.
    """
    bgr = cv2.imread(str(portrait.file), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError(str(portrait.file), "no readable picture; copy the portraits again")
    rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    source = to_rgb(to_frame(rgb))
    x0, y0, side = square(portrait, source.shape[:2])
    box = (x0, y0, side)
    points = portrait.landmarks - np.array((x0, y0), np.float32)
    skin = skin_of(np.ascontiguousarray(rgb[inside(box)]), points)
    whole = np.zeros(source.shape[:2], np.float32)
    whole[inside(box)] = skin
    unit = float(np.hypot(*(points[263] - points[33]))) / 100.0
    clear = skin.copy()
    for features, reach in _FEATURES:
        for x, y in points[list(features)]:
            cv2.circle(clear, (round(float(x)), round(float(y))), round(reach * unit), 0.0, -1)
    looked_at = Skin(clear, unit)
    return Face(portrait, rgb, source, box, whole, looked_at, looked_at.find(source[inside(box)]))


def identity(shared: Path) -> tuple[MobileFaceNet | None, str | None]:
    """The network that knows faces, or why there is none."""
    try:
        return MobileFaceNet(shared / "weights" / "mobilefacenet_v1.npz"), None
    except WeightsError as problem:
        return None, f"identity_cosine, for {problem}"


def measure_face(sums: RealSums, f: Face, out: Rgb, net: MobileFaceNet | None) -> None:
    """Adds what became of one face."""
    before, after = f.source[inside(f.box)], out[inside(f.box)]
    energy = f.skin.energy(before, f.blobs), f.skin.energy(after, f.blobs)
    sums.before += energy[0]
    sums.after += energy[1]
    clear = f.skin.clear(f.blobs)
    texture = fine_energy(after, clear) / max(fine_energy(before, clear), 1e-9)
    sums.texture.append(texture)
    row = {
        "blobs": float(len(f.blobs)),
        "blob_energy": energy[1] / max(energy[0], 1e-9),
        "texture_kept": texture,
    }
    if net is not None:
        pair = [aligned(bytes_of(p), f.portrait.landmarks) for p in (f.source, out)]
        a, b = net.embed(np.stack(pair))
        sums.likeness.append(float(a @ b))
        row["identity_cosine"] = float(a @ b)
    sums.by_face[f.portrait.file.stem] = {name: round(value, 4) for name, value in row.items()}


def fine_energy(rgb: Rgb, where: NDArray[np.bool_]) -> float:
    """Sum of squared fine detail of the luma over some pixels."""
    luma = rgb @ _LUMA
    fine = luma - cv2.GaussianBlur(luma, (0, 0), _FINE_PX)
    return float((fine[where] ** 2).sum())
