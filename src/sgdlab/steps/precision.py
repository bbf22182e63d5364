"""The numbers that a step computes with: autocast, and the scale of losses in float16."""

import contextlib
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

_HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_NO_CONTEXT = contextlib.nullcontext()


def half_of(precision: str) -> torch.dtype | None:
    """Return the type of a forward pass under a ``precision``; None: that of the model."""
    return _HALVES.get(precision)


def autocast(device: torch.device, half: torch.dtype | None) -> AbstractContextManager[Any]:
    """Let products and convolutions inside be computed in ``half``; None: in the model's type."""
    return _NO_CONTEXT if half is None else torch.autocast(device.type, half)


class LossScale:
    """The factor on losses that keeps gradients in float16 from being rounded to zero.

    ``g = ∇(s·L) / s`` with ``s = 65536`` at first. Where an element of ``∇(s·L)`` is not finite,
    the step is left out and ``s`` halved; after 2000 steps in a row without that it is doubled
    (Micikevicius et al. 2018, in the form of `torch.amp.GradScaler`).

    Args:
        device: Where the gradients are.
    """

    def __init__(self, device: torch.device) -> None:
        self._scaler = torch.amp.GradScaler(device.type)
        self.skipped = 0
        """How many steps were left out."""

    @property
    def scale(self) -> float:
        """The factor ``s`` of the next step."""
        return self._scaler.get_scale()

    def scaled(self, loss: Tensor) -> Tensor:
        """Return ``s·L``."""
        return self._scaler.scale(loss)

    def unscale(self, optimizer: Optimizer) -> bool:
        """Divide the gradients of an optimizer by ``s``, and choose the next ``s``.

        Returns:
            Whether the step is to be left out. Gradients that are not finite at ``s ≤ 1`` are so
            by themselves, and what is made of them is the caller's to see.
        """
        before = self.scale
        self._scaler.unscale_(optimizer)
        self._scaler.update()
        if self.scale >= before or before <= 1.0:
            return False
        self.skipped += 1
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the factor, the steps since it changed, and the steps left out."""
        return {**self._scaler.state_dict(), "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        own = dict(state)
        self.skipped = own.pop("skipped")
        self._scaler.load_state_dict(own)
