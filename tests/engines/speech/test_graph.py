"""The decoding graph: sounds become the words that the dictionary and the word model allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.speech.graph import compiled
from engines.speech.phones import BLANK, CLASSES, PHONES

pytest.importorskip("kaldifst", reason="kaldifst is not installed")
kaldi_decoder = pytest.importorskip("kaldi_decoder", reason="kaldi-decoder is not installed")

DICTIONARY = (
    "mole M OW L\nmoles M OW L Z\nthe DH AH\nthe(2) DH IY\ntwo T UW\ntoo T UW\nkeep K IY P\n"
)
ARPA = """\\data\\
ngram 1=7
ngram 2=4
ngram 3=1

\\1-grams:
-99\t<s>\t-0.3
-1.0\t</s>
-1.0\tmole\t-0.3
-1.0\tmoles\t-0.3
-1.0\tthe\t-0.3
-2.0\ttwo\t-0.3
-1.0\ttoo\t-0.3
-1.0\tkeep\t-0.3

\\2-grams:
-0.3\t<s> keep\t-0.2
-0.3\tkeep the\t-0.2
-0.3\tthe mole\t-0.2
-0.3\tthe two

\\3-grams:
-0.1\tkeep the two

\\end\\
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "words.dict").write_text(DICTIONARY)
    (tmp_path / "words.arpa").write_text(ARPA)
    return tmp_path


def heard(folder: Path, *frames: str, scale: float = 1.0) -> str:
    """What is made of frames that are nearly certain: a phone each, "-" for a blank."""
    import kaldifst

    graph, words = compiled(folder / "words.arpa", folder / "words.dict", scale)
    logs = np.full((len(frames), CLASSES), -12.0, np.float32)
    for row, phone in zip(logs, frames, strict=True):
        row[BLANK if phone == "-" else PHONES.index(phone) + 1] = -1e-3
    decoder = kaldi_decoder.FasterDecoder(graph, kaldi_decoder.FasterDecoderOptions(beam=30.0))
    decoder.decode(kaldi_decoder.DecodableCtc(logs))
    is_found, best = decoder.get_best_path()
    assert is_found
    _, _, numbers, _ = kaldifst.get_linear_symbol_sequence(best)
    return words.text(numbers)


def test_repetitions_and_blanks_are_one_sound(folder: Path) -> None:
    assert heard(folder, "-", "K", "K", "IY", "-", "P", "-", "-") == "keep"


def test_every_way_to_say_a_word_is_known(folder: Path) -> None:
    assert heard(folder, "DH", "IY", "M", "OW", "L", "Z") == "the moles"


def test_the_word_model_chooses_among_words_that_sound_the_same(folder: Path) -> None:
    assert heard(folder, "T", "UW") == "too"
    assert heard(folder, "K", "IY", "P", "DH", "AH", "T", "UW") == "keep the two"


def test_without_the_word_model_sounds_alone_count(folder: Path) -> None:
    assert heard(folder, "M", "OW", "L", "Z", "-", "K", "IY", "P", scale=0.0) == "moles keep"


@pytest.mark.parametrize("name", ["words.arpa", "words.dict"])
@pytest.mark.parametrize("text", ["", "nonsense\n"])
def test_files_that_allow_no_sentence_are_refused(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=r"no sentence|no pronunciation"):
        compiled(folder / "words.arpa", folder / "words.dict", 1.0)


def test_a_dictionary_of_other_sounds_is_refused(folder: Path) -> None:
    (folder / "words.dict").write_text("mole M OH L\n")
    with pytest.raises(ValueError, match="ARPAbet is needed"):
        compiled(folder / "words.arpa", folder / "words.dict", 1.0)
