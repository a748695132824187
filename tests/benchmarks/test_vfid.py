"""VFID, VFD-A, VFD-T: distances that equal their definitions, features, reports that say what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.vfid import i3d, report
from benchmarks.vfid.features import WEIGHTS, Features
from benchmarks.vfid.frechet import frechet, split_half, units
from benchmarks.vfid.measured import REFERENCE, Found, Measured
from benchmarks.vfid.rows import ROWS
from stream_retouch.errors import WeightsError
from training.perception import SlimVGG

SHARED = Path(__file__).parents[3] / "shared"
needs_vgg = pytest.mark.skipif(
    not (SHARED / WEIGHTS).exists(), reason="the slim VGG of ../shared is not here"
)
Vectors = NDArray[np.float64]


def _set(seed: int, count: int, wide: int, spread: float = 1.0) -> Vectors:
    rng = np.random.default_rng(seed)
    return rng.normal(0.3, 1.0, (count, wide)) @ rng.normal(0, spread, (wide, wide)) + seed


def _root(matrix: Vectors) -> Vectors:
    """A square root of a matrix that need not be symmetric, by its eigenvectors: the definition."""
    values, vectors = np.linalg.eig(matrix)
    root = vectors @ np.diag(np.sqrt(values.astype(complex))) @ np.linalg.inv(vectors)
    return np.asarray(root.real)


@pytest.mark.parametrize("wide", [2, 3, 6])
def test_the_distance_is_that_of_the_definition(wide: int) -> None:
    a, b = _set(1, 40, wide), _set(2, 30, wide, 0.7)
    s1, s2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    apart = ((a.mean(0) - b.mean(0)) ** 2).sum()
    defined = apart + np.trace(s1 + s2 - 2 * _root(s1 @ s2))
    assert frechet(a, b) == pytest.approx(defined, rel=1e-9)


def test_the_distance_of_two_lines_is_that_of_their_means_and_deviations() -> None:
    a, b = np.array([[0.0], [2.0]]), np.array([[5.0], [11.0]])
    assert frechet(a, b) == pytest.approx((8 - 1) ** 2 + (3 - 1) ** 2 * 2)


def test_a_set_is_at_no_distance_from_itself_though_it_has_fewer_vectors_than_dimensions() -> None:
    a = _set(3, 8, 30)
    assert frechet(a, a) < 1e-5 * np.trace(np.cov(a, rowvar=False))
    assert frechet(a, a[::-1]) < 1e-5 * np.trace(np.cov(a, rowvar=False))


def test_a_dimension_counts_by_the_references_spread_and_a_dead_one_not_at_all() -> None:
    a = _set(4, 50, 3)
    a[:, 1] = 7.0
    by = units(a)
    assert by[1] == 0.0
    assert (a * by).std(axis=0, ddof=1)[[0, 2]] == pytest.approx(1 / np.sqrt(3))


def test_the_floor_is_that_of_whole_clips_and_the_same_each_time() -> None:
    clips = _set(5, 10, 4)
    vectors, names = np.repeat(clips, 3, axis=0), [f"clip {i // 3}" for i in range(30)]
    floor = split_half(vectors, names)
    assert floor == split_half(vectors, names)
    # Copies in both halves would make them alike; whole clips cannot.
    mixed = split_half(vectors, [f"segment {i}" for i in range(30)])
    assert floor is not None and mixed is not None and floor > 1.5 * mixed
    assert split_half(vectors[:3], names[:3]) is None


def test_i3d_gives_1024_numbers_and_its_state_has_the_published_names() -> None:
    torch.manual_seed(1)
    network = i3d.InceptionI3d()
    names = set(network.state_dict())
    for name in (
        "Conv3d_1a_7x7.conv3d.weight",
        "Conv3d_2c_3x3.bn.running_var",
        "Mixed_3b.b1b.conv3d.weight",
        "Mixed_4f.b3b.bn.bias",
        "Mixed_5c.b0.bn.running_mean",
    ):
        assert name in names
    assert network.get_parameter("Conv3d_1a_7x7.conv3d.weight").shape == (64, 3, 7, 7, 7)
    assert sum(p.numel() for p in network.parameters()) == 12_287_264
    x = torch.rand(1, 3, 9, 48, 40)
    with torch.inference_mode():
        assert network(x).shape == (1, 1024, 2, 2, 2)


def test_same_padding_reaches_the_rounded_up_size_with_the_odd_zero_at_the_end() -> None:
    x = torch.ones(1, 1, 5, 6, 7)
    padded = i3d.same(x, (3, 3, 3), (2, 2, 2))
    assert padded.shape == (1, 1, 7, 7, 9)
    assert padded[0, 0, 1:6, :6, 1:8].sum() == x.sum()
    assert i3d.same(x, (1, 1, 1), (1, 1, 1)).shape == x.shape


def test_the_published_mode_knows_no_trained_statistics_and_changes_none() -> None:
    torch.manual_seed(2)
    network = i3d.InceptionI3d()
    rng = np.random.default_rng(2)
    video = [rng.integers(0, 256, (24, 24, 3), np.uint8) for _ in range(9)]
    state = {name: value.clone() for name, value in network.state_dict().items()}
    first = i3d.vectors(network, video)
    for name, value in network.state_dict().items():
        assert "running" not in name or torch.equal(value, state[name])
    network.get_buffer("Mixed_5c.b0.bn.running_mean").add_(0.3)
    other = i3d.vectors(network, video)
    assert first["published"].shape == (i3d.FEATURES,)
    assert np.array_equal(first["published"], other["published"])
    assert not np.allclose(first["evaluation"], other["evaluation"])
    assert not np.allclose(first["evaluation"], first["published"])


def test_another_networks_weights_are_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "rgb_imagenet.pt"
    torch.save({"logits.conv3d.weight": torch.zeros(1), "stem.weight": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="not the I3D state dict rgb_imagenet.pt .*reinstall"):
        i3d.load(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="not the I3D state dict"):
        i3d.load(path)


def test_a_published_state_loads_though_it_holds_a_head_and_no_counters(tmp_path: Path) -> None:
    torch.manual_seed(3)
    state = i3d.InceptionI3d().state_dict()
    published = {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}
    published["logits.conv3d.weight"] = torch.zeros(400, 1024, 1, 1, 1)
    path = tmp_path / "rgb_imagenet.pt"
    torch.save(published, path)
    loaded = i3d.load(path).state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


_WIDTHS = {1: 16, 2: 32, 3: 64, 4: 128, 5: 128}


@pytest.fixture
def made_up_vgg(tmp_path: Path) -> Path:
    """An archive of the slim VGG's shapes with random weights."""
    rng = np.random.default_rng(6)
    arrays = {"conv0.weight": rng.normal(0, 1, (3, 3, 1, 1)), "conv0.bias": np.zeros(3)}
    wide = 3
    for level, layers in ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1)):
        for layer in range(1, layers + 1):
            out = _WIDTHS[level]
            weight = rng.normal(0, (2 / (9 * wide)) ** 0.5, (out, wide, 3, 3))
            arrays |= {
                f"conv{level}{layer}.weight": weight,
                f"conv{level}{layer}.bias": np.zeros(out),
            }
            wide = out
    path = tmp_path / "vgg.npz"
    np.savez(path, allow_pickle=False, **{n: v.astype(np.float32) for n, v in arrays.items()})
    return path


def test_a_still_segment_has_no_time_and_a_flickering_one_has(made_up_vgg: Path) -> None:
    features = Features(made_up_vgg)
    picture = np.random.default_rng(7).integers(40, 200, (48, 48, 3), np.uint8)
    still = np.stack([picture] * 5)
    appearance, time = features(still)
    assert appearance.shape == (352,) and time.shape == (1056,)
    assert np.all(time < 1e-4 * appearance.max())
    flicker = still.copy()
    flicker[1::2] += 3
    assert features(flicker)[1].mean() > 100 * time.mean()


def test_the_three_parts_of_time_are_steps_steps_of_the_mean_and_bends(made_up_vgg: Path) -> None:
    features, network = Features(made_up_vgg), SlimVGG(made_up_vgg, ("conv21",))
    squares = np.random.default_rng(8).integers(0, 256, (4, 40, 40, 3), np.uint8)
    appearance, time = features(squares)
    with torch.inference_mode():
        f = network(torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255)[0].double().numpy()
    assert appearance[:32] == pytest.approx(f.mean((0, 2, 3)), rel=1e-4)
    assert time[:32] == pytest.approx(np.abs(np.diff(f, axis=0)).mean((0, 2, 3)), rel=1e-4)
    assert time[352:384] == pytest.approx(np.abs(np.diff(f.mean((2, 3)), axis=0)).mean(0), rel=1e-3)
    assert time[704:736] == pytest.approx(np.abs(np.diff(f, 2, axis=0)).mean((0, 2, 3)), rel=1e-4)


@needs_vgg
def test_the_slim_vgg_passes_the_self_check_of_its_file() -> None:
    c, i, j = np.indices((3, 64, 64))
    picture = ((29 * c + 7 * i + 13 * j) % 256 / 255).astype(np.float32)
    taps = ("conv11", "conv21", "conv31", "conv41", "conv51")
    with torch.inference_mode():
        found = SlimVGG(SHARED / WEIGHTS, taps)(torch.from_numpy(picture)[None])
    means = [float(tap.mean()) for tap in found]
    assert means == pytest.approx([6.330746, 14.140533, 12.143834, 5.253819, 6.345859], rel=1e-4)
    shapes = [tuple(tap.shape[1:]) for tap in found]
    assert shapes == [(16, 64, 64), (32, 32, 32), (64, 16, 16), (128, 8, 8), (128, 4, 4)]


def test_the_loss_of_the_training_sees_its_three_taps_as_before(made_up_vgg: Path) -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    usual = SlimVGG(made_up_vgg)
    assert [tap.shape[1] for tap in usual(x)] == [16, 32, 64]
    assert set(usual.state_dict()) == {
        f"conv{n}_{part}" for n in (0, 11, 12, 21, 22, 31) for part in ("weight", "bias")
    }
    assert usual.distance(x, x) == 0


def _measured(shift: dict[str, float], vectors: bool = True) -> list[Measured]:
    rng = np.random.default_rng(9)
    found = []
    for clip in range(4):
        base = rng.normal(0, 1, (2, 2, 6))
        rows = {}
        for name in (REFERENCE, *ROWS):
            a, t = base + shift.get(name, 0.0)
            rows[name] = Found(list(a) if vectors else [], list(t) if vectors else [])
        found.append(Measured(f"clip {clip}", rows))
    return found


def test_the_report_says_how_far_each_row_is_and_whether_the_bounds_hold() -> None:
    far = {"painted": 2.0, "gpupixel": 1.0, "per_frame": 0.5, "ours": 0.25}
    values = report.figures(_measured(far), default=True)
    assert list(values["vfd_a"]) == list(ROWS)
    assert sorted(values["vfd_a"], key=lambda row: -values["vfd_a"][row]) == list(ROWS)
    assert values["holds"] == {
        f"vfd_{kind}_below_{other}": True
        for kind in ("a", "t")
        for other in ("gpupixel", "per_frame")
    }
    assert values["segments"] == 8 and values["vfid"] is None
    assert values["floor"]["vfd_t"] > 0
    worse = report.figures(_measured(far | {"ours": 3.0}), default=True)
    assert not any(worse["holds"].values())
    text = report.table(worse)
    assert "| ours |" in text and "vfd_a_below_gpupixel: NO" in text
    assert "VFID left out: no I3D weights; name rgb_imagenet.pt with --i3d" in text


def test_vfid_is_told_in_both_modes_where_i3d_is_given_and_vfd_left_out_without_the_slim_vgg() -> (
    None
):
    measured = _measured({}, vectors=False)
    rng = np.random.default_rng(10)
    for m in measured:
        for name, found in m.rows.items():
            found.video = {mode: rng.normal(0, 1, 5) + (name == "ours") for mode in i3d.MODES}
    values = report.figures(measured, default=True)
    assert set(values["vfid"]) == set(i3d.MODES) and set(values["vfid"]["published"]) == set(ROWS)
    assert values["vfd_a"] is None and values["holds"] == {}
    text = report.table(values)
    assert "VFID (published) | VFID (evaluation)" in text
    assert "VFD-A, VFD-T left out: weights/vgg19_slim16x_5SE.npz is not in the data folder" in text


def test_a_set_too_small_for_figures_says_so() -> None:
    text = report.table(report.figures(_measured({}), default=True))
    assert "8 segments" in text and "Fewer than 30 segments" in text
    nobody = [Measured("empty room", {}, "no 16 frames in a row show the whole face")]
    text = report.table(report.figures(nobody, default=True))
    assert "need two segments or more; give longer videos" in text
    assert "empty room left out of VFD-A and VFD-T: no 16 frames in a row" in text
