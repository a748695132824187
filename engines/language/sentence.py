"""What a general sentence encoder knows of the words, beside our own encoder: states of MiniLM's lower layers.

Our own encoder reads byte-level pieces, so no slip of the keys and no script is foreign to it, but it has seen only
our corpus. MiniLM (Wang et al. 2020; all-MiniLM-L6-v2, Apache-2.0) has read a billion sentences: to it "knackered" is
near "tired" though the corpus never says so. Its lower layers, with the word pieces that English speech about faces
needs, are trained on with the planner.

Shapes: B batch, T word pieces, W the planner's width.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import nn
from transformers import BertConfig, BertModel

from engines.language.config import PlannerConfig

PAD, UNKNOWN, BEGIN, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
MOST_PIECES = 96
"""Of a turn; of a longer one its beginning and its end."""


class SentenceEncoder(nn.Module):
    """Word pieces to states of the planner's width."""

    def __init__(self, config: PlannerConfig) -> None:
        super().__init__()
        wide = config.sentence_width
        self.bert = BertModel(
            BertConfig(
                vocab_size=config.sentence_vocabulary,
                hidden_size=wide,
                num_hidden_layers=config.sentence_layers,
                num_attention_heads=wide // 32,
                intermediate_size=4 * wide,
                max_position_embeddings=MOST_PIECES,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                attn_implementation="eager",  # type: ignore[call-arg]
            ),
            add_pooling_layer=False,
        )
        self.into = nn.Sequential(
            nn.LayerNorm(wide),
            nn.Linear(wide, config.width),
            nn.GELU(),
            nn.Linear(config.width, config.width),
        )

    def forward(self, pieces_BT: torch.Tensor) -> torch.Tensor:
        """States (B, T, W) of pieces, 0 = padding, which stands in front."""
        held_BT = pieces_BT > 0
        states = self.bert(
            input_ids=pieces_BT,
            attention_mask=held_BT.long(),
            position_ids=(held_BT.cumsum(1) - 1).clamp(min=0),
        ).last_hidden_state
        return self.into(states)  # type: ignore[no-any-return]


class SentencePieces:
    """Texts to numbers of MiniLM's word pieces, those of them that were kept."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        pad, begin, end = (tokenizer.token_to_id(t) for t in (PAD, BEGIN, END))
        if pad != 0 or begin is None or end is None:
            raise ValueError("the sentence tokenizer lacks [PAD] as 0, [CLS] or [SEP]")
        self._begin, self._end = begin, end

    @classmethod
    def of(cls, vocabulary: Iterable[str]) -> SentencePieces:
        """With those word pieces, in their order; the first is [PAD]."""
        numbers = {piece: i for i, piece in enumerate(vocabulary)}
        tokenizer = Tokenizer(models.WordPiece(numbers, unk_token=UNKNOWN))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return cls(tokenizer)

    @classmethod
    def load(cls, path: Path) -> SentencePieces:
        """Those of a ``tokenizer.json``."""
        return cls(Tokenizer.from_file(str(path)))

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return int(self._tokenizer.get_vocab_size())

    def save(self, path: Path) -> None:
        """Writes ``tokenizer.json``."""
        self._tokenizer.save(str(path), pretty=False)

    def split(self, text: str) -> list[str]:
        """The pieces of a text, without its ends."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).tokens)

    def numbers(self, text: str) -> list[int]:
        """The pieces of a turn between [CLS] and [SEP], `MOST_PIECES` at most."""
        inside = self._tokenizer.encode(text, add_special_tokens=False).ids
        most = MOST_PIECES - 2
        if len(inside) > most:
            inside = [*inside[: most // 2], *inside[len(inside) - (most - most // 2) :]]
        return [self._begin, *inside, self._end]
