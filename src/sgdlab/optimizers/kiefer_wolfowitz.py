"""Stochastic approximation from function values alone."""

import itertools
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_number, require_whole
from sgdlab.errors import InputError


class KieferWolfowitz(Optimizer):
    """Gradient descent on central differences (Kiefer and Wolfowitz 1952).

    ``ĝ_i = (f(w + c_t·e_i) - f(w - c_t·e_i)) / (2·c_t)`` for every coordinate ``i``, then
    ``w <- w - η_t·ĝ``, with ``c_t = width / t^width_power``, ``t`` from 1 and ``e_i`` the unit
    vectors. On a quadratic ``ĝ`` is the gradient; elsewhere it is off by ``c²·f'''/6``.

    The twin is SGD (Robbins and Monro 1951), which has the gradient itself. The theorem, for
    function values with noise of their own in every call, asks for ``Σ η_t = ∞``,
    ``Σ η_t·c_t < ∞`` and ``Σ (η_t/c_t)² < ∞``: such as ``η_t = η/t`` (``schedule=inverse_time``)
    and ``width_power: 0.33``. Here all calls of a step see the same batch and the same random
    numbers, so the noise is that of the batch, which does not grow as ``1/c``; a constant small
    ``width`` then serves.

    A step takes ``1 + 2·d`` evaluations for ``d`` parameters, the first at ``w``, and no gradient.
    ``ĝ`` is left in ``p.grad``. Coordinates are put back from a copy, so that moving there and back
    rounds nothing. In float32 a difference has a rounding error of about ``1e-7·|f|/c``.

    No weight decay: put a penalty into the loss.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        width: ``c``, above 0, in the units of the parameters.
        width_power: From 0; 0 keeps the width.
        max_parameters: Refuse more; a step of 10,000 parameters takes 20,001 evaluations.

    Raises:
        InputError: A setting is out of its range, or the parameters are too many.
    """

    decay_modes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.1,
        width: float = 0.01,
        width_power: float = 0.0,
        max_parameters: int = 10_000,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_number("optimizer.width", width, open_low=True)
        require_number("optimizer.width_power", width_power)
        require_whole("optimizer.max_parameters", max_parameters)
        super().__init__(params, {"lr": lr, "width": width, "width_power": width_power, "step": 0})
        count = sum(p.numel() for group in self.param_groups for p in group["params"])
        if count > max_parameters:
            raise InputError(
                f"optimizer.max_parameters={max_parameters}: the model has {count}, "
                f"which takes {2 * count + 1} evaluations a step; take a smaller model"
            )

    @torch.no_grad()
    def step(self, closure: Callable[..., Tensor]) -> Tensor:  # type: ignore[override]
        """Make one update.

        Args:
            closure: ``closure(gradient=False)`` returns the loss, a 0-dim tensor. The same
                function at every call.

        Returns:
            The loss at ``w`` before the update.
        """
        loss = closure(gradient=False)
        for group in self.param_groups:
            group["step"] += 1
            width = group["width"] / group["step"] ** group["width_power"]
            for p in group["params"]:
                p.grad = _differences(p, width, closure)
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad, alpha=group["lr"])
        return loss


def _differences(p: Tensor, width: float, closure: Callable[..., Tensor]) -> Tensor:
    """Return the central differences along each coordinate of ``p``, of its shape."""
    slopes = torch.empty_like(p)
    for at in itertools.product(*map(range, p.shape)):
        kept = p[at].clone()
        p[at] = kept + width
        above = closure(gradient=False)
        p[at] = kept - width
        below = closure(gradient=False)
        p[at] = kept
        slopes[at] = (above - below) / (2 * width)
    return slopes
