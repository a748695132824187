"""LanguageConditioner with random weights."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from engines.conditioner import LanguageConditioner
from stream_retouch.engine import (
    BLOCK_WIDTH,
    BLOCKS,
    CROP_SIZE,
    TEXT_WIDTH,
    Conditioner,
    Conditioning,
)
from stream_retouch.errors import EngineError, WeightsError
from stream_retouch.language.plan import BLEMISHES, FACE, Edit, InstructionPlan, Keep

SPOTS = InstructionPlan((Edit("spot", ("left_cheek",), 0.5),), (Keep("mole", (FACE,)),))
EVERYTHING = InstructionPlan((Edit(BLEMISHES, (FACE,), 1.0),))
CROP = np.random.default_rng(0).integers(0, 256, (CROP_SIZE, CROP_SIZE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def conditioner(weights: Path) -> Conditioner:
    return LanguageConditioner.load(weights)


def equal(one: Conditioning, other: Conditioning) -> bool:
    names = ("f_txt", "alpha", "beta", "gamma")
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in names)


@pytest.mark.parametrize("crop", [CROP, None], ids=["face", "no face"])
@pytest.mark.parametrize("plan", [InstructionPlan(), SPOTS, EVERYTHING])
def test_a_conditioning_is_finite_and_of_the_seams_shapes(
    conditioner: Conditioner, plan: InstructionPlan, crop: np.ndarray | None
) -> None:
    found = conditioner.prepare(plan, crop)
    assert found.f_txt.shape == (TEXT_WIDTH,)
    for array in (found.alpha, found.beta, found.gamma):
        assert array.shape == (BLOCKS, BLOCK_WIDTH) and array.dtype == np.float32
        assert np.isfinite(array).all()
    assert isinstance(found.agrees, bool)


def test_plans_and_faces_make_a_difference_and_the_same_again_does_not(
    conditioner: Conditioner,
) -> None:
    found = conditioner.prepare(SPOTS, CROP)
    assert equal(found, conditioner.prepare(SPOTS, CROP))
    assert not equal(found, conditioner.prepare(EVERYTHING, CROP))
    assert not equal(found, conditioner.prepare(SPOTS, None))
    assert not equal(found, conditioner.prepare(SPOTS, 255 - CROP))


def test_a_network_that_cannot_read_the_plan_back_does_not_agree(conditioner: Conditioner) -> None:
    assert not conditioner.prepare(SPOTS, CROP).agrees


def test_a_network_that_reads_back_what_was_asked_agrees(weights: Path) -> None:
    import torch

    from engines.retouchgpt import checkpoint

    model = checkpoint.load(weights)
    with torch.no_grad():
        model.language.response.weight.zero_()
        bias = model.language.response.bias.view(12, -1)
        bias.zero_()
        bias[:, 0] = 1.0
    conditioner = LanguageConditioner(model)
    assert conditioner.prepare(InstructionPlan(), None).agrees
    assert not conditioner.prepare(SPOTS, None).agrees


def test_a_plan_of_very_many_words_is_cut_not_refused(conditioner: Conditioner) -> None:
    edits = tuple(Edit("spot", ("nose",), 0.5) for _ in range(100))
    assert np.isfinite(conditioner.prepare(InstructionPlan(edits), CROP).alpha).all()


def test_threads_take_turns_and_each_gets_its_own_answer(conditioner: Conditioner) -> None:
    plans = [SPOTS, EVERYTHING, InstructionPlan()] * 3
    alone = [conditioner.prepare(plan, CROP) for plan in plans]
    found: list[Conditioning | None] = [None] * len(plans)

    def work(i: int) -> None:
        found[i] = conditioner.prepare(plans[i], CROP)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(plans))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, found, strict=True):
        assert other is not None and equal(one, other)


def test_a_key_crop_of_another_size_is_refused(conditioner: Conditioner) -> None:
    with pytest.raises(EngineError, match=r"the key crop is \(8, 8, 3\) uint8; pass"):
        conditioner.prepare(SPOTS, np.zeros((8, 8, 3), np.uint8))


def test_a_network_for_large_crops_is_shown_large_ones(finer_weights: Path) -> None:
    conditioner = LanguageConditioner.load(finer_weights)
    found = conditioner.prepare(SPOTS, np.repeat(np.repeat(CROP, 2, axis=0), 2, axis=1))
    assert found.alpha.shape == (BLOCKS, BLOCK_WIDTH) and found.f_txt.shape == (TEXT_WIDTH,)
    assert not equal(found, conditioner.prepare(SPOTS, None))
    with pytest.raises(EngineError, match=r"pass \(512, 512, 3\) uint8"):
        conditioner.prepare(SPOTS, CROP)


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        LanguageConditioner.load(tmp_path / "none.safetensors")


def test_importing_the_module_brings_no_torch_and_loading_prints_nothing(weights: Path) -> None:
    program = (
        "import sys; from pathlib import Path; import engines.conditioner as c; "
        "assert 'torch' not in sys.modules; c.LanguageConditioner.load(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(weights)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
