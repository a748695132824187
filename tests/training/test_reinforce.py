"""The reinforcement stage: what is rewarded, and whom the reward teaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from engines.retouchgpt.model import RetouchGPT
from tests.training.tiny import NETWORK
from training.recipe import Reinforce
from training.reinforce import Goal, Judge, Value, pasted, reinforced, still_statistics
from training.step import answered

Parts = tuple[RetouchGPT, Judge, Value, dict[str, torch.Tensor]]


def asked(amount: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Evidence of kind 0 in a patch, of kind 1 elsewhere; kind 0 is asked for in the left half."""
    evidence = torch.zeros(1, 17, 64, 64)
    evidence[0, 0, 20:40, 10:24] = 0.8
    evidence[0, 1, 20:40, 44:58] = 0.8
    request = torch.zeros(1, 17, 32, 32)
    request[0, 0, :, :16] = amount
    return evidence, request


def left(evidence: torch.Tensor, kind: int, share: float) -> torch.Tensor:
    out = evidence.clone()
    out[:, kind] *= share
    return out


def test_what_was_named_is_rewarded_when_it_goes() -> None:
    evidence, request = asked(1.0)
    goal = Goal(evidence, request)
    rewards = [float(goal.reward(evidence, left(evidence, 0, s), 0.5)) for s in (1.0, 0.5, 0.0)]
    assert rewards[0] == 0
    assert 0 < rewards[1] < rewards[2] < 1


def test_half_is_best_done_by_half() -> None:
    evidence, request = asked(0.5)
    goal = Goal(evidence, request)
    none, half, all_ = (goal.reward(evidence, left(evidence, 0, s), 0.5) for s in (1.0, 0.5, 0.0))
    assert half > none
    assert half > all_


def test_what_was_not_named_costs_when_it_goes() -> None:
    evidence, request = asked(1.0)
    goal = Goal(evidence, request)
    assert float(goal.reward(evidence, left(evidence, 1, 0.0), 0.5)) < -0.1
    assert float(goal.reward(evidence, left(evidence, 1, 0.0), 0.0)) == 0


@pytest.fixture
def parts() -> Parts:
    torch.manual_seed(3)
    model = RetouchGPT(NETWORK).train()
    batch = {
        "crop": torch.randint(0, 255, (4, 256, 256, 3), dtype=torch.uint8),
        "request": torch.ones(4, 17, 32, 32),
        "words": torch.ones(4, 6, dtype=torch.int64),
    }
    return model, Judge(model), Value(NETWORK), batch


def test_the_reward_reaches_every_part_of_the_network_but_not_the_judge(parts: Parts) -> None:
    model, judge, value, batch = parts
    before = {k: v.clone() for k, v in judge.model.state_dict().items()}
    answer = answered(model, batch, np.random.default_rng(0), bf16=False)
    how = Reinforce(steps=2, share=0.5)
    terms, seen = reinforced(model, judge, value, answer, batch["request"], how)
    torch.stack(list(terms.values())).sum().backward()
    for part in (model.decoder, model.retoucher, model.encoder, model.imperfection, value):
        grads = [p.grad for p in part.parameters() if p.grad is not None]
        assert sum(float(g.abs().sum()) for g in grads) > 0
    assert all(p.grad is None for p in judge.model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in judge.model.state_dict().items())
    assert terms.keys() == {"reward", "td"}
    assert seen.keys() == {"psi", "td_error"}


def test_the_value_learns_what_is_to_come(parts: Parts) -> None:
    model, judge, value, batch = parts
    nn.init.constant_(value.layers[-1].bias, 1.0)  # far from what a step is worth
    optimizer = torch.optim.Adam(value.parameters(), 1e-2)
    answer = answered(model, batch, np.random.default_rng(0), bf16=False)
    how = Reinforce(steps=1, share=0.25)
    errors = []
    for _ in range(8):
        terms, seen = reinforced(model, judge, value, answer, batch["request"], how)
        optimizer.zero_grad()
        terms["td"].backward(retain_graph=True)
        optimizer.step()
        errors.append(seen["td_error"])
    assert errors[-1] < 0.5 * errors[0]


def test_an_answer_that_changes_nothing_pastes_the_crop_itself(parts: Parts) -> None:
    model, _, _, batch = parts
    x = batch["crop"].permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        none = torch.zeros_like(batch["request"])
        out, _ = model(x, none, batch["words"], torch.ones(4))
    assert torch.allclose(pasted(x, out), x, atol=1e-6)


def test_statistics_stay_still_inside() -> None:
    norm = nn.BatchNorm2d(2).train()
    with still_statistics(norm):
        norm(torch.rand(4, 2, 3, 3) + 5)
    assert torch.equal(norm.running_mean, torch.zeros(2))
    norm(torch.rand(4, 2, 3, 3) + 5)
    assert float(norm.running_mean[0]) > 0.4
