"""The planner's network: what is written sees the prompts alone, padding changes nothing, decoding is greedy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engines.language import saved
from engines.language.config import PlannerConfig
from engines.language.decoding import decoded
from engines.language.network import PlannerNet, bottleneck
from engines.language.text import TurnPieces, WordPieces, normalised, padded
from engines.language.tokens import END, INDEX, START, allowed, program
from stream_retouch.errors import WeightsError

TINY = PlannerConfig(300, 32, 2, 48, 1, 2, 3, 24, 20)


@pytest.fixture(scope="module")
def net() -> PlannerNet:
    torch.manual_seed(3)
    torch.set_num_threads(1)
    return PlannerNet(TINY).eval()


@pytest.fixture(scope="module")
def pieces() -> TurnPieces:
    texts = ("remove the spots on my chin", "keep my freckles", "a bit stronger please") * 20
    return TurnPieces(WordPieces.learned(texts, 300))


def test_the_mask_is_causal_and_a_bottleneck() -> None:
    held = torch.tensor([[False, True, True]])
    may = bottleneck(held, 2, 2, torch.float32)[0, 0] == 0
    assert may[3].tolist() == [False, True, True, True, False, False, False]
    assert may[5].tolist() == [False, False, False, True, True, True, False]
    assert may[6, :3].tolist() == [False, False, False]
    assert bool(may[0, 0]) and not bool(may[1, 2])


def test_what_is_written_attends_to_no_words(net: PlannerNet) -> None:
    words, written = torch.tensor([[1, 20, 30, 40]]), torch.tensor([[INDEX[START], 4, 30]])
    words_seen: list[torch.Tensor] = []
    handle = net.llm.layers[0].self_attn.register_forward_hook(
        lambda module, args, out: words_seen.append(out[1]), with_kwargs=False
    )
    with torch.inference_mode():
        net(words, written)
    handle.remove()
    weights = words_seen[0]
    assert weights.shape[-1] == 4 + 3 + 3
    assert float(weights[0, :, 7:, :4].abs().max()) == 0.0
    assert float(weights[0, :, 4:7, :4].sum()) > 0.1


def test_padding_in_front_changes_nothing(net: PlannerNet) -> None:
    written = torch.tensor([[INDEX[START], 4, 30]])
    with torch.inference_mode():
        plain = net(torch.tensor([[1, 20, 30]]), written)
        longer = net(torch.tensor([[0, 0, 1, 20, 30]]), written)
    assert torch.allclose(plain, longer, atol=1e-4)


def test_decoding_is_what_the_whole_sequence_says_token_by_token(net: PlannerNet) -> None:
    words = [1, 50, 60, 70]
    found = decoded(net, words)
    assert 0 < found.confidence <= 1
    numbers = [INDEX[START]]
    while numbers[-1] != INDEX[END] and len(numbers) <= TINY.most_steps:
        with torch.inference_mode():
            logits = net(torch.tensor([words]), torch.tensor([numbers]))[0, -1]
        may = allowed(numbers)
        numbers.append(may[int(logits[may].argmax())])
    assert found.ops == program(numbers)


def test_f_r_tells_words_apart(net: PlannerNet) -> None:
    one, other = (net.f_r(torch.tensor([[1, 20 + i, 30]])) for i in (0, 9))
    assert one.shape == (1, 3, 32) and not torch.allclose(one, other)


def test_texts_are_read_alike_however_they_are_written() -> None:
    assert normalised("  Remove\tMY\u00a0Spots\x00 now ") == "remove my spots now"
    assert normalised("crow\u2019s \uff46eet") == "crow's feet"


def test_no_word_is_unknown_and_long_turns_keep_both_ends(pieces: TurnPieces) -> None:
    first, later = (pieces.numbers("a bit stronger", flag, 24) for flag in (False, True))
    assert first[0] != later[0] and first[1:] == later[1:]
    assert all(n < 300 for n in pieces.numbers("\u53bb\u6389\u6591\u70b9 \U0001f642", False, 24))
    long = pieces.numbers("stronger " * 100, False, 24)
    assert len(long) == 24 and long[0] == first[0]
    assert padded([[1], [1, 2, 3]]) == [[0, 0, 1], [1, 2, 3]]


def test_files_bring_the_network_back(net: PlannerNet, pieces: TurnPieces, tmp_path: Path) -> None:
    saved.save(net, pieces, tmp_path)
    again, read = saved.load(tmp_path)
    words = read.numbers("keep my freckles", False, 24)
    assert words == pieces.numbers("keep my freckles", False, 24)
    one, other = (n.f_r(torch.tensor([words])) for n in (net, again))
    assert torch.allclose(one, other, atol=2e-2)


@pytest.mark.parametrize("broken", [saved.WEIGHTS, saved.CONFIG, saved.TOKENIZER])
def test_a_broken_file_is_named(
    net: PlannerNet, pieces: TurnPieces, tmp_path: Path, broken: str
) -> None:
    saved.save(net, pieces, tmp_path)
    (tmp_path / broken).write_bytes(b"{}")
    with pytest.raises(WeightsError, match="reinstall"):
        saved.load(tmp_path)


def test_a_planner_of_another_vocabulary_is_refused(
    net: PlannerNet, pieces: TurnPieces, tmp_path: Path
) -> None:
    saved.save(net, pieces, tmp_path)
    path = tmp_path / saved.CONFIG
    path.write_text(path.read_text().replace('"tokens": ', '"tokens": 9'))
    with pytest.raises(WeightsError, match="kinds of token"):
        saved.load(tmp_path)
