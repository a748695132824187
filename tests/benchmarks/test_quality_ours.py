"""Our rows go through the frame path that serves, and remember what the engine said."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from benchmarks.quality.masks import true_mask  # noqa: E402
from benchmarks.quality.ours import Recorder, Row  # noqa: E402
from benchmarks.quality.painted import Tally  # noqa: E402
from benchmarks.quality.scenes import all_blemishes  # noqa: E402
from benchmarks.quality.views import views  # noqa: E402
from stream_retouch.language.plan import InstructionPlan  # noqa: E402
from tests.benchmarks.quality_scenes import scene  # noqa: E402
from tests.fakes import FakeConditioner, FakeEngine, FakeFinder, make_layer  # noqa: E402
from tests.outputs import clips  # noqa: E402


def picture() -> np.ndarray:
    """An upright face as `clips.UprightFinder` sees one."""
    return np.repeat(clips.scene()[0][..., None], 3, 2)


def row(finder: object) -> Row:
    engine = Recorder(FakeEngine(make_layer(offset=20.0, inside=np.s_[32:64, 32:64])))
    return Row("ours", engine, FakeConditioner(), finder)  # type: ignore[arg-type]


def test_the_answer_holds_the_mask_and_where_the_face_is() -> None:
    ours = row(clips.UprightFinder())
    answer = ours.retouch(picture(), all_blemishes(1.0))
    assert answer.faces == 1 and ours.faces_missed == 0 and len(ours.engine.seconds) == 1
    assert answer.mask is not None and answer.transform is not None
    assert answer.mask[32:64, 32:64].min() == 1.0 and answer.mask.sum() == 32 * 32
    changed = np.abs(answer.picture - picture()).max(-1) > 10
    ys, xs = np.nonzero(changed)
    middle = answer.transform[:, :2] @ (95.5, 95.5) + answer.transform[:, 2]
    assert np.hypot(*(middle - (xs.mean(), ys.mean()))) < 3


def test_a_face_that_is_not_found_is_counted_and_its_mask_is_worth_nothing() -> None:
    ours = row(FakeFinder())
    answer = ours.retouch(picture(), all_blemishes(1.0))
    assert ours.faces_missed == 1 and answer.mask is None
    tally = Tally()
    tally.add_mask(answer, views(scene()))
    assert tally.soft_iou == [0.0]


def test_an_empty_plan_changes_nothing_and_asks_nobody() -> None:
    ours = row(clips.UprightFinder())
    answer = ours.retouch(picture(), InstructionPlan(action="nothing"))
    assert answer.mask is None and ours.engine.seconds == []
    assert np.abs(answer.picture - picture()).max() < 1.5


def test_the_true_mask_of_another_layer_has_its_size() -> None:
    assert true_mask(views(scene()), np.eye(2, 3), 256).shape == (256, 256)
