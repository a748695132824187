"""training.muon: steps of the right direction and size."""

from __future__ import annotations

import copy

import torch
from torch import nn

from training.muon import Muon, groups, orthogonalised


def test_singular_values_come_near_one() -> None:
    torch.manual_seed(0)
    found = orthogonalised(torch.randn(3, 24, 60) * torch.tensor([1e-4, 1.0, 1e3])[:, None, None])
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.4 and values.max() < 1.4


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert torch.equal(orthogonalised(torch.zeros(1, 16, 16)), torch.zeros(1, 16, 16))


def test_only_wide_matrices_and_kernels_are_muons() -> None:
    model = nn.Sequential(
        nn.Conv2d(16, 32, 3),
        nn.Conv2d(32, 32, 3, groups=32),
        nn.Linear(32, 4),
        nn.Embedding(40, 32),
        nn.Linear(32, 32),
    )
    by_muon = {
        id(p)
        for group in groups(model, 0.1, without=("4",))
        if group["muon"]
        for p in group["params"]
    }
    assert by_muon == {id(model[0].weight)}


def test_every_parameter_is_in_one_group_and_only_weights_shrink() -> None:
    model = nn.Sequential(nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32), nn.Linear(32, 4))
    found = groups(model, 0.1, undecayed=("2",))
    held = [id(p) for group in found for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    shrunk = {id(p) for group in found if group["weight_decay"] for p in group["params"]}
    assert shrunk == {id(model[0].weight)}


def test_without_muon_it_steps_as_adamw_does() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(8, 5), nn.Linear(8, 5)
    theirs.load_state_dict(ours.state_dict())
    optimizers = (
        Muon([{"params": ours.parameters(), "weight_decay": 0.1}], 1e-2),
        torch.optim.AdamW(theirs.parameters(), 1e-2, (0.9, 0.98), 1e-8, 0.1),
    )
    for _ in range(5):
        x, y = torch.randn(7, 8), torch.randn(7, 5)
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            (model(x) - y).square().mean().backward()
            optimizer.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)


def test_a_step_has_the_size_of_adamws_and_tall_is_treated_as_wide() -> None:
    torch.manual_seed(0)
    tall, wide = nn.Parameter(torch.zeros(80, 20)), nn.Parameter(torch.zeros(20, 80))
    gradient = torch.randn(80, 20)
    tall.grad, wide.grad = gradient, gradient.T.clone()
    Muon([{"params": [tall, wide], "muon": True}], 1e-2).step()
    assert torch.allclose(tall, wide.T)
    rms = float(tall.detach().square().mean().sqrt())
    assert 0.1e-2 < rms < 0.3e-2


def test_it_learns() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 16))
    optimizer = Muon(groups(model, 0.0), 1e-2)
    x = torch.randn(256, 16)
    losses = []
    for _ in range(100):
        loss = (model(x) - x.roll(1, 1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


def test_its_state_is_saved_and_goes_on() -> None:
    torch.manual_seed(0)
    one, other = nn.Linear(16, 16), nn.Linear(16, 16)
    other.load_state_dict(one.state_dict())
    x = torch.randn(9, 16)

    def stepped(model: nn.Module, optimizer: Muon) -> None:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    first = Muon(groups(one, 0.01), 1e-2)
    stepped(one, first)
    again = Muon(groups(other, 0.01), 1e-2)
    other.load_state_dict(one.state_dict())
    again.load_state_dict(copy.deepcopy(first.state_dict()))
    stepped(one, first)
    stepped(other, again)
    assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)
