"""What the update rules of stacked runs share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar

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

States = list[State]
"""The states of all parameters."""

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
    optimizer's trait ``decay`` is ``own``, or the rule `decays`: then it is among the settings.
    """

    slots: tuple[str, ...]
    """Names of the state tensors, each shaped like the parameter."""

    settings: ClassVar[tuple[str, ...]]
    """Settings of the optimizer that may differ between runs, ``lr`` excepted."""

    off: ClassVar[tuple[str, ...]] = ()
    """Settings that must be false, 0 or null: the rule has not what they add."""

    decays: ClassVar[bool] = False
    """Whether `update` decays in the place where the optimizer does, by ``weight_decay``."""

    averages: ClassVar[bool] = False
    """Whether other weights are evaluated than are trained: those of `evaluated`."""

    by_shape: ClassVar[bool] = False
    """Whether shapes of modules matter: then all tensors are ``[R, *shape]``, as modules have them,
    ``update`` is called for stacks only, and states may have any shape that begins with ``R``."""

    run_by_run: ClassVar[bool] = False
    """Whether `update` goes over the runs one by one: such a loop is not worth compiling."""

    @classmethod
    def of(cls, groups: Sequence[Mapping[str, Any]]) -> "Rule | None":
        """Return the rule of an optimizer's parameter groups; None where they differ in it."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        flags = {tuple(bool(group[name]) for name in names) for group in groups}
        return cls(*flags.pop()) if len(flags) == 1 else None

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return the settings of a group as numbers: flags as 0 or 1, no bound as infinity.

        ``betas`` become ``beta1``, ``beta2`` and so on. A scheduled momentum replaces the one
        called ``momentum``, or else ``beta1``.
        """
        found: dict[str, float] = {}
        for name in self.settings:
            if name == "betas":
                found |= {f"beta{i}": float(beta) for i, beta in enumerate(group[name], 1)}
            else:
                found[name] = math.inf if group[name] is None else float(group[name])
        return found

    def numbers_of_each(self, group: Mapping[str, Any]) -> list[dict[str, float]]:
        """Return `numbers` for each parameter of a group."""
        return [self.numbers(group)] * len(group["params"])

    def operations(self, params: Sequence[Tensor]) -> float:
        """Return the floating-point operations of a step of one run that a stack does not share.

        Args:
            params: The parameters of one run.
        """
        return 0.0

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
            h: ``lr``, and the settings of `numbers_of_each`.
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

    def update_all(
        self, ws: Sequence[Tensor], gs: Sequence[Tensor], states: Sequence[State],
        cs: Sequence[Coefficients], norm: Norm,
    ) -> tuple[list[Tensor], States]:  # fmt: skip
        """Return all parameters and states after a step: by `update`, one by one.

        A rule whose runs ask something of all their parameters together has its own.
        """
        quadruples = zip(ws, gs, states, cs, strict=True)
        made = [self.update(*of_parameter, norm) for of_parameter in quadruples]
        return [w for w, _ in made], [state for _, state in made]

    def found(self, states: Sequence[State], row: int, step: int) -> Mapping[str, Any]:
        """Return what the optimizer of a run found out by itself, as fields of its `Built`.

        Args:
            states: The states of all parameters.
            row: The run.
            step: The last step that counts.
        """
        return {}

    def evaluated(self, w: Tensor, state: State, carry: Coefficients) -> Tensor:
        """Return the weights that are evaluated after a step, a new tensor where they differ.

        Args:
            w: The parameter.
            state: Its state.
            carry: What `coefficients` carry from block to block, by name, as in `update`.
        """
        return w

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
