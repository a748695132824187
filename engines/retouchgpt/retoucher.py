"""R: the latent retouching transformer, equations 5 and 6.

    Q = W_q(R x M) + gamma;  K, V = W_kv(R x (1 - M)) + gamma;  R <- alpha * softmax(Q K / lambda) V + beta

Imperfect places ask, normal skin answers. The plain product of the paper leaves a fully imperfect token as a zero
vector that still takes its share of the softmax; log(1 - M) added to its key takes that share away.

Every token asks; keys and values are means of 2x2 tokens, weighted by how normal their skin is, which costs a quarter.

Shapes: B batch, N tokens, J = N / 4 keys, D block width, E heads, A width of a head.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from engines.retouchgpt.config import RetouchGPTConfig


class RetouchBlock(nn.Module):
    """One block: mask-guided cross-attention modulated by alpha, beta, gamma, then a feed-forward layer."""

    pool: torch.Tensor

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        width = config.block_width
        self.heads = config.heads
        self.register_buffer("pool", pool2(config.crop_size // 16), persistent=False)
        self.scale = (width // config.heads) ** -0.5
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.expand = nn.Linear(width, 2 * width)
        self.shrink = nn.Linear(2 * width, width)

    def _heads(self, x_BND: torch.Tensor) -> torch.Tensor:
        b, n, d = x_BND.shape
        return x_BND.reshape(b, n, self.heads, d // self.heads).transpose(1, 2)

    def forward(
        self,
        r_BND: torch.Tensor,
        asks_BN1: torch.Tensor,
        normal_BN1: torch.Tensor,
        normal_BJ1: torch.Tensor,
        bias_B11J: torch.Tensor,
        alpha_B1D: torch.Tensor,
        beta_B1D: torch.Tensor,
        gamma_B1D: torch.Tensor,
    ) -> torch.Tensor:
        """One step of replacing imperfect features.

        Args:
            r_BND: R^{i-1}.
            asks_BN1: the peak of M_s in each token, which weighs the queries.
            normal_BN1: 1 - M_s of each token.
            normal_BJ1: its mean over each key.
            bias_B11J: its logarithm, added to the keys' scores.
            alpha_B1D: with beta and gamma, the conditioning of this block.
        """
        normed = self.norm1(r_BND)
        normal_BJD = self.pool @ (normed * normal_BN1) / (normal_BJ1 + 1e-2)
        q_BENA = self._heads(self.query(normed * asks_BN1) + gamma_B1D)
        k_BEAJ = self._heads(self.key(normal_BJD) + gamma_B1D).transpose(2, 3)
        v_BEJA = self._heads(self.value(normal_BJD) + gamma_B1D)
        weights_BENJ = torch.softmax(q_BENA @ k_BEAJ * self.scale + bias_B11J, dim=-1)
        mixed_BND = (weights_BENJ @ v_BEJA).transpose(1, 2).reshape(r_BND.shape)
        r_BND = r_BND + alpha_B1D * self.out(mixed_BND) + beta_B1D
        hidden = F.gelu(self.expand(self.norm2(r_BND)), approximate="tanh")
        r_BND = r_BND + self.shrink(hidden)
        return r_BND


class Retoucher(nn.Module):
    """R of the paper on the coarsest features; tokens are the cells of f4."""

    def __init__(self, config: RetouchGPTConfig) -> None:
        super().__init__()
        side = config.crop_size // 16
        self.position = nn.Parameter(torch.randn(1, side * side, config.block_width) * 0.02)
        self.blocks = nn.ModuleList(RetouchBlock(config) for _ in range(config.blocks))

    def forward(
        self,
        f4_BDHW: torch.Tensor,
        mask_B1HW: torch.Tensor,
        peak_B1HW: torch.Tensor,
        alpha_BLD: torch.Tensor,
        beta_BLD: torch.Tensor,
        gamma_BLD: torch.Tensor,
    ) -> torch.Tensor:
        """R^n (B, D, H, W) from f4, the mean mask and the peak mask of each cell."""
        b, d, h, w = f4_BDHW.shape
        r_BND = f4_BDHW.reshape(b, d, h * w).transpose(1, 2) + self.position
        normal_B1HW = 1.0 - mask_B1HW
        normal_BN1 = normal_B1HW.reshape(b, h * w, 1)
        normal_BJ1 = F.avg_pool2d(normal_B1HW, 2).reshape(b, h * w // 4, 1)
        bias_B11J = torch.log(torch.clamp(normal_BJ1, min=1e-3)).reshape(b, 1, 1, h * w // 4)
        asks_BN1 = peak_B1HW.reshape(b, h * w, 1)
        for index, block in enumerate(self.blocks):
            alpha, beta, gamma = (t[:, index : index + 1] for t in (alpha_BLD, beta_BLD, gamma_BLD))
            r_BND = block(r_BND, asks_BN1, normal_BN1, normal_BJ1, bias_B11J, alpha, beta, gamma)
        return r_BND.transpose(1, 2).reshape(b, d, h, w)


def pool2(side: int) -> torch.Tensor:
    """The matrix (N / 4, N) that takes tokens in rows of `side` to their means of 2x2.

    A product with a constant costs compiled engines less than turning the tokens into planes and back.
    """
    cells = torch.eye(side * side).reshape(side * side, 1, side, side)
    return F.avg_pool2d(cells, 2).flatten(1).T.contiguous()
