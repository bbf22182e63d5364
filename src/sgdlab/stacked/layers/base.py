"""What the layers of stacked models share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Generator, Tensor, nn

Saved = tuple[Tensor, ...]


class Layer(ABC):
    """One layer of all runs of a stack: every tensor has a leading run axis ``R``.

    Layers have no autograd: `backward` is written out, which costs a third of the operations'
    overhead less, and chooses the memory layout in which the batched products are fastest.
    Results of a run must not depend, in any bit, on the runs beside it: no reduction, no matrix
    product and no choice of algorithm may depend on ``R`` (which is never 1).

    Activations are ``[R, B, features]``, those of images end with the batch, ``[R, C, H, W, B]``.

    Args:
        module: The layer of one run, for its shapes and settings; its weights are not used.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters = tuple(name for name, _ in module.named_parameters(recurse=False))
        """Names of its trainable parameters, in the order of ``params`` and of the gradients."""
        self.buffers: dict[str, Tensor] = {}
        """By name, each ``[R, …]``: running statistics. Set by the stack before the first step."""
        self.generators: list[Generator] = []
        """One a run, for masks; set by the stack."""

    def pack(self, name: str, value: Tensor) -> Tensor:
        """Return a parameter ``[R, *shape]`` of the module in the layer's own layout."""
        return value

    def unpack(self, name: str, value: Tensor) -> Tensor:
        """Undo `pack`."""
        return value

    @abstractmethod
    def forward(self, params: Sequence[Tensor], x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """Return the output and what `backward` needs.

        Args:
            params: In the order of ``parameters``.
            x: ``[R, B, …]``. It may be expanded over ``R`` (stride 0), and must not be changed.
            train: Batch statistics and masks, or running statistics and none.
        """

    @abstractmethod
    def backward(
        self, params: Sequence[Tensor], saved: Saved, d: Tensor, input_gradient: bool
    ) -> tuple[Tensor | None, list[Tensor]]:
        """Return the gradients of input and parameters, contiguous.

        Args:
            params: As in `forward`.
            saved: Of `forward` in training.
            d: Gradient of the output; may be overwritten.
            input_gradient: Whether that of the input is needed; else None is returned for it.
        """
