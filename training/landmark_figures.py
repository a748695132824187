"""How good a landmarker is: errors, presence, visibility and tremble, on persons it never saw."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.landmark_net import LandmarkNet
from stream_retouch.engine import CROP_SIZE, LANDMARKS
from stream_retouch.media.affine import compose
from stream_retouch.media.frames import Picture
from stream_retouch.media.loose_crop import LOOSE_POINTS, LOOSE_TO_CROP, loose_crop
from stream_retouch.media.regions import alignment
from training.face_relief import Source
from training.landmark_samples import Sample, Sampler

EYES = (LANDMARKS.index(33), LANDMARKS.index(263))
CROP_EYES_PX = float(LOOSE_POINTS[EYES[1], 0] - LOOSE_POINTS[EYES[0], 0])
_SEED = 12345
_NOISE = 0.012
"""Of a webcam in a room, share of full scale."""
_CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (CROP_SIZE - 1.0)


def stacked(samples: list[Sample]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(B, 1, H, W) luma as float, (B, K, 2) points, (B,) presence, (B, K) visibility."""
    luma = torch.from_numpy(np.stack([s.luma for s in samples]))[:, None].float()
    points = torch.from_numpy(np.stack([s.points for s in samples]))
    visible = torch.from_numpy(np.stack([s.visible for s in samples])).float()
    return luma, points, torch.tensor([float(s.face) for s in samples]), visible


def inter_ocular_error(
    found: NDArray[np.floating], wanted: NDArray[np.floating]
) -> NDArray[np.floating]:
    """(N,) mean landmark distance over the distance of the outer eye corners, the usual NME."""
    across = np.linalg.norm(wanted[:, EYES[1]] - wanted[:, EYES[0]], axis=-1)
    return np.asarray(np.linalg.norm(found - wanted, axis=-1).mean(axis=1) / across)


class Examination:
    """Figures on the held-out persons; the samples are drawn once and stay the same."""

    def __init__(self, held: list[Source], draws: int, shared: Path | None = None) -> None:
        """
        Args:
            held: their portraits; none, no figures.
            draws: augmented samples to look at.
            shared: the shared data folder; its semi-synthetic clips are measured too if they are
                there.
        """
        sampler, count = Sampler(held, _SEED), len(held)
        sides = np.random.default_rng(_SEED).choice([-1, 1], count) * np.linspace(30, 50, count)
        self._plain = [sampler.plain(source) for source in held for _ in range(4)]
        self._turned = [sampler.turned(s, yaw) for s, yaw in zip(held, sides.tolist(), strict=True)]
        self._drawn = [sampler.draw() for _ in range(draws if held else 0)]
        folder = (shared or Path()) / "faces" / "video" / "semi_synthetic"
        self._clips = semi_synthetic(folder) if shared and folder.is_dir() else []

    @torch.no_grad()
    def of(self, net: LandmarkNet) -> dict[str, float]:
        """The figures of a net in evaluation mode.

        Returns:
            ``nme_heldout_upright``, ``_turned`` (by 30 to 50 degrees) and ``_augmented``, over the
            distance of the outer eye corners; ``presence_accuracy``, ``presence_false`` (share of
            the crops without a face that pass for one); ``visibility_hidden`` and ``_seen``, shares
            found of the points that are; ``tremble_px``, see `tremble`; ``nme_semi_synthetic``.
        """
        if not self._plain:
            return {}
        luma, points, face, visible = stacked(self._drawn)
        found, presence, seen = (part.numpy() for part in _answers(net, luma))
        there, passes = face.numpy() > 0.5, presence > 0
        across = np.linalg.norm(points[:, EYES[1]] - points[:, EYES[0]], axis=-1)
        error = inter_ocular_error(found, points.numpy())[there & (across > 0.5 * CROP_EYES_PX)]
        shown, said = visible.numpy()[there] > 0.5, seen[there] > 0
        figures = {
            "nme_heldout_upright": _nme(net, self._plain),
            "nme_heldout_turned": _nme(net, self._turned),
            "nme_heldout_augmented": float(error.mean()),
            "presence_accuracy": float((passes == there).mean()),
            "presence_false": float(passes[~there].mean()),
            "visibility_hidden": float((~said)[~shown].mean()),
            "visibility_seen": float(said[shown].mean()),
            "tremble_px": tremble(net, self._plain[::4]),
        }
        if self._clips:
            figures["nme_semi_synthetic"] = _nme(net, self._clips)
        return {name: round(value, 5) for name, value in figures.items()}


@torch.no_grad()
def tremble(net: LandmarkNet, faces: list[Sample], frames: int = 8) -> float:
    """How far the corners of the aligned crop move, RMS in its own pixels, when a still face is seen
    through a webcam's noise; no filter follows."""
    rng, spreads = np.random.default_rng(_SEED), []
    for face in faces:
        noise = rng.normal(0, 255 * _NOISE, (frames, *face.luma.shape))
        noisy = np.clip(np.rint(face.luma + noise), 0, 255).astype(np.float32)
        found = net(torch.from_numpy(noisy)[:, None])[0].numpy().astype(np.float64)
        to_loose = [alignment(points) for points in found]
        corners = np.stack([_CORNERS @ a[:, :2].T + a[:, 2] for a in to_loose])
        off = (corners - corners.mean(axis=0)) * LOOSE_TO_CROP[0, 0]
        spreads.append(float((off**2).sum(axis=-1).mean()) * frames / (frames - 1))
    return float(np.sqrt(np.mean(spreads)))


def semi_synthetic(folder: Path, every: int = 20) -> list[Sample]:
    """Every so many-th frame of the clips in `folder`, cropped as the tracker does that is a little
    off, with their exact landmarks."""
    rng, samples = np.random.default_rng(_SEED), []
    for file in sorted(folder.glob("*.npz")):
        clip = cv2.VideoCapture(str(file.with_suffix(".mp4")))
        with np.load(file) as data:
            meshes = data["landmarks"]
        for mesh in meshes[::every]:
            ok, frame = clip.read()
            if not ok:
                break
            samples.append(_cropped(frame, mesh[list(LANDMARKS), :2].astype(np.float64), rng))
            for _ in range(every - 1):
                clip.grab()
    return samples


def _cropped(
    frame: NDArray[np.generic], points: NDArray[np.float64], rng: np.random.Generator
) -> Sample:
    luma = np.asarray(cv2.cvtColor(np.asarray(frame, np.uint8), cv2.COLOR_BGR2GRAY), np.uint8)
    chroma = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 128, np.uint8)
    picture = Picture(luma, chroma, chroma, True, "bt601", "center")
    roll, scale = rng.normal(0, 0.05), rng.normal(1, 0.03)
    turn = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    middle = LOOSE_POINTS.mean(axis=0)
    off = np.column_stack([turn, middle - turn @ middle + rng.normal(0, 1, 2)])
    to_frame = compose(compose(alignment(points), LOOSE_TO_CROP), off)
    placed = np.linalg.solve(to_frame[:, :2], (points - to_frame[:, 2]).T).T
    seen = np.ones(len(points), np.bool_)
    return Sample(loose_crop(picture, to_frame), placed.astype(np.float32), seen, True)


def _answers(net: LandmarkNet, luma_B1HW: Tensor) -> list[Tensor]:
    parts = [net(part) for part in torch.split(luma_B1HW, 64)]
    return [torch.cat(same) for same in zip(*parts, strict=True)]


def _nme(net: LandmarkNet, samples: list[Sample]) -> float:
    luma, points, _, _ = stacked(samples)
    return float(inter_ocular_error(_answers(net, luma)[0].numpy(), points.numpy()).mean())
