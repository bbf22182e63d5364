"""What changes from step to step, for a block of steps of many runs."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sgdlab.schedules.base import Schedule
from sgdlab.stacked.group import Group
from sgdlab.stacked.rules.base import Coefficients, Rule, State, Table
from sgdlab.stacked.run import StackedRun, Tensors

SHRINK, COUPLED = "engine.shrink", "engine.coupled"
"""Coefficients of the decay that the engine applies: a factor on ``w``; one on ``w`` in ``g``."""


@dataclass
class _Class:
    """Parameters that every run treats alike, and that have one shape of coefficients."""

    ndim: int
    tensors: list[Tensors]  # of the runs
    carry: Table = field(default_factory=dict)


@dataclass(frozen=True)
class StepBlock:
    """What changes from step to step, of some steps.

    Attributes:
        rates: The learning rates, ``[steps, runs]``.
        names: The names of the coefficients of each class of parameters.
        ndims: The dimensions of the parameters of each class.
        values: The coefficients of each class, ``[names, steps, runs]``.
    """

    rates: NDArray[np.float64]
    names: tuple[tuple[str, ...], ...]
    ndims: tuple[int, ...]
    values: list[Tensor]

    @functools.cached_property
    def steps(self) -> list[list[Coefficients]]:
        """The coefficients of each step and class, as tensors that broadcast over parameters."""
        by_class = [
            self._views(*own) for own in zip(self.names, self.ndims, self.values, strict=True)
        ]
        return [[views[k] for views in by_class] for k in range(len(self.rates))]

    @staticmethod
    def _views(names: Sequence[str], ndim: int, values: Tensor) -> list[Coefficients]:
        _, steps, runs = values.shape
        # One call for all views: a slice for each costs as much as an operation of the step.
        views = values.reshape(len(names) * steps, runs, *[1] * ndim).unbind(0)
        return [{name: views[i * steps + k] for i, name in enumerate(names)} for k in range(steps)]


class Tables:
    """Learning rates and coefficients of a stack.

    Args:
        group: What the runs have in common.
        runs: The runs, the copy that pads a stack of one included.
        params: The stacked parameters, whose shapes and type coefficients go with.
    """

    def __init__(self, group: Group, runs: Sequence[StackedRun], params: Sequence[Tensor]) -> None:
        self.runs = runs
        self._rule, self._length = group.rule, (group.total_steps, group.plan.steps_per_epoch)
        self._like = params[0]
        keys: dict[Any, int] = {}
        self.class_of: list[int] = []
        """The index of the class of each parameter."""
        self._classes: list[_Class] = []
        by_shape = list(group.model.parameters()) if group.rule.by_shape else None
        ndims = [p.ndim for p in by_shape] if by_shape else [p.ndim - 1 for p in params]
        for index, ndim in enumerate(ndims):
            tensors = [run.tensors[index] for run in self.runs]
            key = (ndim, *(_key(t) for t in tensors))
            if key not in keys:
                keys[key] = len(self._classes)
                self._classes.append(_Class(ndim, tensors))
            self.class_of.append(keys[key])

    def go_on_from(self, before: "Tables", rows: Sequence[int]) -> None:
        """Take over what coefficients carry, for some of the runs of other tables."""
        for index, own in enumerate(self.class_of):
            carry = before._classes[before.class_of[index]].carry
            self._classes[own].carry = {name: values[list(rows)] for name, values in carry.items()}

    def carried(self) -> list[Coefficients]:
        """Return what coefficients carry after the last block, for each parameter."""
        carried = [{name: v[None] for name, v in own.carry.items()} for own in self._classes]
        (by_class,) = self._block(np.empty((1, len(self.runs))), carried).steps
        return [by_class[index] for index in self.class_of]

    def rates(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the scheduled learning rates ``[steps, runs]`` of steps counted from 0."""
        factors = self._by_schedule(lambda schedule: schedule, start, stop)
        return np.stack([f * run.lr for f, run in zip(factors, self.runs, strict=True)], axis=1)

    def momenta(self, start: int, stop: int) -> NDArray[np.float64] | None:
        """Return the scheduled momenta ``[steps, runs]``, NaN where a run's own counts."""
        momenta = self._by_schedule(lambda schedule: schedule.momentum, start, stop)
        table = np.stack(momenta, axis=1)
        return None if np.isnan(table).all() else table

    def _by_schedule(
        self, form: Callable[[Schedule], Callable[..., float | None]], start: int, stop: int
    ) -> list[NDArray[np.float64]]:
        """Return what each run's schedule gives in a block of steps, NaN for None."""
        schedules = {id(run.schedule): form(run.schedule) for run in self.runs}
        found = {
            key: np.array(
                [schedule(t, *self._length) for t in range(start, stop)], dtype=np.float64
            )
            for key, schedule in schedules.items()
        }
        return [found[id(run.schedule)] for run in self.runs]

    def catch_up(self, done: int) -> None:
        """Bring what coefficients carry from step to step to where a checkpoint left off."""
        for start in range(0, done, 4096):
            self._tables(start, min(start + 4096, done))

    def block(self, start: int, stop: int) -> "StepBlock":
        """Return learning rates and coefficients of a block of steps.

        Args:
            start: The first step, counted from 0; blocks are asked for in their order.
            stop: The step after the last.
        """
        return self._block(*self._tables(start, stop))

    def later(self) -> "StepBlock":
        """Return a block as those after the first step are, whose names may differ from its."""
        classes = self._classes
        self._classes = [_Class(own.ndim, own.tensors) for own in classes]
        try:
            self._tables(0, 1)
            return self._block(*self._tables(1, 2))
        finally:
            self._classes = classes

    def _block(self, rates: NDArray[np.float64], tables: Sequence[Table]) -> "StepBlock":
        values = [torch.from_numpy(np.stack(list(t.values()))).to(self._like) for t in tables]
        names = tuple(tuple(table) for table in tables)
        return StepBlock(rates, names, tuple(own.ndim for own in self._classes), values)

    def _tables(self, start: int, stop: int) -> tuple[NDArray[np.float64], list[Table]]:
        """Return the learning rates, and the coefficients of each class, all ``[steps, runs]``."""
        rates, momenta = self.rates(start, stop), self.momenta(start, stop)
        peaks = np.array([run.lr for run in self.runs])
        steps = np.arange(start + 1, stop + 1)
        tables: list[Table] = []
        for own in self._classes:
            multiplier = np.array([t.lr_multiplier for t in own.tensors])
            lr = rates * multiplier
            h = {"lr": lr}
            for name in own.tensors[0].numbers:
                values = np.array([t.numbers[name] for t in own.tensors])
                h[name] = np.broadcast_to(values, lr.shape)
            if momenta is not None:
                _schedule_momentum(h, momenta)
            table = self._rule.coefficients(h, steps, own.carry)
            tables.append(table | _decay(own.tensors, lr, peaks * multiplier))
        return rates, tables


def _key(tensors: Tensors) -> tuple[Any, ...]:
    return (*tensors.numbers.items(), tensors.lr_multiplier, tensors.decay, tensors.kind)


def _schedule_momentum(h: Table, momenta: NDArray[np.float64]) -> None:
    """Put the scheduled momentum in place of ``momentum`` where a run has one, else ``beta1``."""
    name = "momentum" if "momentum" in h else "beta1"
    if name not in h:
        return
    moved = ~np.isnan(momenta)
    if name == "momentum":
        moved &= h[name][0] != 0.0  # plain SGD stays plain
    h[name] = np.where(moved, momenta, h[name])


def _decay(
    tensors: Sequence[Tensors], lr: NDArray[np.float64], peaks: NDArray[np.float64]
) -> Table:
    """Return the factors of the decay; those that would change nothing are left out."""
    decay = np.array([t.decay for t in tensors])
    kinds = np.array([t.kind for t in tensors])
    table: Table = {}
    if (kinds == "coupled").any():
        table[COUPLED] = np.broadcast_to(np.where(kinds == "coupled", decay, 0.0), lr.shape)
    if np.isin(kinds, ("decoupled", "independent")).any():
        factor = np.where(kinds == "independent", lr / np.where(peaks > 0, peaks, 1.0), lr)
        shrinks = np.isin(kinds, ("decoupled", "independent"))
        table[SHRINK] = np.where(shrinks, 1 - factor * decay, 1.0)
    return table


def evaluated(
    rule: Rule,
    tables: Tables,
    params: list[Tensor],
    states: Sequence[State],
) -> list[Tensor]:
    """Return the stacked weights that are evaluated; see `Rule.evaluated`."""
    if not rule.averages:
        return params
    triples = zip(params, states, tables.carried(), strict=True)
    return [rule.evaluated(w, state, carry) for w, state, carry in triples]
