"""What training supervises is what the frame path pastes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from stream_retouch.media.edits import edit_of  # noqa: E402
from stream_retouch.media.frames import picture_of  # noqa: E402
from stream_retouch.media.paste import paste  # noqa: E402
from tests.fakes import make_frame, make_layer, planes_copy  # noqa: E402
from training.paste import Planes, applied, with_texture  # noqa: E402

SIDE, STEP = 512, 4


def noise(seed: int, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, shape), (0, 0), sigma)


@pytest.mark.parametrize("strength", [0.0, 4.0])
def test_training_pastes_as_the_frame_path_does(strength: float) -> None:
    scene = 150 + 60 * noise(1, (SIDE, SIDE, 3), 1.2)
    frame = make_frame(rgb=scene, full_range=True)
    layer = make_layer(mask=200, skin_luma=150.0)
    for channel, (mean, spread) in enumerate(((120, 600), (128, 200), (128, 200), (128, 200))):
        values = mean + spread * noise(channel + 2, (128, 128), 6.0)
        layer.codes[channel] = np.clip(values, 0, 255).astype(np.uint8)
    texture = np.full((32, 32), strength, np.float32)
    edit = edit_of(layer, texture)
    whole = np.array([[SIDE / 256, 0, SIDE / 512 - 0.5], [0, SIDE / 256, SIDE / 512 - 0.5]])
    theirs = planes_copy(paste(frame, picture_of(frame), [(whole, edit)]))

    y, u, v = (torch.from_numpy(p.astype(np.float32) / 255) for p in planes_copy(frame))
    source = Planes(y[None, None], torch.stack((u, v))[None] - 128 / 255)
    parts = with_texture(
        torch.from_numpy(edit.shares)[None],
        torch.ones(1, 1, *edit.mask.shape),
        torch.from_numpy(texture)[None],
    )
    up = torch.nn.functional.interpolate(parts, scale_factor=float(STEP), mode="bilinear")
    ours = applied(source, up, torch.tensor([edit.skin_luma]), STEP)
    inner, half = (slice(64, -64),) * 2, (slice(32, -32),) * 2
    assert np.abs(theirs[0].astype(float) - planes_copy(frame)[0])[inner].max() > 10
    for got, plane, shift, part in (
        (ours.y[0, 0], theirs[0], 0.0, inner),
        (ours.c[0, 0], theirs[1], 128.0, half),
        (ours.c[0, 1], theirs[2], 128.0, half),
    ):
        difference = np.abs(255 * got.numpy() + shift - plane)[part]
        assert difference.max() <= 1.6 and difference.mean() < 0.4
