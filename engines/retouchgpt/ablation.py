"""The network with one of its parts switched off, to measure what that part is worth, or to train without it.

The parts stay in the network and in its weights file, so that weights of every kind load into every network; only what
they say is replaced.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.imperfection import Imperfection
from engines.retouchgpt.model import RetouchGPT

PARTS = ("iip", "lbe", "text")
"""``iip``: M_s is the requested map itself, no evidence decides where the imperfections are (equation 2). ``lbe``:
alpha = 1, beta = gamma = 0, the language model steers nothing (equations 3, 4). ``text``: f_txt = 0, and no words reach
P: what is asked is known from the request map alone."""


def ablated(model: RetouchGPT, part: str) -> RetouchGPT:
    """A copy of `model` without one part, in the same mode; it serves, and it can be trained.

    Args:
        part: one of PARTS.

    Raises:
        ValueError: there is no such part.
    """
    if part not in PARTS:
        raise ValueError(f"no part {part!r} can be switched off; name one of {', '.join(PARTS)}")
    model = copy.deepcopy(model)
    _SWITCHES[part](model)
    return model


def _without_iip(model: RetouchGPT) -> None:
    model.imperfection.register_forward_hook(_requested_map)
    if model.finer is not None:  # it sharpens the map no more
        model.finer.fine.register_forward_hook(_no_say)


def _without_lbe(model: RetouchGPT) -> None:
    model.language.control.register_forward_hook(_neutral_control)


def _without_text(model: RetouchGPT) -> None:
    model.language.text.register_forward_hook(_silence)
    model.language.register_forward_pre_hook(_no_words)


_SWITCHES: dict[str, Callable[[RetouchGPT], None]] = {
    "iip": _without_iip,
    "lbe": _without_lbe,
    "text": _without_text,
}


# Hooks of torch.nn.Module: they change what goes into or comes out of a part, not its name nor its weights.


def _requested_map(module: nn.Module, given: tuple[Any, ...], found: Imperfection) -> Imperfection:
    """M_s and the requested evidence as if all of the requested skin were imperfect."""
    request_BKNN = given[-1]
    asked_B1NN = torch.amax(request_BKNN, dim=1, keepdim=True)
    wanted_BKNN = torch.clamp(request_BKNN * 8.0, 0.0, 1.0)
    return replace(
        found,
        mask=_laid_on(asked_B1NN, found.mask),
        requested=_laid_on(torch.amax(wanted_BKNN, dim=1, keepdim=True), found.requested),
        asked=_laid_on(wanted_BKNN, found.asked),
    )


def _no_say(module: nn.Module, given: tuple[Any, ...], found: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(found)


def _laid_on(map_BCNN: torch.Tensor, like_BCHW: torch.Tensor) -> torch.Tensor:
    return F.interpolate(map_BCNN, like_BCHW.shape[-2:], mode="bilinear", align_corners=False)


def _neutral_control(module: nn.Module, given: tuple[Any, ...], found: Any) -> Any:
    alpha, beta, gamma = found
    return torch.ones_like(alpha), torch.zeros_like(beta), torch.zeros_like(gamma)


def _silence(module: nn.Module, given: tuple[Any, ...], found: Any) -> Any:
    """Word states and f_txt without content."""
    states_BTW, f_txt_BT = found
    return torch.zeros_like(states_BTW), torch.zeros_like(f_txt_BT)


def _no_words(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """The language model is handed no word, so that not even their number is known."""
    words_BTW, f_txt_BT, padding_BT, *rest = given
    return (words_BTW[:, :0], f_txt_BT, padding_BT[:, :0], *rest)
