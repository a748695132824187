"""The planner's network, equations 3 and 8 of the paper with words in the place of pictures.

E_txt reads the words; P lays their states before Q learned prompts; a small Llama runs over them, and its last states
at the prompts are f_r. The response, the program, is written token by token by the same Llama under a bottleneck mask:
its tokens see the prompts and each other, never the words, so f_r has to hold all that was said.

Shapes: B batch, T words, Q prompts, S program tokens, W width, V program vocabulary.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import LlamaConfig, LlamaModel

from engines.language.config import PlannerConfig
from engines.language.sentence import MOST_PIECES, SentenceEncoder
from engines.language.tokens import VOCABULARY


class WordEncoder(nn.Module):
    """E_txt: word pieces to states that know their neighbours on both sides."""

    def __init__(self, config: PlannerConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocabulary, config.width, padding_idx=0)
        self.position = nn.Parameter(torch.randn(config.most_words + 1, config.width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            config.feed_forward,
            0.0,  # the corpus has no end: there is nothing to drop out for
            "gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer, config.encoder_layers, enable_nested_tensor=False
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, words_BT: torch.Tensor) -> torch.Tensor:
        """States (B, T, W) of word pieces, 0 = padding, which stands in front."""
        held_BT = words_BT > 0
        at_BT = held_BT.cumsum(1)
        x_BTW = self.words(words_BT) + self.position[at_BT]
        return self.norm(self.layers(x_BTW, src_key_padding_mask=~held_BT))  # type: ignore[no-any-return]


class PlannerNet(nn.Module):
    """Words to programs."""

    def __init__(self, config: PlannerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = WordEncoder(config)
        self.sentence = SentenceEncoder(config) if config.sentence_layers else None
        self.learner = nn.Sequential(
            nn.Linear(config.width, config.width), nn.GELU(), nn.Linear(config.width, config.width)
        )
        """P."""
        self.prompts = nn.Parameter(torch.randn(config.queries, config.width) * 0.02)
        self.program = nn.Embedding(len(VOCABULARY), config.width)
        self.llm = LlamaModel(
            LlamaConfig(
                vocab_size=4,
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=0,
                hidden_size=config.width,
                intermediate_size=config.feed_forward,
                num_hidden_layers=config.llm_layers,
                num_attention_heads=config.heads,
                num_key_value_heads=config.heads,
                max_position_embeddings=MOST_PIECES
                + config.most_words
                + config.queries
                + config.most_steps,
                attn_implementation="eager",  # type: ignore[call-arg]
            )
        )
        self.response = nn.Linear(config.width, len(VOCABULARY))
        nn.init.normal_(self.program.weight, std=0.02)

    def prefix(self, words_BT: torch.Tensor) -> torch.Tensor:
        """(B, T + Q, W): what the LLM is fed before it writes."""
        front_BT, words_BT = split(words_BT, self.config.vocabulary)
        fed = [
            self.learner(self.encoder(words_BT)),
            self.prompts.expand(words_BT.shape[0], -1, -1),
        ]
        if self.sentence is not None and front_BT.shape[1]:
            fed.insert(0, self.sentence(front_BT))
        return torch.cat(fed, 1)

    def forward(self, words_BT: torch.Tensor, program_BS: torch.Tensor) -> torch.Tensor:
        """Logits (B, S, V) of the token after each of the program's.

        Args:
            words_BT: of `text.TurnPieces`, padded by `text.padded`.
            program_BS: from START on, padding behind.
        """
        fed_BNW = torch.cat((self.prefix(words_BT), self.program(program_BS)), 1)
        mask = bottleneck(words_BT > 0, self.config.queries, program_BS.shape[1], fed_BNW.dtype)
        states_BNW = self.llm(
            inputs_embeds=fed_BNW,
            attention_mask=mask,
            position_ids=_places(words_BT, fed_BNW.shape[1]),
            use_cache=False,
        ).last_hidden_state
        return self.response(states_BNW[:, -program_BS.shape[1] :])  # type: ignore[no-any-return]

    def f_r(self, words_BT: torch.Tensor) -> torch.Tensor:
        """(B, Q, W): the last states at the prompts."""
        fed_BNW = self.prefix(words_BT)
        mask = bottleneck(words_BT > 0, self.config.queries, 0, fed_BNW.dtype)
        states_BNW = self.llm(
            inputs_embeds=fed_BNW,
            attention_mask=mask,
            position_ids=_places(words_BT, fed_BNW.shape[1]),
            use_cache=False,
        ).last_hidden_state
        return states_BNW[:, -self.config.queries :]  # type: ignore[no-any-return]


def _places(words_BT: torch.Tensor, count: int) -> torch.Tensor:
    """Positions (B, count) of words and what follows them, as if there were no padding."""
    held_BT = words_BT > 0
    behind = torch.ones(
        held_BT.shape[0], count - held_BT.shape[1], dtype=torch.bool, device=held_BT.device
    )
    return (torch.cat((held_BT, behind), 1).cumsum(1) - 1).clamp(min=0)


def split(words_BT: torch.Tensor, vocabulary: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The pieces for the sentence encoder, numbered from 1 as it knows them, and those for E_txt.

    The former stand in front and are numbered from `vocabulary` on (`text.TurnPieces`); each part has its padding, 0,
    in front of it.
    """
    sentence_T = (words_BT >= vocabulary).any(0)
    front = int(sentence_T.nonzero().max()) + 1 if bool(sentence_T.any()) else 0
    return (words_BT[:, :front] - vocabulary).clamp(min=0), words_BT[:, front:]


def bottleneck(held_BT: torch.Tensor, queries: int, steps: int, dtype: torch.dtype) -> torch.Tensor:
    """Attention mask (B, 1, N, N), N = T + Q + S, added to the scores: causal, blind to padding, and what is written
    sees no words."""
    b, t = held_BT.shape
    n = t + queries + steps
    device = held_BT.device
    may = torch.ones(n, n, dtype=torch.bool, device=device).tril()
    may[t + queries :, :t] = False
    may_BNN = may.repeat(b, 1, 1)
    may_BNN[:, :, :t] &= held_BT[:, None, :]
    # a row of padding has to see something, if only itself
    may_BNN |= torch.eye(n, dtype=torch.bool, device=device)
    closed = torch.finfo(dtype).min
    return torch.zeros(b, 1, n, n, dtype=dtype, device=device).masked_fill(
        ~may_BNN[:, None], closed
    )
