"""Two processes that train together hold the same network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from training import team


def little_training(rank: int, folder: Path) -> None:
    """Three steps, every process on its own data; one layer is used by the first process only."""
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(3, 1), nn.Linear(3, 1)])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for step in range(3):
        x = torch.full((2, 3), 1.0 + rank + step)
        loss = model[0](x).square().mean()
        if rank == 0:
            loss = loss + model[1](x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        team.mean_gradients(model)
        optimizer.step()
    state = {"ended": torch.tensor(team.agreed(rank == 1)), **model.state_dict()}
    torch.save(state, folder / f"{rank}.pt")


def test_two_processes_agree_on_the_network_and_on_the_end(tmp_path: Path) -> None:
    team.start(2, little_training, (tmp_path,))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert bool(first["ended"])
    little_training(0, tmp_path)
    alone = torch.load(tmp_path / "0.pt")
    assert not torch.equal(alone["0.weight"], first["0.weight"])
    assert not bool(alone["ended"])
