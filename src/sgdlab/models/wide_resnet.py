"""A residual network that is wide instead of deep."""

from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.checks import is_whole, require_number, require_whole
from sgdlab.errors import InputError
from sgdlab.models.image_inputs import image_shape
from sgdlab.models.parts import require_floats
from sgdlab.models.residual import conv3x3, he_normal


class WideBlock(nn.Module):
    """``s + W₂ * drop(relu(BN(W₁ * a)))`` with ``a = relu(BN(x))``: activation before convolution.

    ``s`` is ``x``, or a 1×1 convolution of ``a`` where the shape changes.

    Args:
        inputs: Channels of ``x``.
        planes: Channels of both convolutions, and of the result.
        stride: 2 halves the edges of the image.
        dropout: Probability that a number between the convolutions is zeroed in training.
    """

    def __init__(self, inputs: int, planes: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3x3(inputs, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = conv3x3(planes, planes)
        same = stride == 1 and inputs == planes
        self.shortcut = None if same else nn.Conv2d(inputs, planes, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, planes, height / stride, width / stride]``."""
        a = torch.relu(self.bn1(x))
        h = self.dropout(torch.relu(self.bn2(self.conv1(a))))
        return self.conv2(h) + (x if self.shortcut is None else self.shortcut(a))


class WideResNet(nn.Module):
    """WRN-``depth``-``widen``: three groups of pre-activation blocks with many channels.

    A 3×3 convolution with 16 channels; groups of ``(depth - 4) / 6`` blocks with ``16·widen``,
    ``32·widen`` and ``64·widen`` channels, the last two of which halve the edges of the image;
    batch norm, the mean over all pixels and a linear layer. Kernels start from ``N(0, 2/fan_out)``.

    Args:
        input_shape: ``(channels, height, width)``.
        num_outputs: Classes, or regression targets.
        depth: 10, 16, 22, 28, …: the number of its layers.
        widen: Channels over those of a narrow network.
        dropout: Probability that a number between the convolutions of a block is zeroed.

    Raises:
        InputError: The inputs are not images, or an impossible setting.

    Source: Zagoruyko and Komodakis (2016), "Wide residual networks".
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        depth: int = 16,
        widen: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels, _, _ = image_shape("wide_resnet", input_shape)
        count = blocks_of(depth)
        factor = require_whole("model.widen", widen)
        rate = require_number("model.dropout", dropout, 0, 1, open_high=True)
        inputs = 16
        self.conv1 = conv3x3(channels, inputs)
        blocks: list[nn.Module] = []
        for group in range(3):
            planes = 16 * factor * 2**group
            for number in range(count):
                blocks.append(WideBlock(inputs, planes, 2 if group and not number else 1, rate))
                inputs = planes
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(inputs)
        self.fc = nn.Linear(inputs, num_outputs)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, num_outputs]`` for images ``[n, channels, height, width]``."""
        require_floats(x)
        h = torch.relu(self.bn(self.blocks(self.conv1(x))))
        return self.fc(h.mean((2, 3)))


def blocks_of(depth: Any) -> int:
    """Return how many blocks a group of a network with ``depth`` layers has.

    Raises:
        InputError: No whole number of them.
    """
    if not is_whole(depth, 10) or (depth - 4) % 6:
        raise InputError(f"model.depth={depth}: must be 4 more than 6, 12, …: 10, 16, 22, 28, …")
    return (depth - 4) // 6
