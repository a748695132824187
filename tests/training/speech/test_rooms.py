"""One voice elsewhere: the same words, another throat, room and microphone."""

from __future__ import annotations

import torch

from engines.speech.features import BANDS
from training.speech import rooms
from training.speech.batched import energies
from training.speech.train import _MOVED


def energy() -> torch.Tensor:
    return energies(torch.randn(3, 16_000, generator=torch.Generator().manual_seed(2)))


def test_the_same_seed_makes_the_same_room() -> None:
    made = [rooms.elsewhere(energy(), torch.Generator().manual_seed(s)) for s in (5, 5, 6)]
    assert torch.equal(made[0], made[1])
    assert made[0].shape != made[2].shape or not torch.allclose(made[0], made[2])


def test_energies_stay_energies_at_every_pace() -> None:
    random = torch.Generator().manual_seed(1)
    lengths = set()
    for _ in range(12):
        made = rooms.elsewhere(energy(), random)
        lengths.add(made.shape[1])
        assert made.shape[0] == 3 and made.shape[2] == BANDS
        assert torch.isfinite(made).all() and (made >= 0).all()
        assert 101 / rooms.FASTEST - 1 <= made.shape[1] <= 101 / rooms.SLOWEST + 1
    assert len(lengths) > 5


def test_an_uneven_pace_moves_an_end_by_little() -> None:
    late = torch.zeros(8, 300, BANDS)
    late[:, 240] = 1.0
    random, found = torch.Generator().manual_seed(1), []
    for _ in range(12):
        moved = rooms._at_pace(late, random)
        found += (moved.sum(2).argmax(1) / moved.shape[1] - 240 / 300).tolist()
    assert max(map(abs, found)) < _MOVED and max(found) > 0.01 > -0.01 > min(found)


def test_a_longer_throat_moves_a_tone_to_lower_bands() -> None:
    tone = torch.zeros(20, BANDS)
    tone[:, 40] = 1.0
    found = {
        int(rooms._throat(tone, torch.Generator().manual_seed(s)).sum(0).argmax())
        for s in range(20)
    }
    assert min(found) < 40 < max(found)


def test_an_echo_comes_after_the_sound() -> None:
    clap = torch.zeros(1, 100, BANDS)
    clap[:, 40] = 1.0
    echoing = [rooms._room(clap, torch.Generator().manual_seed(s))[0, :, 0] for s in range(12)]
    assert all((one[:40] == 0).all() and one[40] == 1 for one in echoing)
    assert any(one[45] > 0 for one in echoing) and any(one[45] == 0 for one in echoing)


def test_little_is_hidden() -> None:
    shown = rooms.hidden(torch.ones(4, 200, BANDS), torch.Generator().manual_seed(1))
    assert 0.5 < float(shown.mean()) < 1.0
