"""Networks compared on the same scenes: what counts as a difference, and what as chance."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from benchmarks.quality import paired  # noqa: E402
from benchmarks.quality.ours import Answer  # noqa: E402
from benchmarks.quality.paired import Seen  # noqa: E402
from benchmarks.quality.views import views  # noqa: E402
from stream_retouch.language.plan import InstructionPlan  # noqa: E402
from tests.benchmarks.quality_scenes import MOLE, scene  # noqa: E402


class Lifting:
    """A row that takes away a share of the mole."""

    name, weights, faces_missed = "ours", "none", 0

    def __init__(self, share: float, finds: bool = True) -> None:
        self._share, self._finds = share, finds

    def retouch(self, picture: np.ndarray, plan: InstructionPlan) -> Answer:
        out = picture.astype(np.float32)
        out[MOLE] += 40.0 * self._share
        mask = np.ones((128, 128), np.float32) if self._finds else None
        return Answer(out, int(self._finds), mask, np.eye(2, 3) if self._finds else None)


def of(row: Lifting, person: str = "a") -> Seen:
    found = paired.seen(row, views(scene()), scene())
    found.person, found.scene = person, person
    return found


def test_a_scene_is_measured_as_the_benchmark_does() -> None:
    half = of(Lifting(0.5))
    values = paired.figures([half])
    assert values["masked_psnr_gain_db"] == pytest.approx(20 * np.log10(2), abs=0.1)
    assert values["named_removed"] == pytest.approx(0.5, abs=0.01)
    assert half.by_kind["mole"][1] / half.by_kind["mole"][0] == pytest.approx(4.0, rel=0.05)


def test_a_face_that_was_missed_counts() -> None:
    assert of(Lifting(0.0, finds=False)).soft_iou == 0.0


def test_what_all_persons_agree_on_has_no_error_and_what_one_says_has() -> None:
    first = [of(Lifting(0.5), person) for person in "abcd"]
    same = [of(Lifting(0.75), person) for person in "abcd"]
    more, error = paired.differences(first, same, 50)["masked_psnr_gain_db"]
    assert more == pytest.approx(20 * np.log10(2), abs=0.1)
    assert error == pytest.approx(0.0, abs=1e-9)
    one = [of(Lifting(0.9 if person == "a" else 0.5), person) for person in "abcd"]
    more, error = paired.differences(first, one, 50)["masked_psnr_gain_db"]
    assert 0 < more < 2 * error


def test_what_is_left_is_told_by_kind_and_scene() -> None:
    left = paired.what_is_left([of(Lifting(0.5), "good"), of(Lifting(0.0), "bad")])
    assert list(left["scenes"]) == ["bad", "good"]
    assert left["scenes"]["bad"]["share"] == pytest.approx(0.8, abs=0.01)
    assert list(left["kinds"]) == ["mole"]


def test_the_table_says_how_sure_a_difference_is() -> None:
    first, other = [of(Lifting(0.5))], [of(Lifting(0.75))]
    row = {**paired.figures(other), "less_first": paired.differences(first, other, 5)}
    found = {
        "rows": {"a": paired.figures(first), "b": row},
        "left": paired.what_is_left(first),
    }
    text = paired.table(found)
    assert "(+6.0" in text and "± 0.00)" in text and "| mole | 1.000 |" in text


def test_wrong_arguments_and_files_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        paired.main(["a.safetensors", "--draws", "0"])
    assert "--draws must be at least 1" in capsys.readouterr().err
    assert paired.main(["no.safetensors", "--shared", "nowhere"]) == 1
    assert "benchmarks.quality.paired:" in capsys.readouterr().err
