"""The landmarker's training on drawn faces, and its figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

pytest.importorskip("torch", reason="torch is not installed")

import torch

from engines.folding import folded, renormalise
from engines.landmark_net import LandmarkNet
from stream_retouch.engine import LANDMARKS
from stream_retouch.errors import MediaError
from stream_retouch.media.loose_crop import LOOSE_POINTS
from stream_retouch.media.regions import CANONICAL_POINTS
from tests.training.drawn_face import drawn_source
from training.landmark_figures import inter_ocular_error, semi_synthetic, stacked, tremble
from training.landmark_samples import Sampler
from training.landmarks import Config, start, train
from training.splits import HELDOUT_PERSONS, portraits

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """More wait for each other longer than nets this small run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def crops(count: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (count, 1, 96, 96)).astype(np.float32))


def trained_a_little() -> LandmarkNet:
    torch.manual_seed(0)
    net = LandmarkNet()
    net.start_from(LOOSE_POINTS)
    with torch.no_grad():
        for _ in range(10):  # gives the batch norms something to fold
            net(crops(4))
    return net.eval()


def test_twenty_steps_lower_the_loss_and_leave_weights_that_serve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = [drawn_source(i) for i in range(4)]
    config = Config(tmp_path, steps=20, batch=8, workers=0, evaluate_draws=24)
    figures = train(sources, sources[:1], config)
    printed = capsys.readouterr().out.strip().splitlines()
    assert json.loads(printed[-1]) == figures
    assert figures["steps"] == 20 and 0 < figures["nme_heldout_upright"] < 1
    about = json.loads((tmp_path / "landmarks.json").read_text())
    assert about["figures"] == figures and "HELDOUT_PERSONS" in about["trained_on"]
    assert (tmp_path / "landmarks.safetensors").stat().st_size < 1_500_000
    net = LandmarkNet.from_folded(load_file(tmp_path / "landmarks.safetensors"))
    luma, points, _, _ = stacked([Sampler(sources, 0).plain(sources[0])])
    with torch.no_grad():
        found, presence, visibility = net(luma)
    assert inter_ocular_error(found.numpy(), points.numpy()).max() < 0.3
    assert presence.shape == (1,) and visibility.shape == (1, len(LANDMARKS))


def test_training_goes_on_from_weights_with_the_figures_it_left_off_at(tmp_path: Path) -> None:
    net, path = trained_a_little(), tmp_path / "landmarks.safetensors"
    save_file(folded(net), path)
    going_on = start(Config(tmp_path, init=path), crops(8, seed=1))
    assert going_on.training
    with torch.no_grad():
        found = going_on.eval()(crops(3))
        for a, b in zip(found, net(crops(3)), strict=True):
            assert a.numpy() == pytest.approx(b.numpy(), abs=0.05)


def test_folded_weights_make_the_net_again() -> None:
    net = trained_a_little()
    weights = folded(net)
    again = LandmarkNet.from_folded(weights)
    assert not again.training
    with torch.no_grad():
        for a, b in zip(again(crops(3)), net(crops(3)), strict=True):
            assert a.numpy() == pytest.approx(b.numpy(), abs=0.05)
    second = folded(again)
    assert all((second[name] == weights[name]).all() for name in weights)


def test_renormalised_norms_hold_the_batchs_statistics_and_the_net_computes_the_same() -> None:
    net = LandmarkNet.from_folded(folded(trained_a_little()))
    with torch.no_grad():
        before = net(crops(6))[0]
        renormalise(net, crops(6))
        assert net(crops(6))[0].numpy() == pytest.approx(before.numpy(), abs=1e-3)
        assert net.train()(crops(6))[0].numpy() == pytest.approx(before.numpy(), abs=1e-2)


def test_weights_from_before_visibility_are_taken_and_say_seen() -> None:
    weights, points = folded(trained_a_little()), 2 * len(LANDMARKS) + 1
    old = dict(weights)
    old["out.weight"], old["out.bias"] = (
        weights["out.weight"][:points],
        weights["out.bias"][:points],
    )
    with torch.no_grad():
        found, presence, visibility = LandmarkNet.from_folded(old)(crops(2))
        wanted = LandmarkNet.from_folded(weights)(crops(2))
    assert (found == wanted[0]).all() and (presence == wanted[1]).all()
    assert (visibility == 2.0).all()


def test_weights_of_another_network_are_refused() -> None:
    weights = folded(trained_a_little())
    with pytest.raises(KeyError, match="squeeze.bias"):
        LandmarkNet.from_folded({k: v for k, v in weights.items() if k != "squeeze.bias"})
    with pytest.raises(ValueError, match="out is"):
        LandmarkNet.from_folded(weights | {"out.weight": weights["out.weight"][:7]})


def test_inter_ocular_error_is_a_share_of_the_outer_eye_distance() -> None:
    wanted = CANONICAL_POINTS[None]
    assert inter_ocular_error(wanted + [10.24, 0], wanted) == pytest.approx([0.1], rel=1e-3)


def test_a_net_that_looks_at_nothing_does_not_tremble() -> None:
    net, faces = trained_a_little(), [Sampler([drawn_source(0)], 0).plain(drawn_source(0))]
    trembling = tremble(net, faces)
    with torch.no_grad():
        net.out.weight.zero_()
    assert tremble(net, faces) < 1e-6 < trembling


def test_missing_portraits_are_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no portraits here; name their folder with --shared"):
        portraits(tmp_path, heldout=False)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared portraits are not here")
def test_held_out_persons_are_in_one_half_only() -> None:
    seen = {p.person_id for p in portraits(SHARED, heldout=False)}
    held = {p.person_id for p in portraits(SHARED, heldout=True)}
    assert held == HELDOUT_PERSONS and not seen & held


@pytest.mark.skipif(not SHARED.exists(), reason="the shared clips are not here")
def test_a_clips_points_lie_in_their_crops_where_the_tracker_puts_them(tmp_path: Path) -> None:
    folder = SHARED / "faces" / "video" / "semi_synthetic"
    for file in sorted(folder.glob("*"))[:2]:
        (tmp_path / file.name).symlink_to(file.resolve())
    samples = semi_synthetic(tmp_path, every=100)
    assert len(samples) == 3
    assert all(np.abs(s.points - LOOSE_POINTS).mean() < 6 for s in samples)
    assert all(s.luma.std() > 10 for s in samples)
