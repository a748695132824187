"""MapMemory: the same maps while nothing shows, new ones as soon as something would."""

from __future__ import annotations

import numpy as np

from stream_retouch.media.map_memory import MOVED_PX, MapMemory
from stream_retouch.media.regions import CANONICAL_POINTS, face_maps
from stream_retouch.media.skin import EVIDENCE_SIZE

SKIN = np.ones((EVIDENCE_SIZE, EVIDENCE_SIZE), np.float32)


def test_maps_are_those_of_face_maps_and_kept_while_the_face_is_still():
    memory = MapMemory()
    first = memory.of(CANONICAL_POINTS, SKIN)
    for kept, drawn in zip(first, face_maps(CANONICAL_POINTS, SKIN), strict=True):
        np.testing.assert_array_equal(kept, drawn)
    assert memory.of(CANONICAL_POINTS + 0.9 * MOVED_PX, SKIN) is first


def test_one_landmark_that_moves_far_enough_is_reason_to_draw_again():
    memory, moved = MapMemory(), CANONICAL_POINTS.copy()
    first = memory.of(CANONICAL_POINTS, None)
    moved[40] += (0.0, 1.1 * MOVED_PX)
    assert memory.of(moved, None) is not first


def test_small_steps_add_up():
    memory = MapMemory()
    first = memory.of(CANONICAL_POINTS, None)
    steps = [memory.of(CANONICAL_POINTS + 0.4 * MOVED_PX * i, None) for i in range(1, 4)]
    assert steps[0] is first and steps[1] is first and steps[2] is not first


def test_other_evidence_counts_at_once():
    memory = MapMemory()
    first = memory.of(CANONICAL_POINTS, None)
    bald = memory.of(CANONICAL_POINTS, SKIN)
    hidden = memory.of(CANONICAL_POINTS, np.zeros_like(SKIN))
    assert first is not bald and not hidden.regions.any() and bald.regions.any()
