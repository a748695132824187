"""What VFD-A and VFD-T look at: a slim VGG's features of the aligned face, over a segment of consecutive frames.

VFD-A (appearance): the mean of each channel over time and place. VFD-T (time): for each channel the mean of
``|f_t - f_(t-1)|`` at each place, the same of the spatial mean, and the mean of ``|f_t - 2 f_(t-1) + f_(t-2)|``. What
stands still where the reference stands still has the reference's VFD-T, however it looks; what pops, flickers or
swims has not.

The names are our own: these figures are never to be compared with published VFID.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.perception import SlimVGG

WEIGHTS = Path("weights") / "vgg19_slim16x_5SE.npz"
"""Below the data folder."""
TAPS = ("conv21", "conv31", "conv41", "conv51")
_BATCH = 8


class Features:
    """The vectors of segments."""

    def __init__(self, path: Path) -> None:
        """Reads the slim VGG's weights; raises WeightsError where they are not usable."""
        self._network = SlimVGG(path, TAPS).eval()

    def __call__(
        self, squares: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Appearance (352,) and time (1056,).

        Args:
            squares: (T, S, S, 3) RGB of consecutive frames, T >= 3.
        """
        by_tap: list[list[torch.Tensor]] = [[] for _ in TAPS]
        with torch.inference_mode():
            for i in range(0, len(squares), _BATCH):
                rgb_THWC = torch.from_numpy(np.ascontiguousarray(squares[i : i + _BATCH]))
                taps = self._network(rgb_THWC.permute(0, 3, 1, 2).float() / 255.0)
                for kept, tap in zip(by_tap, taps, strict=True):
                    kept.append(tap)
            parts = [_statistics(torch.cat(taps_TCHW)) for taps_TCHW in by_tap]
        still, places, whole, bends = (
            torch.cat(p).double().numpy() for p in zip(*parts, strict=True)
        )
        return still, np.concatenate((places, whole, bends))


def _statistics(f_TCHW: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Four times (C,): mean, mean step at each place, mean step of the spatial mean, mean bend."""
    mean_TC = f_TCHW.mean(dim=(2, 3))
    step_TCHW = f_TCHW[1:] - f_TCHW[:-1]
    bend_TCHW = step_TCHW[1:] - step_TCHW[:-1]
    return (
        mean_TC.mean(dim=0),
        step_TCHW.abs().mean(dim=(0, 2, 3)),
        (mean_TC[1:] - mean_TC[:-1]).abs().mean(dim=0),
        bend_TCHW.abs().mean(dim=(0, 2, 3)),
    )
