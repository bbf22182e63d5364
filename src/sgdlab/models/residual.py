"""The blocks of residual networks: ``relu(x + F(x))`` with a few convolutions in ``F``."""

from typing import ClassVar

import torch
from torch import Tensor, nn


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3×3 convolution without bias that keeps the size of an image at stride 1."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Return the projection of ``x`` to the shape of ``F(x)``; None where the shapes are equal.

    A 1×1 convolution and batch norm: option B of He et al. (2016).
    """
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )


class BasicBlock(nn.Module):
    """``relu(x + BN(W₂ * relu(BN(W₁ * x))))`` with 3×3 kernels; the first has the stride.

    Args:
        inputs: Channels of ``x``.
        planes: Channels of both convolutions, and of the result.
        stride: 2 halves the edges of the image.
    """

    expansion: ClassVar[int] = 1
    """Channels of the result over ``planes``."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = shortcut(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, planes, height / stride, width / stride]``."""
        h = torch.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        return torch.relu(h + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """A 1×1, a 3×3 and a 1×1 convolution, each with batch norm; the last has 4 times the channels.

    The 3×3 convolution has the stride, as in torchvision and Goyal et al. (2017), appendix; in He
    et al. (2016) it was the first one.

    Args:
        inputs: Channels of ``x``.
        planes: Channels of the first two convolutions.
        stride: 2 halves the edges of the image.
    """

    expansion: ClassVar[int] = 4
    """Channels of the result over ``planes``."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, 4 · planes, height / stride, width / stride]``."""
        h = torch.relu(self.bn1(self.conv1(x)))
        h = torch.relu(self.bn2(self.conv2(h)))
        h = self.bn3(self.conv3(h))
        return torch.relu(h + (x if self.downsample is None else self.downsample(x)))


@torch.no_grad()
def he_normal(model: nn.Module) -> None:
    """Draw the kernels of all convolutions from ``N(0, 2 / fan_out)`` (He et al. 2015).

    ``fan_out`` is the number of a kernel's outputs times its pixels. Biases of convolutions and
    linear layers keep what torch gave them.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
