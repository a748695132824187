"""The page's sample clip: what is committed, and how it is painted."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from training.make_sample_clip import FPS, HEIGHT, MAX_BYTES, WIDTH, head_motion, paint, portraits

CLIP = Path(__file__).parents[2] / "stream_retouch" / "service" / "page" / "sample.webm"


def test_committed_clip_is_small_and_loops() -> None:
    assert CLIP.stat().st_size <= MAX_BYTES
    with av.open(str(CLIP)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert frames[0].shape == (HEIGHT, WIDTH)
    assert 6 * FPS <= len(frames) <= 8 * FPS
    # Both ends are nearly black, so the loop has no jump.
    assert frames[0].mean() < 45 and frames[-1].mean() < 45
    assert frames[40].mean() > 90


def test_head_motion_ends_where_it_began() -> None:
    assert head_motion(1.0) == pytest.approx(head_motion(0.0))


def test_marks_are_painted_where_they_are_written() -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("matplotlib")
    for picture, person in portraits():
        painted = paint(picture, person, np.random.default_rng(1))
        x, y, _ = person.moles[0]
        at = (round(y * person.scale), round(x * person.scale))
        assert painted[at].mean() < 0.75 * picture[round(y), round(x)].mean()
        # Far from the face only the grain differs.
        assert abs(float(painted[-40:].mean() - picture[-16:].mean())) < 0.05
