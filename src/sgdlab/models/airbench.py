"""The convolutional network of the fastest training to 94 % on CIFAR-10."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgdlab.checks import require_number, require_whole
from sgdlab.errors import InputError
from sgdlab.models.image_inputs import image_shape
from sgdlab.models.parts import require_floats


class ShiftNorm(nn.BatchNorm2d):
    """Batch norm with a trained shift and without a scale, whose statistics follow quickly.

    Running statistics move by 0.4 of the way to those of each batch, and ``eps`` is 1e-12.

    Args:
        channels: Channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4, affine=False)
        # Not called bias: torch's batch norm has no second derivative with a bias and no weight.
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised images plus the shift of each channel."""
        return super().forward(input) + self.shift[:, None, None]


class ConvGroup(nn.Module):
    """Convolution, 2×2 max-pooling, norm, GELU, and once more without the pooling.

    Kernels are 3×3 and have no bias. The first ``inputs`` of a convolution's kernels start as the
    identity, the others as torch draws them.

    Args:
        inputs: Channels of the images.
        outputs: Channels of both convolutions.
        pool: Whether the edges are halved; images of a single pixel are not.
    """

    def __init__(self, inputs: int, outputs: int, pool: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2) if pool else nn.Identity()
        self.norm1 = ShiftNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = ShiftNorm(outputs)
        with torch.no_grad():
            for kernels in (self.conv1.weight, self.conv2.weight):
                nn.init.dirac_(kernels[: kernels.shape[1]])

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, outputs, height / 2, width / 2]``."""
        h = F.gelu(self.norm1(self.pool(self.conv1(x))))
        return F.gelu(self.norm2(self.conv2(h)))


class Airbench(nn.Module):
    """A 2×2 convolution, three groups of two 3×3 ones, the maximum over all pixels, a linear layer.

    The first convolution has ``8 · channels`` kernels (24 for photos), no padding and a bias; the
    groups have ``width``, ``4·width`` and ``4·width`` channels; the linear layer has no bias, and
    its outputs are multiplied by ``output_scale``. For images of 32×32 that is the network of
    ``airbench94``, but for its first layer: there kernels are set to whiten 2×2 patches of the
    training images and then stay, here they start as torch draws them and are trained. The rest of
    that record (augmentation, label smoothing, lookahead, a larger rate for the shifts of the norm)
    is not part of a model.

    Args:
        input_shape: ``(channels, height, width)``, of at least 2 by 2 pixels.
        num_outputs: Classes, or regression targets.
        width: Channels of the first group.
        output_scale: Factor on the outputs, above 0.

    Raises:
        InputError: The inputs are not images, or an impossible setting.

    Source: Jordan (2024), "94% on CIFAR-10 in 3.29 seconds on a single GPU".
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        width: int = 64,
        output_scale: float = 0.1111111111111111,
    ) -> None:
        super().__init__()
        channels, *edges = image_shape("airbench", input_shape)
        if min(edges) < 2:
            raise InputError(
                f"model=airbench needs images of at least 2 by 2 pixels, the inputs are "
                f"{list(input_shape)}: model=cnn takes any size"
            )
        first = require_whole("model.width", width)
        self.output_scale = require_number("model.output_scale", output_scale, open_low=True)
        inputs, edge = 8 * channels, min(edges) - 1
        self.first = nn.Conv2d(channels, inputs, 2)
        groups: list[nn.Module] = []
        for outputs in (first, 4 * first, 4 * first):
            groups.append(ConvGroup(inputs, outputs, edge > 1))
            inputs, edge = outputs, max(edge // 2, 1)
        self.groups = nn.Sequential(*groups)
        self.head = nn.Linear(inputs, num_outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, num_outputs]`` for images ``[n, channels, height, width]``."""
        require_floats(x)
        h = self.groups(F.gelu(self.first(x)))
        return self.head(h.amax((2, 3))) * self.output_scale
