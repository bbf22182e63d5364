"""What the layers of stacked models share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Generator, Tensor, nn

Params = Sequence[Tensor]
"""The parameters of a layer, each ``[R, …]``, in the order of its ``parameters``."""

Saved = tuple[Tensor, ...]
"""What a forward pass keeps for the backward pass."""

Gradients = tuple[Tensor | None, list[Tensor]]
"""The gradient of the input, where it is wanted, and those of the parameters."""


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

    modules: ClassVar[tuple[type[nn.Module], ...]]
    """What the layer stands for, by exact type: a subclass may do anything else."""

    def __init__(self, module: nn.Module) -> None:
        self.parameters = tuple(name for name, _ in module.named_parameters(recurse=False))
        """Names of its trainable parameters, in the order of ``params`` and of the gradients."""
        self.buffers: dict[str, Tensor] = {}
        """Running statistics by name, each ``[R, …]``; set by the stack before the first step."""
        self.generators: list[Generator] = []
        """The generators of the masks, one for each run; set by the stack."""

    @classmethod
    def refusal(cls, module: nn.Module) -> str | None:
        """Return why a module cannot be stacked, in a few words; None when it can."""
        if type(module) not in cls.modules:
            return f"{type(module).__name__} has no stacked form"
        return cls.refused_setting(module)

    @classmethod
    def refused_setting(cls, module: Any) -> str | None:
        """Return which setting of a module cannot be stacked; None where all can."""
        return None

    def pack(self, name: str, value: Tensor) -> Tensor:
        """Return a parameter ``[R, *shape]`` of the module in the layer's own layout."""
        return value

    def unpack(self, name: str, value: Tensor) -> Tensor:
        """Undo `pack`."""
        return value

    @abstractmethod
    def forward(self, params: Params, x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """Return the output and what `backward` needs.

        Args:
            params: The parameters.
            x: Inputs ``[R, B, …]``, perhaps expanded over ``R`` (stride 0); not to be changed.
            train: True: batch statistics and masks; False: running statistics and no masks.
        """

    @abstractmethod
    def backward(self, params: Params, saved: Saved, d: Tensor, wants_dx: bool) -> Gradients:
        """Return the gradients of input and parameters, contiguous.

        Args:
            params: The parameters.
            saved: What `forward` kept in training.
            d: The gradient of the output; it may be overwritten.
            wants_dx: Whether the gradient of the input is wanted; else None stands for it.
        """
