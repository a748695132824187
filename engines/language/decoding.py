"""Programs written token by token, greedily, always valid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from engines.language.network import PlannerNet, bottleneck
from engines.language.tokens import END, INDEX, START, allowed, program
from stream_retouch.language.program import Op


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the network wrote."""

    ops: tuple[Op, ...]
    confidence: float
    """Probability of the whole program, 0..1, among the valid ones."""


@torch.inference_mode()
def decoded(model: PlannerNet, words: list[int], later: bool = True) -> Decoded:
    """The most likely program of a turn, token by token.

    Args:
        words: numbers of `text.WordPieces`.
        later: whether something was asked before.
    """
    numbers, log_share = [INDEX[START]], 0.0
    words_BT = torch.tensor([words])
    cache = DynamicCache()
    # f_r first; then the words are forgotten: what is written sees the prompts alone
    fed = model.prefix(words_BT)
    mask = bottleneck(words_BT > 0, model.config.queries, 0, fed.dtype)
    at = torch.arange(fed.shape[1])[None]
    model.llm(
        inputs_embeds=fed,
        attention_mask=mask,
        position_ids=at,
        past_key_values=cache,
        use_cache=True,
    )
    for layer in cache.layers:
        assert (
            isinstance(layer, DynamicLayer) and layer.keys is not None and layer.values is not None
        )
        layer.keys = layer.keys[:, :, len(words) :]
        layer.values = layer.values[:, :, len(words) :]
    end = INDEX[END]
    while numbers[-1] != end and len(numbers) <= model.config.most_steps:
        step = model.program(torch.tensor([[numbers[-1]]]))
        position = torch.tensor([[fed.shape[1] + len(numbers) - 1]])
        seen = torch.zeros(1, 1, 1, model.config.queries + len(numbers), dtype=fed.dtype)
        states = model.llm(
            inputs_embeds=step,
            attention_mask=seen,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        may = allowed(numbers, later)
        shares = model.response(states[0, -1])[may].log_softmax(0)
        best = int(shares.argmax())
        log_share += float(shares[best])
        numbers.append(may[best])
    return Decoded(program(numbers), float(torch.tensor(log_share).exp()))
