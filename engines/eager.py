"""EagerEngine: the network in plain PyTorch fp32. Slow, and the truth every other engine is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engines.feed import edit_layers, feed
from engines.retouchgpt import checkpoint
from engines.retouchgpt.model import RetouchGPT
from engines.retouchgpt.serving import ServingModel
from engines.weights_file import serving_config
from stream_retouch.engine import Conditioning, EditLayer
from stream_retouch.errors import EngineError


class EagerEngine:
    """Implements `stream_retouch.engine.RetouchEngine`. One call at a time."""

    name = "eager"
    calls_at_once = 1
    crops_at_once = 1
    cores_per_call = 1

    def __init__(self, model: RetouchGPT) -> None:
        self.crop_size = model.config.crop_size
        self._serving: ServingModel | None = ServingModel(model).eval()

    @classmethod
    def load(cls, weights: Path | None = None, threads: int = 1) -> EagerEngine:
        """The engine with the weights of a file, None for those that ship.

        `threads` holds for all of torch in this process.

        Raises:
            WeightsError: the weights are missing, truncated or for another network.
        """
        serving_config(weights)
        torch.set_num_threads(threads)
        return cls(checkpoint.load(weights))

    def retouch(
        self,
        crops: NDArray[np.uint8],
        requests: NDArray[np.float32],
        conditionings: Sequence[Conditioning],
    ) -> list[EditLayer]:
        """See `RetouchEngine.retouch`.

        Raises:
            EngineError: the arguments are not as the seam says, or the engine is closed.
        """
        if self._serving is None:
            raise EngineError("the engine is closed; load it again")
        batch = feed(crops, requests, conditionings, self.crop_size)
        with torch.inference_mode():
            # copies: torch warns of arrays that it may not write to
            codes, mask, skin_luma = self._serving(*(torch.tensor(a) for a in batch.arrays()))
        return edit_layers(codes.numpy(), mask.numpy(), skin_luma.numpy())

    def close(self) -> None:
        """Frees the network. May be called twice."""
        self._serving = None
