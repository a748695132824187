"""Weights on disk: a safetensors file and the network's configuration as JSON beside it."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.model import RetouchGPT
from engines.weights_file import DEFAULT_WEIGHTS
from stream_retouch.errors import WeightsError


def save(model: RetouchGPT, path: Path) -> None:
    """Writes the weights as fp16 and the configuration; batch-norm statistics stay fp32."""
    state = {}
    for name, tensor in model.state_dict().items():
        small = tensor.is_floating_point() and ".norm." not in name
        kept = tensor.detach().cpu().to(torch.float16 if small else tensor.dtype)
        # safetensors writes channels-last memory as it lies, so the order is made plain first
        state[name] = kept.clone(memory_format=torch.contiguous_format)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    path.with_suffix(".json").write_text(model.config.to_json() + "\n")


def load(path: Path | None = None) -> RetouchGPT:
    """The model with its weights, fp32, in eval mode.

    Raises:
        WeightsError: a file is missing, truncated, or does not hold this network.
    """
    path = DEFAULT_WEIGHTS if path is None else path
    if not path.is_file():
        raise WeightsError(str(path), "no such file")
    config = RetouchGPTConfig.from_json(path.with_suffix(".json"))
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as problem:
        raise WeightsError(str(path), f"not a safetensors file ({problem})") from problem
    model = RetouchGPT(config)
    known = model.state_dict()
    for name, tensor in known.items():
        if name not in state:
            raise WeightsError(str(path), f"does not hold {name}")
        if state[name].shape != tensor.shape:
            found = tuple(state[name].shape)
            raise WeightsError(str(path), f"{name} is {found}, not {tuple(tensor.shape)}")
        if not bool(torch.isfinite(state[name]).all()):
            raise WeightsError(str(path), f"{name} holds numbers that are not finite")
    extra = sorted(set(state) - set(known))
    if extra:
        raise WeightsError(str(path), f"holds {extra[0]}, which this network does not have")
    model.load_state_dict({name: state[name].to(known[name].dtype) for name in known})
    return model.eval()
