"""What the update rules of stacked runs share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Numbers = Mapping[str, NDArray[np.float64]]
"""Settings by name, each ``[steps, runs]``: they may change from step to step."""

Carry = dict[str, NDArray[np.float64]]
"""What coefficients hand on from block to block, each ``[runs]``; empty before the first step."""

Coefficients = Mapping[str, Tensor]
"""What a rule multiplies by in one step: 0-dim for one run, ``[R, 1, …]`` for a stack."""

Norm = Callable[[Tensor], Tensor]
"""L2 norm over one run's tensor: 0-dim for one run, ``[R, 1, …]`` for a stack."""

State = tuple[Tensor, ...]


class Rule(ABC):
    """One optimizer as a pure function of one tensor of one run.

    Rules are written for one run: scalars are 0-dim, norms are over the whole tensor. A stack hands
    them tensors with a leading run axis, and scalars and norms that broadcast over it, which is
    what `torch.func.vmap` over the runs would do, without its price per operation.

    Scalar arithmetic (bias corrections, ``1 - β``) belongs into `coefficients`, which runs once for
    a block of steps, on the host and in float64, as in torch's own optimizers. Rules are frozen
    dataclasses; their fields are what all runs of a stack must have in common.
    """

    decay: ClassVar[Literal["coupled", "decoupled", "own"]]
    """How the optimizer itself applies ``weight_decay``. For ``own`` it is among the settings; the
    other two the engine applies before `update`: ``g + wd·w``, or ``(1 - lr·wd)·w``."""

    slots: tuple[str, ...]
    """Names of the state tensors, each shaped like the parameter."""

    @classmethod
    @abstractmethod
    def of(cls, group: Mapping[str, Any]) -> "Rule | str":
        """Return the rule of an optimizer's parameter group, or why there is none, in words."""

    @abstractmethod
    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return the settings that may differ between runs, ``lr`` excepted.

        A scheduled momentum replaces the one called ``momentum``, or else ``beta1``.
        """

    @abstractmethod
    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return the state before the first step, a tensor for each slot.

        Args:
            w: The parameter.
            first: Coefficients of the first step.
        """

    @abstractmethod
    def coefficients(
        self, h: Numbers, t: NDArray[np.int64], carry: Carry
    ) -> dict[str, NDArray[np.float64]]:
        """Return the coefficients of a block of steps, each ``[steps, runs]``.

        Args:
            h: ``lr`` and the settings of `numbers`.
            t: Steps, counted from 1.
            carry: Changed in place.
        """

    @abstractmethod
    def update(
        self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm
    ) -> tuple[Tensor, State]:
        """Return the parameter and the state after a step; the arguments are left alone.

        Args:
            w: The parameter, decayed where the engine does that.
            g: Its gradient, clipped, and with a coupled decay.
            state: As `init` or the last step returned it.
            c: By name, as `coefficients` returned them.
            norm: Of a tensor of a run.
        """
