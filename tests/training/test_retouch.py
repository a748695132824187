"""Training on made-up faces: losses fall, weights come out and load, and a break changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engines.retouchgpt.checkpoint import load
from stream_retouch.errors import MediaError, SettingsError, WeightsError
from tests.training.tiny import NETWORK, NO_TIME, resumed, tiny_run
from training.batches import Batches
from training.examples import Example, asked
from training.recipe import Data, Stage
from training.retouch import Trainer, main, run
from training.run_folder import RunFolder


def parameters(trainer: Trainer) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.learned.parameters()])


def test_twenty_steps_lower_the_loss_and_leave_weights_curves_and_validation(
    tmp_path: Path,
) -> None:
    stages = Stage("first", NO_TIME, 16), Stage("last", NO_TIME, 4, settled=True, lr=5e-4)
    job = tiny_run(tmp_path, *stages, scenes=1)
    run(job)
    rows = [json.loads(line) for line in (job.out / "log.jsonl").read_text().splitlines()]
    steps, checks = ([r for r in rows if ("validation" in r) == check] for check in (False, True))
    assert [r["stage"] for r in steps] == ["first"] * 16 + ["last"] * 4
    assert steps[-1]["images"] == 40
    early, late = (np.mean([r["evidence"] for r in part]) for part in (steps[:5], steps[-5:]))
    assert np.isfinite([early, late]).all()
    assert late < early
    assert {"masked_psnr_gain_db", "clean_psnr_db", "by_kind"} <= checks[-1]["validation"].keys()
    assert (job.out / "curves.png").stat().st_size > 5000
    assert (job.out / "config.toml").read_text() == "# tiny\n"
    assert load(job.out / "weights.safetensors").config == NETWORK
    run(resumed(job))
    assert len((job.out / "log.jsonl").read_text().splitlines()) == len(rows)


def test_a_training_that_goes_on_makes_the_step_it_would_have_made(tmp_path: Path) -> None:
    job = tiny_run(tmp_path, Stage("first", NO_TIME, 1), Stage("second", NO_TIME, 4, settled=True))
    RunFolder(job.out).begin(job.text, resume=False)
    whole = Trainer(job)
    whole.begin_stage()
    whole.step(next(whole.batches()))
    whole.end_stage()
    whole.begin_stage()
    batches = whole.batches()
    whole.step(next(batches))
    whole.save()
    whole.step(next(batches))

    later = Trainer(resumed(job))
    later.begin_stage()
    assert later.stage.name == "second"
    later.step(next(later.batches()))
    assert later.step_count == whole.step_count == 3
    assert torch.equal(parameters(later), parameters(whole))


@pytest.mark.parametrize("fixed", [False, True])
def test_norms_keep_their_statistics_where_they_are_to(tmp_path: Path, fixed: bool) -> None:
    job = tiny_run(tmp_path, Stage("only", NO_TIME, 4, fixed_norms=fixed))
    RunFolder(job.out).begin(job.text, resume=False)
    trainer = Trainer(job)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.begin_stage()
    batches = trainer.batches()
    for _ in range(2):
        trainer.step(next(batches))
        trainer.report()  # which looks at the network as it serves
    after = trainer.model.state_dict()
    kept = [torch.equal(after[n], v) for n, v in before.items() if n.endswith("running_mean")]
    assert kept and all(kept) == any(kept) == fixed
    scales = [n for n in before if n.endswith("norm.weight")]
    assert any(not torch.equal(after[name], before[name]) for name in scales)


def test_parts_learn_at_their_own_pace(tmp_path: Path) -> None:
    paces = {"decoder": 1.0, "encoder.": 0.1, "": 0.0}
    job = tiny_run(tmp_path, Stage("only", NO_TIME, 2, fixed_norms=True, paces=paces))
    RunFolder(job.out).begin(job.text, resume=False)
    trainer = Trainer(job)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.begin_stage()
    trainer.step(next(trainer.batches()))
    rates = {group["lr"] for group in trainer.optimizer.param_groups if group.get("pace") != 0.0}
    assert max(rates) == pytest.approx(10 * min(rates))
    moved = {
        n.partition(".")[0] for n, v in trainer.model.named_parameters() if (v != before[n]).any()
    }
    assert moved == {"decoder", "encoder"}


def test_batches_are_the_same_wherever_they_begin(tmp_path: Path) -> None:
    job = tiny_run(tmp_path)
    data = Data(sides=(256,), side_shares=(1.0,))
    from_start, from_third = (Batches(job.cache, 1, (7, 0), first, data=data) for first in (0, 2))
    third = list(islice(from_start, 3))[2]
    assert all(torch.equal(value, third[name]) for name, value in next(iter(from_third)).items())


def test_a_batch_takes_as_many_plans_of_a_face_as_it_is_told(tmp_path: Path) -> None:
    data = Data(sides=(256,), side_shares=(1.0,), plans_a_face=2)
    crops = next(iter(Batches(tiny_run(tmp_path).cache, 5, (7, 0), data=data)))["crop"]
    alike = [torch.equal(a, b) for a, b in pairwise(crops)]
    assert alike == [True, False, True, False]  # the fifth has its face for itself


def test_a_recipe_says_how_often_a_camera_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []

    def noted(*args: Any) -> list[Example]:
        told.append(args[-1])
        return asked(*args)

    monkeypatch.setattr("training.batches.asked", noted)
    cache = tiny_run(tmp_path).cache
    for share in (0.0, 1.0, 0.5):
        data = Data(sides=(128,), side_shares=(1.0,), good_cameras=share)
        told.clear()
        next(iter(Batches(cache, 12, (7, 0), data=data)))
        poor = np.mean(told)
        assert poor == 1 - share if share != 0.5 else 0 < poor < 1


def test_a_folder_with_a_training_is_not_written_over(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin("", resume=False)
    (tmp_path / "last.pt").write_bytes(b"")
    with pytest.raises(SettingsError, match="--resume or name another folder with --out"):
        folder.begin("", resume=False)
    with pytest.raises(WeightsError, match="no training's state"):
        folder.load()


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny_run(tmp_path)
    RunFolder(job.out).begin(job.text, resume=False)
    trainer = Trainer(job)
    trainer.begin_stage()
    trainer.save()
    before = (job.out / "last.pt").read_bytes(), (job.out / "weights.safetensors").read_bytes()

    def full(state: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    trainer.step(next(trainer.batches()))
    monkeypatch.setattr(torch, "save", full)
    trainer.save()  # the training goes on
    with pytest.raises(MediaError, match=r"No space left on device.*free some space and go on"):
        trainer.save(last=True)
    after = (job.out / "last.pt").read_bytes(), (job.out / "weights.safetensors").read_bytes()
    assert after == before
    assert not list(job.out.glob("*.tmp"))


def test_another_network_does_not_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    job = tiny_run(tmp_path)
    RunFolder(job.out).begin(job.text, resume=False)
    trainer = Trainer(job)
    trainer.begin_stage()
    trainer.save()
    other = replace(job.recipe, network=replace(NETWORK, widths=(16, 8, 16)))
    with pytest.raises(WeightsError, match=r"made with another \[network\]"):
        Trainer(replace(resumed(job), recipe=other))


@pytest.mark.parametrize(
    ("text", "flags", "told"),
    [
        ("lrr = 1\n[[stages]]\nname = 'a'\nminutes = 1", [], "unknown key 'lrr'"),
        ("[[stages]]\nname = 'a'\nminutes = 1", ["--data", "celeba=x"], "--data ffhqr=DIR"),
        ("[[stages]]\nname = 'a'\nminutes = 1", [], "name their folder with --shared"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, flags: list[str], told: str
) -> None:
    config = tmp_path / "recipe.toml"
    config.write_text(text)
    places = ["--config", str(config), "--shared", str(tmp_path), "--cache", str(tmp_path / "c")]
    assert main([*places, *flags]) == 1
    assert told in capsys.readouterr().err


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    job = tiny_run(tmp_path)
    wrong = Path("engines/weights/finder.safetensors")
    given = replace(job, recipe=replace(job.recipe, init=str(wrong)))
    with pytest.raises(WeightsError, match="holds nothing of a retouching network"):
        Trainer(given)


def test_going_on_without_the_portraits_own_marks_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = tiny_run(tmp_path)
    weights = tmp_path / "w.safetensors"
    save_file(Trainer(job).model.state_dict(), weights)
    given = replace(job, recipe=replace(job.recipe, init=str(weights)))
    assert "training.found_marks" not in capsys.readouterr().out  # nothing to leave alone yet
    Trainer(given)
    assert f"training.found_marks {job.cache} --weights {weights} first" in capsys.readouterr().out
    assert job.cache is not None
    pictures = np.load(job.cache / "rgb.npy")
    np.save(job.cache / "found.npy", np.zeros(pictures.shape[:3], np.uint8))
    np.save(job.cache / "cleaned.npy", pictures)
    Trainer(given)
    assert "training.found_marks" not in capsys.readouterr().out


def test_a_network_with_a_finer_level_trains_and_is_measured(tmp_path: Path) -> None:
    job = tiny_run(tmp_path, Stage("only", NO_TIME, 1, reinforce=True), scenes=1, batch=1)
    data = replace(job.recipe.data, sides=(512,))
    recipe = replace(job.recipe, network=replace(NETWORK, finer=8), data=data)
    run(replace(job, recipe=recipe))
    rows = [json.loads(line) for line in (job.out / "log.jsonl").read_text().splitlines()]
    assert np.isfinite([rows[0]["evidence"], rows[0]["mask"], rows[0]["psi"]]).all()
    assert "named_removed" in rows[-1]["validation"]
    assert load(job.out / "weights.safetensors").config.crop_size == 512
