"""What every engine promises at the seam, with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("openvino", reason="openvino is not installed")

from engines.eager import EagerEngine
from engines.inductor import InductorEngine
from engines.openvino import OpenVINOEngine
from engines.retouchgpt import checkpoint
from engines.tensorrt import TensorRTEngine
from engines.typed_graph import GpuModel, typed
from stream_retouch.engine import LAYER_SIZE, Conditioning, EditLayer, RetouchEngine
from stream_retouch.errors import EngineError
from stream_retouch.language.plan import CATEGORIES
from tests.engines.fake_gpu import CpuDevice, FakeTensorRT, plain

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], list[Conditioning]]


@pytest.fixture(scope="module", params=["eager", "openvino", "inductor", "tensorrt"])
def engine(request: pytest.FixtureRequest, weights: Path) -> Iterator[RetouchEngine]:
    made: RetouchEngine
    if request.param == "eager":
        made = EagerEngine.load(weights)
    elif request.param == "openvino":
        cache = request.getfixturevalue("cache")
        made = OpenVINOEngine.load(weights, cache=cache, precision="f32")
    else:
        made = without_a_gpu(request.param, weights)
    yield made
    made.close()


def without_a_gpu(name: str, weights: Path) -> RetouchEngine:
    """The GPU engine of that name on a device in this computer's memory; `test_on_gpu` has the real ones."""
    model = checkpoint.load(weights)
    if name == "inductor":
        networks = {size: typed(model, "f32", size).module() for size in (1, 2)}
        return InductorEngine(networks, "f32", 256, CpuDevice())
    network = GpuModel(model).eval()
    trt = FakeTensorRT(lambda given, precision: network(*given))
    start = f"PLAN {trt.__version__} ".encode()
    plans = {size: start + plain(model, "f32", size) for size in (1, 2, 4)}
    return TensorRTEngine(plans, "f32", 256, CpuDevice(), trt)


def same(one: EditLayer, other: EditLayer, codes: int = 0) -> bool:
    """Whether two layers are equal up to that many codes."""
    pairs = ((one.codes, other.codes), (one.mask, other.mask))
    apart = max(int(np.abs(a.astype(int) - b.astype(int)).max()) for a, b in pairs)
    return apart <= codes and abs(one.skin_luma - other.skin_luma) < 0.01


def test_a_layer_has_the_shapes_types_and_ranges_of_the_seam(
    engine: RetouchEngine, batch: Batch
) -> None:
    layers = engine.retouch(*batch)
    assert len(layers) == 3
    for layer in layers:
        assert layer.codes.shape == (4, LAYER_SIZE, LAYER_SIZE) and layer.codes.dtype == np.uint8
        assert layer.mask.shape == (LAYER_SIZE, LAYER_SIZE) and layer.mask.dtype == np.uint8
        assert isinstance(layer.skin_luma, float) and 0 <= layer.skin_luma <= 255


def test_the_network_does_something(engine: RetouchEngine, batch: Batch) -> None:
    (layer, *_) = engine.retouch(*batch)
    assert layer.mask.max() > 10 and layer.codes.std(axis=(1, 2)).min() > 0


def test_where_nothing_is_requested_the_mask_is_exactly_0(
    engine: RetouchEngine, batch: Batch
) -> None:
    crops, requests, conditionings = batch
    for layer in engine.retouch(crops, np.zeros_like(requests), conditionings):
        assert not layer.mask.any()


def test_a_half_of_the_face_that_is_kept_stays_exactly_0(
    engine: RetouchEngine, batch: Batch
) -> None:
    crops, _, conditionings = batch
    requests = np.ones_like(batch[1])
    requests[:, :, :, 16:] = 0
    for layer in engine.retouch(crops, requests, conditionings):
        # the request map is 4 layer pixels a cell, and bilinear: it reaches less than a cell over
        assert layer.mask[:, :60].any() and not layer.mask[:, 68:].any()


def test_a_kept_category_changes_nothing_whatever_its_evidence(
    engine: RetouchEngine, batch: Batch
) -> None:
    crops, _, conditionings = batch
    kept = CATEGORIES.index(CATEGORIES[9])
    requests = np.zeros_like(batch[1])
    requests[:, kept] = 1
    assert all(layer.mask.any() for layer in engine.retouch(crops, requests, conditionings))
    requests[:, kept] = 0
    assert not any(layer.mask.any() for layer in engine.retouch(crops, requests, conditionings))


def test_half_the_amount_does_about_half(engine: RetouchEngine, batch: Batch) -> None:
    crops, requests, conditionings = batch
    whole = engine.retouch(crops, requests, conditionings)
    half = engine.retouch(crops, requests * np.float32(0.5), conditionings)
    for full, part in zip(whole, half, strict=True):
        assert 0.4 < strength(part) / strength(full) < 0.6


def strength(layer: EditLayer) -> float:
    """Of what a layer does to luma, chroma and contrast, as a number."""
    channels = layer.codes - np.array([0.0, 128.0, 128.0, 128.0])[:, None, None]
    return float(np.abs(channels * layer.mask).mean())


def test_three_crops_at_once_are_three_crops_one_by_one(
    engine: RetouchEngine, batch: Batch
) -> None:
    together = engine.retouch(*batch)
    crops, requests, conditionings = batch
    for i, layer in enumerate(together):
        (single,) = engine.retouch(crops[i : i + 1], requests[i : i + 1], conditionings[i : i + 1])
        # torch sums up in another order in another batch
        assert same(layer, single, codes=0 if engine.name == "openvino" else 1)


def test_the_same_again_is_the_same(engine: RetouchEngine, batch: Batch) -> None:
    pairs = zip(engine.retouch(*batch), engine.retouch(*batch), strict=True)
    assert all(same(one, other) for one, other in pairs)


def test_a_layer_stays_as_it_is_during_the_next_call(engine: RetouchEngine, batch: Batch) -> None:
    crops, requests, conditionings = batch
    (layer, *_) = engine.retouch(*batch)
    before = layer.codes.copy(), layer.mask.copy()
    engine.retouch(255 - crops, requests[::-1], conditionings)
    assert np.array_equal(before[0], layer.codes) and np.array_equal(before[1], layer.mask)


def test_arrays_may_be_read_only_and_are_left_alone(engine: RetouchEngine, batch: Batch) -> None:
    crops, requests, conditionings = (batch[0].copy(), batch[1].copy(), batch[2])
    crops.flags.writeable = requests.flags.writeable = False
    assert same(engine.retouch(crops, requests, conditionings)[0], engine.retouch(*batch)[0])
    assert np.array_equal(crops, batch[0]) and np.array_equal(requests, batch[1])


@pytest.mark.parametrize("wrong", ["shape", "type", "count", "range", "nan", "conditioning"])
def test_arguments_that_do_not_fit_the_seam_are_refused_with_a_sentence(
    engine: RetouchEngine, batch: Batch, wrong: str
) -> None:
    crops, requests, conditionings = (batch[0], batch[1].copy(), list(batch[2]))
    if wrong == "shape":
        crops = crops[:, :128]
    elif wrong == "type":
        requests = requests.astype(np.float64)
    elif wrong == "count":
        conditionings = []
    elif wrong == "range":
        requests[0, 0, 0, 0] = 1.5
    elif wrong == "nan":
        requests[0, 0, 0, 0] = np.nan
    else:
        first = conditionings[0]
        conditionings[0] = Conditioning(first.f_txt[:5], first.alpha, first.beta, first.gamma)
    with pytest.raises(EngineError, match="; pass "):
        engine.retouch(crops, requests, conditionings)


def test_every_engine_computes_what_eager_computes(
    engine: RetouchEngine, weights: Path, batch: Batch
) -> None:
    truth = EagerEngine.load(weights).retouch(*batch)
    pairs = zip(engine.retouch(*batch), truth, strict=True)
    assert all(same(one, other, codes=1) for one, other in pairs)


@pytest.mark.parametrize("name", ["eager", "openvino"])
def test_a_closed_engine_says_so_and_closes_twice(
    name: str, weights: Path, batch: Batch, cache: Path
) -> None:
    made: RetouchEngine = (
        EagerEngine.load(weights)
        if name == "eager"
        else OpenVINOEngine.load(weights, cache=cache, precision="f32")
    )
    made.close()
    made.close()
    with pytest.raises(EngineError, match="the engine is closed; load it again"):
        made.retouch(*batch)
