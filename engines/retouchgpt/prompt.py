"""E_txt, P, the LLM and G_ctrl: the LLM-based embedding (LBE), equations 3 and 4. Runs when the words change.

    f_r = LLM(P(f_img, f_txt, M_s));  {alpha, beta, gamma} = G_ctrl(sigma(f_r))

f_r has one prompt per category and one for the whole. A small head reads the plan back from f_r (the response of
equation 8, 17 x 12 tokens over classes of amount), so f_r must hold what was asked, not just correlate with it.

Shapes: B batch, T words, W language width, P prompts, D block width, L blocks of R.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaModel

from engines.retouchgpt.canonical import VOCABULARY
from engines.retouchgpt.config import RetouchGPTConfig
from stream_retouch.language.plan import REGIONS

IMAGE_TOKENS = 9
"""Tokens for imperfect and for normal skin each: a 3x3 grid over the aligned crop."""


class TextEncoder(nn.Module):
    """E_txt: canonical words to word states, and to the pooled f_txt that every frame uses."""

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        width = config.language_width
        self.words = nn.Embedding(len(VOCABULARY), width, padding_idx=0)
        self.position = nn.Parameter(torch.randn(1, config.max_words, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, config.language_heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, config.language_layers, enable_nested_tensor=False
        )
        self.pool = nn.Linear(width, config.text_width)

    def forward(self, words_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Word states (B, T, W) and f_txt (B, text width) from token numbers, 0 = padding."""
        padding_BT = words_BT == 0
        x_BTW = self.words(words_BT) + self.position[:, : words_BT.shape[1]]
        x_BTW = self.layers(x_BTW, src_key_padding_mask=padding_BT)
        held_BT1 = (~padding_BT)[:, :, None].to(x_BTW.dtype)
        mean_BW = (x_BTW * held_BT1).sum(1) / held_BT1.sum(1).clamp(min=1.0)
        return x_BTW, torch.tanh(self.pool(mean_BW))


class PromptLearner(nn.Module):
    """P: lays words, imperfect skin and normal skin of the key frame and the learned prompts in one sequence."""

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        width = config.language_width
        self.image = nn.Linear(config.widths[2], width)
        self.kind = nn.Parameter(torch.randn(2, IMAGE_TOKENS, width) * 0.02)
        self.unseen = nn.Parameter(torch.randn(2 * IMAGE_TOKENS, width) * 0.02)
        self.prompts = nn.Parameter(torch.randn(config.categories + 1, width) * 0.02)

    def forward(
        self,
        words_BTW: torch.Tensor,
        f3_BCHW: torch.Tensor,
        mask_B1HW: torch.Tensor,
        seen_B: torch.Tensor,
    ) -> torch.Tensor:
        """The joint embedding f_joint (B, T + 18 + P, W).

        Args:
            words_BTW: word states of E_txt.
            f3_BCHW: f_img at 1/8 of the key frame's crop.
            mask_B1HW: M_s at the size of f3.
            seen_B: 1 where there is a key frame; elsewhere learned tokens stand in for the image.
        """
        b = words_BTW.shape[0]
        imperfect = F.adaptive_avg_pool2d(f3_BCHW * mask_B1HW, 3).flatten(2).transpose(1, 2)
        normal = F.adaptive_avg_pool2d(f3_BCHW * (1 - mask_B1HW), 3).flatten(2).transpose(1, 2)
        image = torch.cat(
            (self.image(imperfect) + self.kind[0], self.image(normal) + self.kind[1]), 1
        )
        seen_B11 = seen_B.to(image.dtype)[:, None, None]
        image = image * seen_B11 + self.unseen * (1 - seen_B11)
        prompts = self.prompts.expand(b, -1, -1)
        return torch.cat((image, words_BTW, prompts), 1)


def language_model(config: RetouchGPTConfig) -> LlamaModel:
    """The LLM: a small Llama that is fed embeddings; it has no vocabulary of its own."""
    width = config.language_width
    return LlamaModel(
        LlamaConfig(
            vocab_size=4,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            hidden_size=width,
            intermediate_size=344,
            num_hidden_layers=config.language_layers,
            num_attention_heads=config.language_heads,
            num_key_value_heads=config.language_heads,
            max_position_embeddings=config.max_words + 2 * IMAGE_TOKENS + config.categories + 1,
            attn_implementation="eager",  # type: ignore[call-arg]
            use_cache=False,
        )
    )


class ControlGenerator(nn.Module):
    """G_ctrl with its learnable activation sigma: alpha = 1 + tanh, beta and gamma start at 0."""

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        self.blocks, self.width = config.blocks, config.block_width
        self.sigma = nn.PReLU(config.language_width)
        self.gather = nn.Linear(config.categories + 1, config.blocks)
        self.hidden = nn.Linear(config.language_width, 2 * config.language_width)
        self.out = nn.Linear(2 * config.language_width, 3 * config.block_width)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, f_r_BPW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """alpha, beta, gamma, each (B, L, D)."""
        active_BWP = self.sigma(f_r_BPW.transpose(1, 2))
        block_BLW = self.gather(active_BWP).transpose(1, 2)
        raw_BLC = self.out(F.gelu(self.hidden(block_BLW)))
        alpha, beta, gamma = raw_BLC.chunk(3, dim=-1)
        return 1 + torch.tanh(alpha), beta, gamma


@dataclass(frozen=True)
class Embedding:
    """What the LLM-based embedding gives, batched."""

    f_txt: torch.Tensor
    """(B, text width)."""
    alpha: torch.Tensor
    """(B, L, D)."""
    beta: torch.Tensor
    """(B, L, D)."""
    gamma: torch.Tensor
    """(B, L, D)."""
    response: torch.Tensor
    """(B, 17, 12, classes) logits of the plan read back from f_r."""


class LanguageEmbedding(nn.Module):
    """LBE: P, the LLM, G_ctrl and the response head, equation 3, 4 and the l_r of equation 8."""

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        self.config = config
        self.text = TextEncoder(config)
        self.prompt = PromptLearner(config)
        self.llm = language_model(config)
        self.control = ControlGenerator(config)
        self.response = nn.Linear(config.language_width, len(REGIONS) * config.amount_classes)

    def forward(
        self,
        words_BTW: torch.Tensor,
        f_txt_BT: torch.Tensor,
        padding_BT: torch.Tensor,
        f3_BCHW: torch.Tensor,
        mask_B1HW: torch.Tensor,
        seen_B: torch.Tensor,
    ) -> Embedding:
        """The conditioning of a batch of plans on their key frames; see `PromptLearner` for the arguments."""
        joint_BSW = self.prompt(words_BTW, f3_BCHW, mask_B1HW, seen_B)
        prompts = self.config.categories + 1
        held_BT = torch.ones(joint_BSW.shape[:2], dtype=torch.bool, device=joint_BSW.device)
        start = 2 * IMAGE_TOKENS
        held_BT[:, start : start + padding_BT.shape[1]] = ~padding_BT
        states_BSW = self.llm(
            inputs_embeds=joint_BSW, attention_mask=held_BT.to(joint_BSW.dtype)
        ).last_hidden_state
        f_r_BPW = states_BSW[:, -prompts:]
        alpha, beta, gamma = self.control(f_r_BPW)
        response = self.response(f_r_BPW[:, : self.config.categories])
        shape = (*response.shape[:2], len(REGIONS), self.config.amount_classes)
        return Embedding(f_txt_BT, alpha, beta, gamma, response.reshape(shape))
