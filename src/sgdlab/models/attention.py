"""The block of a transformer: causal attention, then a network for each token by itself."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM_EPS = 1e-5
"""What is added to the variance, or mean square, before its root."""

NORMS: dict[str, type[Any]] = {"layer": nn.LayerNorm, "rms": nn.RMSNorm}
"""Normalisations by name: LayerNorm (Ba et al. 2016), RMSNorm (Zhang and Sennrich 2019)."""


class Rotary(nn.Module):
    """Turns pairs of a query's or key's coordinates by angles that grow with its place.

    Coordinates ``i`` and ``i + d/2`` of ``d`` at place ``t`` are turned by ``t·10000^(-2i/d)``, so
    that the product of a query and a key depends on how far apart they are (Su et al. 2021, RoPE).

    Args:
        context: Places, at most.
        size: ``d``, even.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, context: int, size: int) -> None:
        super().__init__()
        speed = 10000.0 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
        angle = torch.arange(context, dtype=torch.float64)[:, None] * speed
        # In float64, rounded once where the model gets its own type.
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x [..., t, d]``, turned."""
        cos, sin = self.cos[: x.shape[-2]], self.sin[: x.shape[-2]]
        a, b = x.chunk(2, dim=-1)
        return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)


class CausalAttention(nn.Module):
    """``softmax(Q·Kᵀ/√d + M)·V`` by head, ``M`` hiding what comes later (Vaswani et al. 2017).

    Args:
        width: Features of a token.
        heads: Heads, of ``d = width / heads`` features each.
        rotary: What turns queries and keys; None leaves them.
        qk_norm: Give every query and key RMS 1, times a learned scale (Henry et al. 2020).
        dropout: Probability that an attention weight is zeroed in training.
        base_size: ``d`` of the model at whose width settings were tuned, under μP
            (`sgdlab.parametrization`): the logits ``Q·Kᵀ`` are multiplied by ``√base_size / d``,
            which falls with ``1/d`` and agrees with ``1/√d`` there. None: ``1/√d``.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        rotary: Rotary | None,
        qk_norm: bool,
        dropout: float,
        base_size: int | None = None,
    ) -> None:
        super().__init__()
        # Three matrices, not one of three: Muon makes each of them orthogonal by itself.
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.heads, self.dropout = heads, dropout
        self.rotary = rotary
        size = width // heads
        # None at the base size, too: the same numbers, to the last bit.
        self.scale = None if base_size in (None, size) else math.sqrt(base_size) / size
        self.query_norm = nn.RMSNorm(size, eps=NORM_EPS) if qk_norm else nn.Identity()
        self.key_norm = nn.RMSNorm(size, eps=NORM_EPS) if qk_norm else nn.Identity()

    def forward(self, h: Tensor) -> Tensor:
        """Return ``[n, t, width]`` for features ``[n, t, width]``."""
        q, k, v = (
            part(h).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        q, k = self.query_norm(q), self.key_norm(k)
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        dropout = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(
            q, k, v, is_causal=True, dropout_p=dropout, scale=self.scale
        )
        return self.out(seen.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers for each token, ``W2·gelu(W1·h)``, or ``W2·(silu(Wg·h) ⊙ W1·h)``.

    With gelu the hidden width is ``4·width``; with swiglu (Shazeer 2020), which has a matrix more,
    ``8·width // 3``, so that both have about as many weights.

    Args:
        width: Features of a token.
        activation: ``gelu`` or ``swiglu``.
    """

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        gated = activation == "swiglu"
        hidden = 8 * width // 3 if gated else 4 * width
        self.gate = nn.Linear(width, hidden) if gated else None
        self.up = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, h: Tensor) -> Tensor:
        """Return ``[n, t, width]`` for features ``[n, t, width]``."""
        up = self.up(h)
        return self.out(F.gelu(up) if self.gate is None else F.silu(self.gate(h)) * up)


class Block(nn.Module):
    """``h <- h + attention(norm(h))``, then ``h <- h + network(norm(h))`` (pre-norm).

    Args:
        width: Features of a token.
        heads: Heads of attention.
        norm: ``layer`` or ``rms``.
        activation: ``gelu`` or ``swiglu``.
        rotary: See `CausalAttention`.
        qk_norm: See `CausalAttention`.
        dropout: Probability that a feature is zeroed before it is added, or an attention weight.
        base_size: See `CausalAttention`.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        norm: str,
        activation: str,
        rotary: Rotary | None,
        qk_norm: bool,
        dropout: float,
        base_size: int | None = None,
    ) -> None:
        super().__init__()
        self.attention_norm = NORMS[norm](width, eps=NORM_EPS)
        self.attention = CausalAttention(
            width, heads, rotary=rotary, qk_norm=qk_norm, dropout=dropout, base_size=base_size
        )
        self.network_norm = NORMS[norm](width, eps=NORM_EPS)
        self.network = FeedForward(width, activation)
        self.drop = nn.Dropout(dropout)

    def forward(self, h: Tensor) -> Tensor:
        """Return ``[n, t, width]`` for features ``[n, t, width]``."""
        h = h + self.drop(self.attention(self.attention_norm(h)))
        return h + self.drop(self.network(self.network_norm(h)))


@torch.no_grad()
def start_as_gpt2(model: nn.Module, depth: int, std: float = 0.02) -> None:
    """Draw the weights as GPT-2 does (Radford et al. 2019).

    Matrices and embeddings from ``N(0, std²)``, those whose result is added to the residual stream
    from ``N(0, std²/(2·depth))``; biases 0, scales 1.

    Args:
        model: A model of blocks.
        depth: How many blocks it has, each of which adds twice.
        std: The deviation.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.normal_(0.0, std)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.zero_()
    for module in model.modules():
        if isinstance(module, CausalAttention | FeedForward):
            module.out.weight /= math.sqrt(2 * depth)
