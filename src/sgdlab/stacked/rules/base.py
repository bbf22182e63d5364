"""What the update rules of stacked runs share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers = Mapping[str, NDArray[np.float64]]
"""Settings by name, each ``[steps, runs]``: they may change from step to step."""

Steps = NDArray[np.int64]
"""The steps of a block, counted from 1."""

Table = dict[str, NDArray[np.float64]]
"""Arrays by name: the coefficients of a block of steps, each ``[steps, runs]``; or what they hand
on from block to block, each ``[runs]``."""

Coefficients = Mapping[str, Tensor]
"""What a rule multiplies by in one step: 0-dim for one run, ``[R, 1, …]`` for a stack."""

Norm = Callable[[Tensor], Tensor]
"""L2 norm over one run's tensor: 0-dim for one run, ``[R, 1, …]`` for a stack."""

State = tuple[Tensor, ...]
"""The state tensors of one parameter, in the order of the rule's ``slots``."""

Moved = tuple[Tensor, State]
"""A parameter and its state after a step."""


class Rule(ABC):
    """One optimizer as a pure function of one tensor of one run.

    Rules are written for one run: scalars are 0-dim, norms are over the whole tensor. A stack hands
    them tensors with a leading run axis, and scalars and norms that broadcast over it, which is
    what `torch.func.vmap` over the runs would do, without its price per operation.

    Scalar arithmetic (bias corrections, ``1 - β``) belongs into `coefficients`, which runs once for
    a block of steps, on the host and in float64, as in torch's own optimizers. Rules are frozen
    dataclasses; their fields are flags of the optimizer that all runs of a stack have in common.

    The engine applies the decay before `update`, ``g + wd·w`` or ``(1 - lr·wd)·w``, unless the
    optimizer's trait ``decay`` is ``own``: then it is among the settings.
    """

    slots: tuple[str, ...]
    """Names of the state tensors, each shaped like the parameter."""

    settings: ClassVar[tuple[str, ...]]
    """Settings of the optimizer that may differ between runs, ``lr`` excepted."""

    @classmethod
    def of(cls, group: Mapping[str, Any]) -> Self:
        """Return the rule of an optimizer's parameter group."""
        return cls(**{field.name: bool(group[field.name]) for field in fields(cls)})  # type: ignore[arg-type]

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return the settings of a group as numbers: flags as 0 or 1, no bound as infinity.

        ``betas`` become ``beta1`` and ``beta2``. A scheduled momentum replaces the one called
        ``momentum``, or else ``beta1``.
        """
        found: dict[str, float] = {}
        for name in self.settings:
            if name == "betas":
                found |= zip(("beta1", "beta2"), map(float, group[name]), strict=True)
            else:
                found[name] = math.inf if group[name] is None else float(group[name])
        return found

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return the state before the first step, a tensor for each slot: zeros.

        Args:
            w: The parameter.
            first: The coefficients of the first step.
        """
        return tuple(torch.zeros_like(w) for _ in self.slots)

    @abstractmethod
    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return the coefficients of a block of steps.

        Args:
            h: ``lr``, the settings of `numbers`, and the number of dimensions ``ndim`` of the
                parameter of one run.
            t: The steps, counted from 1.
            carry: What the blocks before handed on, empty at first; changed in place.
        """

    @abstractmethod
    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Return the parameter and the state after a step; the arguments are left alone.

        Args:
            w: The parameter, decayed where the engine does that.
            g: Its gradient, clipped, and with a coupled decay.
            state: The state as `init` or the last step returned it.
            c: The coefficients of the step, by name.
            norm: Gives the norm of a tensor of a run.
        """

    @staticmethod
    def without_idle(coefficients: Mapping[str, NDArray[np.float64]], **idle: float) -> Table:
        """Return the coefficients less those that are idle in all steps of all runs.

        A rule leaves out the operation of a coefficient that is missing. That may change no bit of
        a finite result (the sign of a zero excepted), or a run would depend on its neighbours: so
        only factors of 1 and products with 0 that are added may be named here.

        Args:
            coefficients: All coefficients, each ``[steps, runs]``.
            idle: By name, the value with which a coefficient has no effect.
        """
        return {
            name: values
            for name, values in coefficients.items()
            if name not in idle or (values != idle[name]).any()
        }
