"""The reinforcement stage, equations 10 to 12: retouch, look at the result, retouch again, and be paid for what went.

What the paper says, and what is decided here where it is silent:

* **State** s_t: pooled f3 of the picture as it is now, M_s pooled to 8x8, pooled f_joint. All three come from the
  judge, so that a state cannot be made to look valuable by changing the encoder.
* **Action** a_t: one more retouch step, the network applied to its own result pasted at the crop's resolution, T times.
  The conditioning is kept. A step after the first asks again only for what is to go wholly: to halve a half is not what
  "half" means. Between steps the picture is detached, since each step is paid for itself.
* **The judge** is a copy of the network as it was when the stage began; no gradient reaches its weights, and it does
  not move, so nobody can move the goal. A judge must know its trade: use this in a last stage, not from random
  weights.
* **Reward** r_{t+1} = psi(x_{t+1}, l_s). With e_k(x) the judge's evidence of category k, q_k the request and asked
  places w = min(8 q, 1), the words ask for evidence of (1 - q) e(x_0) there, so that too much is no better than too
  little. psi is how much nearer a step comes to it, less lambda times the change of evidence that nobody asked for,
  of other kinds or elsewhere; both over what there was to do. Each place counts by the square of the evidence, or
  many small doubts would outweigh what the judge is sure of. Places that hold asked evidence are left out of the
  second part, for a mole that goes takes the doubt whether it was a spot along.
* **Value** V: a small perceptron, learned by TD(0) as in equation 11: delta = r + eta V(s_{t+1}) - V(s_t), the next
  value not differentiated, the last state not terminal (T is our limit, not the face's).
* **Loss**: psi is differentiable, so the network is given -psi outright, which no sampled policy gradient can better.
  Equation 12 as printed would also punish a step for being better than V foretold; so its square reaches the network
  where a step fell short (delta < 0) only, and V always. zeta weighs V's part.
* The statistics of batch norm are not taken from retouched pictures.

Shapes: B batch, S crop side, K categories, h evidence side, N request cells.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig
from engines.retouchgpt.model import FrameOutput, RetouchGPT
from training.paste import Planes, applied, with_texture
from training.recipe import Reinforce
from training.step import Answer, part

MASK_CELLS = 8
"""Side of the pooled M_s in a state."""
_FEW_CELLS = 5.0
"""Evidence cells below which there was nothing much to do."""


@dataclass(frozen=True)
class Sight:
    """What the judge sees in pictures."""

    evidence: torch.Tensor
    """(B, K, h, h) 0..1, differentiable."""
    state: torch.Tensor
    """(B, state_size(config)), detached."""


def state_size(config: RetouchGPTConfig) -> int:
    """Length of a state."""
    return config.widths[2] + MASK_CELLS**2 + config.language_width


class Judge:
    """A network's E_img, I and P as they are now, frozen."""

    def __init__(self, model: RetouchGPT, bf16: bool = False) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._bf16 = bf16
        self._seen: dict[str, Any] = {}
        language = self.model.language
        for name, module in (
            ("features", self.model.encoder),
            ("found", self.model.imperfection),
            ("joint", language.prompt),
        ):
            module.register_forward_hook(self._keeps(name))

    def look(
        self, x_B3SS: torch.Tensor, request_BKNN: torch.Tensor, words_BT: torch.Tensor
    ) -> Sight:
        """Evidence and state of crops 0..1; gradients go to the crops."""
        seen = torch.ones(x_B3SS.shape[0], device=x_B3SS.device)
        with torch.autocast(x_B3SS.device.type, torch.bfloat16, enabled=self._bf16):
            self.model.embed(words_BT, x_B3SS, request_BKNN, seen)
        f3, found, joint = self._seen["features"][2], self._seen["found"], self._seen["joint"]
        self._seen.clear()
        parts = (
            f3.mean((2, 3)),
            F.adaptive_avg_pool2d(found.mask, MASK_CELLS).flatten(1),
            joint.mean(1),
        )
        evidence = torch.sigmoid(found.logits.float())
        return Sight(evidence, torch.cat([p.float() for p in parts], 1).detach())

    def _keeps(self, name: str) -> Any:
        def keep(module: nn.Module, given: Any, answer: Any) -> None:
            self._seen[name] = answer

        return keep


class Value(nn.Module):
    """V(s), the reward that is still to be had from a state."""

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        size = state_size(config)
        self.layers = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, 64), nn.GELU(), nn.Linear(64, 1)
        )

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """(B,) from (B, state_size)."""
        value: torch.Tensor = self.layers(state)[:, 0]
        return value


def reinforced(
    model: RetouchGPT,
    judge: Judge,
    value: Value,
    answer: Answer,
    request_BKNN: torch.Tensor,
    how: Reinforce,
    bf16: bool = False,
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """The loss terms ``reward`` and ``td``, weighed; and for the log the mean ``psi`` and ``|delta|``.

    Args:
        answer: the network's on a batch: the first step, already made.
        request_BKNN: of the whole batch.
    """
    few = slice(0, max(1, round(answer.x.shape[0] * how.share)))
    x, words, request = answer.x[few], answer.words[few], request_BKNN[few]
    out, e = part(answer.out, few), answer.embedding
    with torch.no_grad():
        first = sight = judge.look(x, request, words)
    goal = Goal(first.evidence, request)
    rewards, shorts, squares = [], [], []
    for step in range(how.steps):
        if step > 0:
            again = torch.where(request > 0.95, request, torch.zeros_like(request))
            given = (e.f_txt[few], e.alpha[few], e.beta[few], e.gamma[few])
            device = x.device.type
            with still_statistics(model), torch.autocast(device, torch.bfloat16, enabled=bf16):
                out = model.frame(x, again, *given)
        done = pasted(x, out)
        after = judge.look(done, request, words)
        reward_B = goal.reward(sight.evidence, after.evidence, how.elsewhere)
        now_B, next_B = value(sight.state), value(after.state).detach()
        rewards.append(reward_B.mean())
        shorts.append(F.relu(now_B.detach() - how.discount * next_B - reward_B).square().mean())
        squares.append((reward_B.detach() + how.discount * next_B - now_B).square().mean())
        x, sight = done.detach(), Sight(after.evidence.detach(), after.state)
    psi, short, squared = (torch.stack(parts).mean() for parts in (rewards, shorts, squares))
    found = {"reward": how.weight * (short - psi), "td": how.weight * how.rate * squared}
    return found, {"psi": float(psi.detach()), "td_error": float(squared.detach().sqrt())}


class Goal:
    """What the words ask of the evidence that was there."""

    def __init__(self, first_BKhh: torch.Tensor, request_BKNN: torch.Tensor) -> None:
        q = F.interpolate(request_BKNN, first_BKhh.shape[-2:], mode="bilinear")
        self.first = first_BKhh
        self.asked = (8.0 * q).clamp(0, 1)
        self.wanted = (1 - q) * first_BKhh
        held = (self.asked * first_BKhh).amax(1, keepdim=True)
        self.elsewhere = (1 - self.asked) * (1 - held)
        self.unit_B = (self.asked * q * first_BKhh**3).sum((1, 2, 3)) + _FEW_CELLS

    def reward(
        self, before_BKhh: torch.Tensor, after_BKhh: torch.Tensor, cost: float
    ) -> torch.Tensor:
        """psi (B,) of one step from the evidence before it to that after it, differentiable in the latter."""
        sure = torch.maximum(self.first, after_BKhh.detach()).square()
        nearer = (before_BKhh - self.wanted).abs() - (after_BKhh - self.wanted).abs()
        gained = (self.asked * sure * nearer).sum((1, 2, 3))
        spoiled = (self.elsewhere * sure * (after_BKhh - before_BKhh).abs()).sum((1, 2, 3))
        return (gained - cost * spoiled) / self.unit_B


def pasted(x_B3SS: torch.Tensor, out: FrameOutput) -> torch.Tensor:
    """The crops 0..1 with their edit, at the crop's resolution and in 4:2:0, as a frame of that size would show it."""
    side = x_B3SS.shape[-1]
    layer = with_texture(out.layer.float(), out.mask.float(), None)
    up = F.interpolate(layer, (side, side), mode="bilinear", align_corners=False)
    source = Planes.of(x_B3SS)
    box = (0, 0, side, side)
    # chroma halved and doubled again would count as a change: only what the edit adds is taken
    pasted = applied(source, up, out.skin_luma.float(), side / layer.shape[-1])
    change = pasted.rgb(box) - source.rgb(box)
    return (x_B3SS + change).clamp(0, 1)


@contextlib.contextmanager
def still_statistics(model: nn.Module) -> Iterator[None]:
    """Inside, batch norm goes on using the batch but does not learn its statistics."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, kept, strict=True):
            norm.momentum = momentum
