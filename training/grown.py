"""Start a network from the weights of a smaller or older one: what fits is taken over, what is wider is filled up."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from engines.retouchgpt.model import RetouchGPT
from stream_retouch.errors import WeightsError


def grow(model: RetouchGPT, path: Path) -> list[str]:
    """Copies every tensor of a weights file into the leading part of the model's tensor of that name.

    New inputs of a layer start small, so that the network starts near the old one; new layers keep their start.

    Returns:
        Names of the model's tensors of which the file holds nothing.

    Raises:
        WeightsError: no weights file, or one of another kind of network.
    """
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as problem:
        raise WeightsError(str(path), f"not a safetensors file ({problem})") from problem
    missing = []
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            old = state.get(name)
            if old is None or old.ndim != tensor.ndim:
                missing.append(name)
                continue
            if old.shape != tensor.shape and tensor.ndim > 1 and old.shape[1] < tensor.shape[1]:
                tensor[:, old.shape[1] :] *= 0.2
            common = tuple(
                slice(0, min(a, b)) for a, b in zip(old.shape, tensor.shape, strict=True)
            )
            tensor[common] = old[common].to(tensor.dtype)
    if len(missing) == len(model.state_dict()):
        raise WeightsError(str(path), "holds nothing of a retouching network")
    return missing
