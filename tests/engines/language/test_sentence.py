"""The sentence encoder beside E_txt: its pieces, how a turn holds both, and the 8 bits its weights are kept in."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from engines.language import saved
from engines.language.config import PlannerConfig
from engines.language.decoding import decoded
from engines.language.network import PlannerNet, split
from engines.language.sentence import MOST_PIECES, SentencePieces
from engines.language.text import TurnPieces, WordPieces, padded
from engines.language.tokens import INDEX, START
from stream_retouch.errors import WeightsError

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", "my", "spots"]
VOCABULARY += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]


@pytest.fixture(scope="module")
def pieces() -> TurnPieces:
    words = WordPieces.learned(("remove the spots on my chin", "keep my freckles") * 9, 300)
    return TurnPieces(words, SentencePieces.of(VOCABULARY))


@pytest.fixture(scope="module")
def net(pieces: TurnPieces) -> PlannerNet:
    torch.manual_seed(4)
    torch.set_num_threads(1)
    plain = PlannerConfig(pieces.count, 64, 2, 96, 1, 2, 3, 24, 20)
    return PlannerNet(
        dataclasses.replace(
            plain, sentence_layers=2, sentence_vocabulary=len(VOCABULARY), sentence_width=64
        )
    ).eval()


def test_unknown_words_fall_into_smaller_pieces_and_long_turns_keep_both_ends() -> None:
    pieces = SentencePieces.of(VOCABULARY)
    assert pieces.split("My spots, zits") == ["my", "spots", "[UNK]", "z", "##i", "##t", "##s"]
    assert [pieces.numbers("")[0], pieces.numbers("")[-1]] == [2, 3]
    long = pieces.numbers("a " + "my " * 300 + "z")
    assert len(long) == MOST_PIECES
    assert (long[1], long[-2]) == (VOCABULARY.index("a"), VOCABULARY.index("z"))


def test_a_turn_holds_both_readings_and_a_batch_keeps_them_apart(pieces: TurnPieces) -> None:
    rows = [pieces.numbers(text, False, 24) for text in ("my spots", "keep my freckles please")]
    batch = torch.tensor(padded(rows, pieces.count))
    front, own = split(batch, pieces.count)
    assert front[0][front[0] > 0].tolist() == SentencePieces.of(VOCABULARY).numbers("my spots")
    assert own[0][own[0] > 0].tolist() == pieces.words.numbers("my spots", False, 24)
    assert int(front.max()) < len(VOCABULARY) and int(own.max()) < pieces.count
    alone = torch.tensor([pieces.words.numbers("my spots", False, 24)])
    assert split(alone, pieces.count)[0].shape == (1, 0)


def test_a_sentence_answers_alike_alone_and_among_longer_ones(
    net: PlannerNet, pieces: TurnPieces
) -> None:
    rows = [pieces.numbers(text, False, 24) for text in ("my spots", "keep my freckles please")]
    written = torch.tensor([[INDEX[START], 4, 30]] * 2)
    with torch.inference_mode():
        both = net(torch.tensor(padded(rows, pieces.count)), written)
        one = net(torch.tensor([rows[0]]), written[:1])
    torch.testing.assert_close(both[:1], one, atol=1e-4, rtol=1e-4)


def test_what_it_reads_reaches_the_program(net: PlannerNet, pieces: TurnPieces) -> None:
    row = pieces.numbers("my spots", False, 24)
    other = [pieces.count + VOCABULARY.index("z") if n >= pieces.count else n for n in row]
    one, changed = (net.f_r(torch.tensor([r])) for r in (row, other))
    assert not torch.allclose(one, changed)
    assert 0 < decoded(net, row).confidence <= 1


def test_eight_bits_bring_the_weights_back_nearly(
    net: PlannerNet, pieces: TurnPieces, tmp_path: Path
) -> None:
    saved.save(net, pieces, tmp_path)
    again, read = saved.load(tmp_path)
    row = pieces.numbers("keep my freckles", True, 24)
    assert read.numbers("keep my freckles", True, 24) == row
    state = net.state_dict()
    for name, value in again.state_dict().items():
        widest = state[name].abs().amax(-1, keepdim=True) if state[name].ndim else state[name]
        assert bool(((value - state[name]).abs() <= widest * 0.005 + 1e-4).all()), name
    assert (tmp_path / saved.WEIGHTS).stat().st_size < sum(v.numel() for v in state.values()) * 1.6


def test_matrices_of_zeros_stay_so() -> None:
    state = {"zeros": torch.zeros(3, 80), "small": torch.ones(2, 3), "vector": torch.ones(9)}
    kept = saved.packed(state)
    assert kept["zeros"].dtype == torch.int8 and kept["small"].dtype == torch.float16
    for name, value in saved.unpacked(kept).items():
        assert torch.equal(value, state[name])


def test_files_of_two_planners_are_not_mixed(
    net: PlannerNet, pieces: TurnPieces, tmp_path: Path
) -> None:
    saved.save(net, pieces, tmp_path)
    (tmp_path / saved.SENTENCE).unlink()
    with pytest.raises(WeightsError, match="belong together"):
        saved.load(tmp_path)
    saved.save(net, pieces, tmp_path)
    WordPieces.learned(("other words",), 280).save(tmp_path / saved.TOKENIZER)
    with pytest.raises(WeightsError, match="pieces, not"):
        saved.load(tmp_path)
