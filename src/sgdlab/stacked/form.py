"""What a stack asks of a model of many runs, whichever way that computes."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, Self

import torch
from torch import Generator, Tensor, nn

from sgdlab.stacked.losses import StackedLoss


class ModelForm(Protocol):
    """Forward and backward pass of many runs of one architecture.

    `sgdlab.stacked.model.StackedModel` has them written out, layer by layer;
    `sgdlab.stacked.general.model.GeneralModel` takes them from the module itself.
    """

    names: list[str]
    """Names of all trainable parameters, in the order of every list of them."""
    takes_vectors: bool
    """Whether images are flattened before they are cut into batches."""
    draws: bool
    """Whether random numbers may be drawn in training."""
    normalises: bool
    """Whether there are running statistics."""
    written_out: bool
    """Whether the passes are written out, so that a run's bits are its own in any stack."""

    def __init__(self, module: nn.Module) -> None: ...

    @staticmethod
    def refusal(module: nn.Module) -> str | None:
        """Return why runs of a model cannot be stacked; None where nothing shows."""
        ...

    @staticmethod
    def signature(module: nn.Module) -> str:
        """Return what tells models apart whose weights cannot be in one stack."""
        ...

    def fresh(self, module: nn.Module | None = None) -> Self:
        """Return another one, for a stack of its own.

        Args:
            module: The model of one run; None: that of this one.
        """
        ...

    def inputs(self, x: Tensor) -> Tensor:
        """Return the inputs of a split as they are to be cut into batches."""
        ...

    def load(self, states: Sequence[Mapping[str, Tensor]], device: torch.device) -> list[Tensor]:
        """Take the state dicts of the runs; return their stacked parameters."""
        ...

    def state_dict(self, unpacked: Sequence[Tensor], row: int) -> dict[str, Tensor]:
        """Return the state dict of one run, as the model of that run alone would have it."""
        ...

    def statistics(self) -> dict[str, Tensor]:
        """Return the buffers of all runs by name, each ``[R, …]``."""
        ...

    def set_statistics(self, values: Sequence[Tensor]) -> None:
        """Replace the buffers by others, in the order of `statistics`."""

    def unpack(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Return parameters, or what is shaped like them, as ``[R, *shape]`` of the modules."""
        ...

    def pack(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Undo `unpack`."""
        ...

    def select(self, rows: Tensor) -> None:
        """Keep the statistics of some runs."""

    def set_generators(self, generators: list[Generator]) -> None:
        """Draw the masks of each run from its own generator."""

    def forward(self, params: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs ``[R, B, …]`` in evaluation of inputs ``[R, B, …]``."""
        ...

    def refreshed(
        self, params: Sequence[Tensor], batches: Iterable[Tensor]
    ) -> AbstractContextManager[None]:
        """Give batch normalisation the mean statistics of ``batches`` in the block.

        Args:
            params: The parameters that the statistics are to belong to.
            batches: Inputs ``[B, …]`` that all runs have in common.
        """
        ...

    def kept_bytes(self, params: Sequence[Tensor], x: Tensor) -> int:
        """Return the size of what a forward pass in training keeps for the backward pass."""
        ...

    def gradient(
        self,
        params: Sequence[Tensor],
        x: Tensor,
        y: Tensor,
        loss: StackedLoss,
        weight: Tensor | float,
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the training losses ``[R]`` and ``weight`` times their gradients."""
        ...
