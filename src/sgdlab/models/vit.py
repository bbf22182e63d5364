"""A transformer for images."""

import torch
from torch import Tensor, nn

from sgdlab.checks import require_number, require_one_of, require_whole
from sgdlab.errors import InputError
from sgdlab.models.image_inputs import image_shape
from sgdlab.models.parts import require_floats
from sgdlab.models.vision_block import VisionBlock


class VisionTransformer(nn.Module):
    """Patches as tokens, a learned position of each, transformer blocks, and a linear layer.

    An image is cut into patches of ``patch`` by ``patch`` pixels, each of which becomes a token by
    one linear map; a learned vector for its place is added. After the blocks and a last layer norm,
    the outputs are a linear function of the class token, or of the mean over all tokens.

    Weights of the blocks start uniform in ``±√(6 / (fan_in + fan_out))`` (Glorot and Bengio 2010)
    with biases of 0, positions from ``N(0, 0.02²)``, the class token at 0; the maps of the patches
    and of the outputs as torch draws them.

    Args:
        input_shape: ``(channels, height, width)``; ``patch`` divides height and width.
        num_outputs: Classes, or regression targets.
        patch: Edge of a patch in pixels.
        width: Features of a token, a multiple of ``heads``; dense layers have 4 times as many.
        depth: Blocks.
        heads: Heads of the attention.
        pool: ``token`` (a learned token more, whose features are read at the end), or ``mean``.
        dropout: Probability that a number of what a block adds is zeroed in training.

    Raises:
        InputError: The inputs are not images, patches do not fit, or an impossible setting.

    Source: Dosovitskiy et al. (2021), "An image is worth 16x16 words".
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        patch: int = 4,
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        pool: str = "token",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels, *edges = image_shape("vit", input_shape)
        side, features = require_whole("model.patch", patch), require_whole("model.width", width)
        if any(edge % side for edge in edges):
            raise InputError(
                f"model.patch={patch}: must divide the height {edges[0]} and the width {edges[1]} "
                "of the images"
            )
        if features % require_whole("model.heads", heads):
            raise InputError(f"model.heads={heads}: must divide model.width={width}")
        rate = require_number("model.dropout", dropout, 0, 1, open_high=True)
        self.pool = require_one_of("model.pool", pool, ("token", "mean"))
        self.patches = nn.Conv2d(channels, features, side, stride=side)
        tokens = (edges[0] // side) * (edges[1] // side)
        if self.pool == "token":
            self.class_token = nn.Parameter(torch.zeros(1, 1, features))
            tokens += 1
        self.position_embedding = nn.Parameter(0.02 * torch.randn(1, tokens, features))
        count = require_whole("model.depth", depth)
        self.blocks = nn.Sequential(*(VisionBlock(features, heads, rate) for _ in range(count)))
        self.norm = nn.LayerNorm(features)
        self.head = nn.Linear(features, num_outputs)
        for layer in self.blocks.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, num_outputs]`` for images ``[n, channels, height, width]``."""
        require_floats(x)
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        if self.pool == "token":
            tokens = torch.cat([self.class_token.expand(len(x), -1, -1), tokens], 1)
        tokens = self.norm(self.blocks(tokens + self.position_embedding))
        return self.head(tokens[:, 0] if self.pool == "token" else tokens.mean(1))
