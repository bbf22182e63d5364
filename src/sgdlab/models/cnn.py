"""A small convolutional network."""

from collections.abc import Sequence

from torch import Tensor, nn

from sgdlab.checks import is_whole
from sgdlab.errors import InputError
from sgdlab.models.image_inputs import image_shape
from sgdlab.models.parts import activation as activation_layer
from sgdlab.models.parts import dense, require_floats, widths


class CNN(nn.Module):
    """Convolution, batch norm if asked, activation and 2×2 max-pooling; then dense layers.

    Convolutions keep height and width; each pooling halves them (rounded down) until one of them
    is a single pixel. So 8×8 digits and 32×32 photos both fit.

    Args:
        input_shape: ``(channels, height, width)``.
        num_outputs: Classes, or regression targets.
        channels: The channels of each convolution, of which there is at least one.
        kernel_size: The edge of the kernels, an odd number.
        hidden: Widths of the dense hidden layers.
        activation: One of those of `sgdlab.models.mlp.MLP`.
        batch_norm: After each convolution and each hidden dense layer; convolutions then have no
            bias, which the normalisation would cancel.
        dropout: Probability that a unit of the dense hidden layers is zeroed.

    Raises:
        InputError: The inputs are not images, or an impossible setting.
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        channels: Sequence[int] = (16, 32),
        kernel_size: int = 3,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        planes, height, width = image_shape("cnn", input_shape)
        if not is_whole(kernel_size) or kernel_size % 2 == 0:
            raise InputError(f"model.kernel_size={kernel_size}: must be an odd number: 1, 3, 5, …")
        layers: list[nn.Module] = []
        for count in widths("channels", channels, at_least=1):
            layers.append(
                nn.Conv2d(planes, count, kernel_size, padding=kernel_size // 2, bias=not batch_norm)
            )
            if batch_norm:
                layers.append(nn.BatchNorm2d(count))
            layers.append(activation_layer(activation))
            if min(height, width) > 1:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            planes = count
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            *dense(
                planes * height * width,
                hidden,
                num_outputs,
                activation_name=activation,
                batch_norm=batch_norm,
                dropout=dropout,
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[n, num_outputs]`` for images ``[n, channels, height, width]``."""
        require_floats(x)
        return self.classifier(self.features(x).flatten(1))
