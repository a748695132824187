"""The network as ONNX, run by another library: the half of TensorRT's build that needs no GPU."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from engines.onnx_graph import OPSET, onnx_bytes
from engines.retouchgpt import checkpoint
from stream_retouch.errors import EngineError

ORDINARY = frozenset(
    "Add AveragePool Cast Clip Concat Conv Div Exp Expand Floor Gather LayerNormalization Log MatMul Max MaxPool Min "
    "Mul Pow ReduceMax ReduceSum Relu Reshape Resize Sigmoid Slice Softmax Sub Tanh Transpose Unsqueeze".split()
)
"""Operators of ONNX that TensorRT's parser has a layer for."""
BOTH = {"onnx": "onnx is not installed", "onnxscript": "onnxscript is not installed"}


@pytest.fixture
def onnx() -> Any:
    for name, reason in BOTH.items():
        pytest.importorskip(name, reason=reason)
    return pytest.importorskip("onnx")


def test_the_graph_is_typed_and_of_operators_that_tensorrt_has(onnx: Any, weights: Path) -> None:
    graph = onnx.load_from_string(onnx_bytes(checkpoint.load(weights), "fp16", 2))
    onnx.checker.check_model(graph)
    assert [(each.domain, each.version) for each in graph.opset_import] == [("", OPSET)]
    assert not graph.functions
    assert {node.op_type for node in graph.graph.node} <= ORDINARY
    kinds = Counter(each.data_type for each in graph.graph.initializer)
    assert kinds[onnx.TensorProto.FLOAT16] > 20 and kinds[onnx.TensorProto.FLOAT] > 10
    ports = {
        port.name: (
            port.type.tensor_type.elem_type,
            [dim.dim_value for dim in port.type.tensor_type.shape.dim],
        )
        for port in (*graph.graph.input, *graph.graph.output)
    }
    uint8, floats = onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT
    assert ports == {
        "crops": (uint8, [2, 256, 256, 3]),
        "requests": (floats, [2, 17, 32, 32]),
        "f_txt": (floats, [2, 64]),
        "alpha": (floats, [2, 4, 128]),
        "beta": (floats, [2, 4, 128]),
        "gamma": (floats, [2, 4, 128]),
        "codes": (uint8, [2, 4, 128, 128]),
        "mask": (uint8, [2, 128, 128]),
        "skin_luma": (floats, [2]),
    }


def test_nothing_but_a_cast_is_done_with_8_bits(onnx: Any, weights: Path) -> None:
    graph = onnx.load_from_string(onnx_bytes(checkpoint.load(weights), "fp16", 1)).graph
    readers = [node for node in graph.node if "crops" in node.input]
    writers = [node for node in graph.node if {"codes", "mask"} & set(node.output)]
    assert [node.op_type for node in (*readers, *writers)] == ["Cast", "Cast", "Cast"]


@pytest.mark.parametrize(("precision", "most_off"), [("f32", 1e-4), ("fp16", 2e-2)])
def test_onnxruntime_computes_what_eager_computes(
    onnx: Any, precision: Any, most_off: float
) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from engines.conditioner import LanguageConditioner
    from engines.eager import EagerEngine
    from engines.feed import edit_layers, feed
    from engines.parity import BOUNDS, Samples, answers, compare, require, samples
    from engines.weights_file import DEFAULT_WEIGHTS

    if not DEFAULT_WEIGHTS.is_file():
        pytest.skip("no weights in engines/weights")
    model = checkpoint.load(None)
    every = samples(LanguageConditioner(model))
    given = Samples(every.crops[:4], every.requests[:4], every.conditionings[:4])
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(
        onnx_bytes(model, precision, 1), options, providers=["CPUExecutionProvider"]
    )
    names = [port.name for port in session.get_inputs()]
    found = []
    for arrays in feed(given.crops, given.requests, given.conditionings, 256).singles():
        found += edit_layers(*session.run(None, dict(zip(names, arrays, strict=True))))
    wanted = answers(EagerEngine(model), given)
    require(compare(given.crops, wanted, found), BOUNDS[precision])
    # what lies on the edge between two codes may be rounded either way: 7 of 262,144 in f32, 1310 in fp16
    off = [np.abs(a.codes.astype(int) - b.codes) for a, b in zip(wanted, found, strict=True)]
    assert np.max(off) <= 1 and np.mean(off) < most_off
    assert np.isfinite([layer.skin_luma for layer in found]).all()


def test_without_onnx_the_remedy_is_told(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        EngineError, match=r"onnx is needed .* pip install 'stream-retouch\[onnx\]'"
    ):
        onnx_bytes(checkpoint.load(weights), "f32", 1)
