"""Whether there is room for the weights of a model, asked before they are made."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from sgdlab.datasets.memory import half_of_free
from sgdlab.errors import InputError

_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)
_LARGE = 1 << 20
"""Numbers that are worth asking for: a machine that has no room for so many runs no Python."""


class RoomForWeights(TorchFunctionMode):
    """Refuses the tensors that are made in the block once they leave no room for their gradients.

    The system promises memory that it does not have, and ends processes when they use it.

    Args:
        label: What makes them, for the refusal.
    """

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label
        self._bytes = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch.

        Raises:
            InputError: It would make too much.
        """
        kwargs = kwargs or {}
        if func in _MAKERS:
            self._add(kwargs.get("size") or args, kwargs.get("dtype") or torch.get_default_dtype())
        return func(*args, **kwargs)

    def _add(self, size: Sequence[Any], dtype: torch.dtype) -> None:
        sizes = size[0] if size and not isinstance(size[0], int) else size
        try:
            count = math.prod(map(int, sizes))
        except (TypeError, ValueError):
            return  # torch says what is wrong with it
        self._bytes += max(count, 0) * dtype.itemsize
        if count > _LARGE and self._bytes > (room := half_of_free()):
            raise InputError(
                f"{self._label}: its weights take at least {self._bytes / 1e9:.0f} GB, and with "
                f"their gradients there is room for {room / 1e9:.0f} GB of them"
            )
