"""LanguageConditioner: a plan in canonical words, seen on a face or on none, becomes a conditioning.

Importing this module is cheap; torch and transformers come with `LanguageConditioner.load`.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stream_retouch.engine import REQUEST_SIZE, Conditioning
from stream_retouch.errors import EngineError
from stream_retouch.language.plan import InstructionPlan, amounts

if TYPE_CHECKING:
    import torch

    from engines.retouchgpt.model import RetouchGPT


class LanguageConditioner:
    """Implements `stream_retouch.engine.Conditioner` in PyTorch on the CPU, about 20 ms a plan.

    May be called from several threads; they take turns.
    """

    def __init__(self, model: RetouchGPT) -> None:
        self._model, self._crop_size = model.eval(), model.config.crop_size
        self._turn = threading.Lock()

    @classmethod
    def load(cls, weights: Path | None = None, threads: int = 1) -> LanguageConditioner:
        """The conditioner with the weights of a file, None for those that ship. Takes seconds.

        `threads` holds for all of torch in this process.

        Raises:
            WeightsError: the weights are missing, truncated or for another network.
        """
        import torch

        from engines.retouchgpt import checkpoint
        from engines.weights_file import serving_config

        serving_config(weights)
        torch.set_num_threads(threads)
        conditioner = cls(checkpoint.load(weights))
        # torch sets up kernels and memory on the first run; let no user wait for that
        side = conditioner._crop_size
        conditioner.prepare(InstructionPlan(), np.zeros((side, side, 3), np.uint8))
        return conditioner

    def prepare(self, plan: InstructionPlan, key_crop: NDArray[np.uint8] | None) -> Conditioning:
        """See `Conditioner.prepare`.

        Raises:
            EngineError: the key crop is not as the seam says.
        """
        import torch

        from engines.retouchgpt.canonical import tokens

        shape = (self._crop_size, self._crop_size, 3)
        crop = np.zeros(shape, np.uint8) if key_crop is None else key_crop
        if crop.shape != shape or crop.dtype != np.uint8:
            raise EngineError(f"the key crop is {crop.shape} {crop.dtype}; pass {shape} uint8")
        table = amounts(plan)
        words = torch.tensor([tokens(plan, self._model.config.max_words)])
        picture = torch.tensor(crop).permute(2, 0, 1)[None].float() / 255
        # The face's regions are not known here, and M_s only marks which skin of the key frame is imperfect: each
        # category is asked for everywhere, as much as anywhere.
        most = torch.from_numpy(table.max(axis=1))[None, :, None, None]
        request = most.expand(-1, -1, REQUEST_SIZE, REQUEST_SIZE)
        seen = torch.tensor([0.0 if key_crop is None else 1.0])
        with self._turn, torch.inference_mode():
            found = self._model.embed(words, picture, request, seen)
        named = found.response[0].argmax(-1).numpy() > 0
        return Conditioning(
            _array(found.f_txt),
            _array(found.alpha),
            _array(found.beta),
            _array(found.gamma),
            agrees=bool(np.array_equal(named, table > 0)),
        )


def _array(batch: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = batch[0].numpy().astype(np.float32)
    return array
