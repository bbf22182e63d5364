"""The block of a Vision Transformer: attention over all patches, then two dense layers."""

from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """``softmax(q·kᵀ / √(width/heads))·v`` in each head, then a linear layer over all heads.

    Every token attends to every token (Vaswani et al. 2017); ``q``, ``k`` and ``v`` are the three
    thirds of one linear layer's outputs.

    Args:
        width: Features of a token, a multiple of ``heads``.
        heads: Heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, tokens, width]`` for ``x [n, tokens, width]``."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class VisionBlock(nn.Module):
    """``x <- x + attention(LN(x))``, then ``x <- x + W₂·gelu(W₁·LN(x))``; with biases.

    Normalisation before each part and not after it, as in the paper and in
    `torch.nn.TransformerEncoderLayer` with ``norm_first=True``.

    Args:
        width: Features of a token, a multiple of ``heads``.
        heads: Heads.
        dropout: Probability that a number of what is added to ``x`` is zeroed in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, tokens, width]`` for ``x [n, tokens, width]``."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.mlp(self.norm2(x)))
