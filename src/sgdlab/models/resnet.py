"""Residual networks of 18, 34 and 50 layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sgdlab.checks import require_one_of, require_whole
from sgdlab.models.image_inputs import image_shape
from sgdlab.models.parts import require_floats
from sgdlab.models.residual import BasicBlock, Bottleneck, he_normal

SMALL = 64
"""Images with an edge below this many pixels get the CIFAR stem by ``stem=auto``."""


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, the mean over all pixels, and a linear layer.

    Every stage but the first halves the edges of the image and doubles the channels. The names of
    the weights are those of `torchvision.models.resnet`, whose state dicts load into the ImageNet
    form; `sgdlab.models.residual.he_normal` draws them as there.

    Args:
        name: The name of the model on the command line, for messages.
        block: `BasicBlock` or `Bottleneck`.
        blocks: How many of them each of the four stages has.
        input_shape: ``(channels, height, width)``.
        num_outputs: Classes, or regression targets.
        width: Channels of the first stage.
        stem: ``imagenet`` (7×7 convolution, stride 2, then 3×3 max-pooling, stride 2), ``cifar``
            (3×3 convolution, stride 1), or ``auto``: ``cifar`` for images with an edge below 64.

    Raises:
        InputError: The inputs are not images, or an impossible setting.
    """

    def __init__(
        self,
        name: str,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: Sequence[int],
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        width: int,
        stem: str,
    ) -> None:
        super().__init__()
        channels, *edges = image_shape(name, input_shape)
        first = require_whole("model.width", width)
        kind = require_one_of("model.stem", stem, ("auto", "cifar", "imagenet"))
        if kind == "auto":
            kind = "cifar" if min(edges) < SMALL else "imagenet"
        if kind == "cifar":
            self.conv1 = nn.Conv2d(channels, first, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(channels, first, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if kind == "imagenet" else nn.Identity()
        inputs, stages = first, []
        for index, count in enumerate(blocks):
            planes = first * 2**index
            stage = nn.Sequential()
            for number in range(count):
                stage.append(block(inputs, planes, 2 if index and not number else 1))
                inputs = planes * block.expansion
            stages.append(stage)
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(inputs, num_outputs)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, num_outputs]`` for images ``[n, channels, height, width]``."""
        require_floats(x)
        h = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        h = self.layer4(self.layer3(self.layer2(self.layer1(h))))
        return self.fc(h.mean((2, 3)))


def resnet18(
    *, input_shape: tuple[int, ...], num_outputs: int, width: int = 64, stem: str = "auto"
) -> ResNet:
    """Return the residual network of 18 layers: 2, 2, 2, 2 basic blocks.

    With ImageNet's 1000 outputs it has 11.7 million weights.

    Args:
        input_shape: ``(channels, height, width)``.
        num_outputs: Classes, or regression targets.
        width: Channels of the first stage; 64 in the paper.
        stem: ``auto``, ``cifar`` or ``imagenet``; see `ResNet`.

    Raises:
        InputError: The inputs are not images, or an impossible setting.

    Source: He, Zhang, Ren and Sun (2016), "Deep residual learning for image recognition".
    """
    return ResNet(
        "resnet18", BasicBlock, (2, 2, 2, 2),
        input_shape=input_shape, num_outputs=num_outputs, width=width, stem=stem,
    )  # fmt: skip


def resnet34(
    *, input_shape: tuple[int, ...], num_outputs: int, width: int = 64, stem: str = "auto"
) -> ResNet:
    """Return the residual network of 34 layers: 3, 4, 6, 3 basic blocks.

    With ImageNet's 1000 outputs it has 21.8 million weights.

    Arguments, errors and source are those of `resnet18`.
    """
    return ResNet(
        "resnet34", BasicBlock, (3, 4, 6, 3),
        input_shape=input_shape, num_outputs=num_outputs, width=width, stem=stem,
    )  # fmt: skip


def resnet50(
    *, input_shape: tuple[int, ...], num_outputs: int, width: int = 64, stem: str = "auto"
) -> ResNet:
    """Return the residual network of 50 layers: 3, 4, 6, 3 bottlenecks.

    With ImageNet's 1000 outputs it has 25.6 million weights.

    Arguments, errors and source are those of `resnet18`.
    """
    return ResNet(
        "resnet50", Bottleneck, (3, 4, 6, 3),
        input_shape=input_shape, num_outputs=num_outputs, width=width, stem=stem,
    )  # fmt: skip
