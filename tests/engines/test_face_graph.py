"""The OpenVINO graphs answer what the PyTorch nets answer: the eager truth of what ships."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from engines.face_graph import finder_graph, landmark_graph, read_weights
from engines.finder_net import FinderNet
from engines.folding import folded
from engines.landmark_net import LandmarkNet
from stream_retouch.engine import LANDMARK_CROP_SIZE
from stream_retouch.errors import WeightsError


def shaken(net: nn.Module) -> nn.Module:
    """The net with batch norms that do something."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return net.eval()


def run(
    model: ov.Model, luma: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> list[torch.Tensor]:
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    found = ov.Core().compile_model(model, "CPU", settings)([luma])
    return [torch.from_numpy(np.array(value)) for value in found.values()]


def stored(
    net: nn.Module, path: Path
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    save_file(folded(net), path)
    return read_weights(path)


@pytest.mark.parametrize(("rows", "columns"), [(384, 640), (640, 384)])
def test_the_finder_graph_answers_as_the_net(tmp_path: Path, rows: int, columns: int) -> None:
    torch.manual_seed(0)
    net = shaken(FinderNet())
    weights = stored(net, tmp_path / "f.safetensors")
    luma = np.random.default_rng(1).integers(0, 256, (1, 1, rows, columns)).astype(np.uint8)
    with torch.no_grad():
        wanted = net(torch.from_numpy(luma).float())
    for truth, found in zip(wanted, run(finder_graph(weights, rows, columns), luma), strict=True):
        assert found.shape == truth.shape
        assert float((found - truth).abs().max()) < 5e-3


def test_the_landmark_graph_answers_as_the_net(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = shaken(LandmarkNet())
    assert isinstance(net, LandmarkNet)
    weights = stored(net, tmp_path / "l.safetensors")
    side = LANDMARK_CROP_SIZE
    luma = np.random.default_rng(1).integers(0, 256, (1, 1, side, side)).astype(np.uint8)
    with torch.no_grad():
        hidden = torch.relu(net.hidden(net.features(torch.from_numpy(luma).float()).flatten(1)))
        wanted = net.out(hidden)
    (found,) = run(landmark_graph(weights, side), luma)
    assert float((found - wanted).abs().max()) < 5e-3


@pytest.mark.parametrize("net", [FinderNet, LandmarkNet])
def test_the_nets_export_with_fixed_shapes_and_no_branches_as_other_engines_need(
    net: type[nn.Module],
) -> None:
    shape = (1, 1, 384, 640) if net is FinderNet else (1, 1, LANDMARK_CROP_SIZE, LANDMARK_CROP_SIZE)
    program = torch.export.export(net().eval(), (torch.zeros(shape),))
    names = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert any("conv2d" in name for name in names)
    assert not any("cond" in name or "while" in name for name in names)


def test_weights_that_are_missing_broken_or_not_finite_are_refused_with_their_path(
    tmp_path: Path,
) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        read_weights(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not weights")
    with pytest.raises(WeightsError, match=r"broken\.safetensors.*damaged"):
        read_weights(broken)
    endless = tmp_path / "endless.safetensors"
    save_file({"stem.weight": np.array([np.inf], np.float16)}, endless)
    with pytest.raises(WeightsError, match="not finite"):
        read_weights(endless)
