"""What changes from step to step, for a block of steps of many runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sgdlab.stacked.rules.base import Carry, Coefficients, Rule
from sgdlab.stacked.run import StackedRun, Tensors

SHRINK, COUPLED = "engine.shrink", "engine.coupled"
"""Coefficients of the decay that the engine applies: a factor on ``w``; one on ``w`` in ``g``."""


@dataclass
class _Class:
    """Parameters that every run treats alike, and that have one shape of coefficients."""

    ndim: int
    tensors: list[Tensors]  # of the runs
    carry: Carry = field(default_factory=dict)


@dataclass
class Tables:
    """Learning rates and coefficients of a stack.

    Args:
        rule: Of all runs.
        members: The runs, the one that pads a stack included.
        ndims: Of the parameters of one run.
        total_steps: Of a run.
        steps_per_epoch: Updates of an epoch.
        device: Where coefficients go.
        dtype: Of the parameters.
    """

    rule: Rule
    members: Sequence[StackedRun]
    ndims: Sequence[int]
    total_steps: int
    steps_per_epoch: int
    device: torch.device
    dtype: torch.dtype

    def __post_init__(self) -> None:
        keys: dict[Any, int] = {}
        self.class_of: list[int] = []
        """For each parameter, the index of its class."""
        self._classes: list[_Class] = []
        for index, ndim in enumerate(self.ndims):
            tensors = [member.tensors[index] for member in self.members]
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

    def rates(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the scheduled learning rates ``[steps, runs]`` of steps counted from 0."""
        where = range(start, stop)
        factors: dict[int, list[float]] = {}
        for member in self.members:
            schedule = member.schedule
            if id(schedule) not in factors:
                factors[id(schedule)] = [
                    schedule(t, self.total_steps, self.steps_per_epoch) for t in where
                ]
        columns = [np.array(factors[id(m.schedule)]) * m.lr for m in self.members]
        return np.stack(columns, axis=1)

    def momenta(self, start: int, stop: int) -> NDArray[np.float64] | None:
        """Return the scheduled momenta ``[steps, runs]``, NaN where a run's own counts."""
        found: dict[int, list[float]] = {}
        for member in self.members:
            schedule = member.schedule
            if id(schedule) in found:
                continue
            values = [
                schedule.momentum(t, self.total_steps, self.steps_per_epoch)
                for t in range(start, stop)
            ]
            found[id(schedule)] = [np.nan if v is None else v for v in values]
        table = np.stack([np.array(found[id(m.schedule)]) for m in self.members], axis=1)
        return None if np.isnan(table).all() else table

    def catch_up(self, done: int) -> None:
        """Bring what coefficients carry from step to step to where a checkpoint left off."""
        for start in range(0, done, 4096):
            self._tables(start, min(start + 4096, done))

    def block(self, start: int, stop: int) -> tuple[NDArray[np.float64], list[list[Coefficients]]]:
        """Return the learning rates ``[steps, runs]`` of a block, and coefficients.

        These are a mapping for each step and class of parameters.

        Args:
            start: First step, counted from 0; blocks are asked for in their order.
            stop: Step after the last.
        """
        rates, tables = self._tables(start, stop)
        by_class = [
            self._views(own.ndim, table) for own, table in zip(self._classes, tables, strict=True)
        ]
        return rates, [[views[k] for views in by_class] for k in range(stop - start)]

    def _tables(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.float64], list[dict[str, NDArray[np.float64]]]]:
        """Return the learning rates, and the coefficients of each class, all ``[steps, runs]``."""
        rates, momenta = self.rates(start, stop), self.momenta(start, stop)
        peaks = np.array([member.lr for member in self.members])
        steps = np.arange(start + 1, stop + 1)
        tables: list[dict[str, NDArray[np.float64]]] = []
        for own in self._classes:
            multiplier = np.array([t.lr_multiplier for t in own.tensors])
            lr = rates * multiplier
            h = {"lr": lr, "ndim": np.full(lr.shape, float(own.ndim))}
            for name in own.tensors[0].numbers:
                values = np.array([t.numbers[name] for t in own.tensors])
                h[name] = np.broadcast_to(values, lr.shape)
            if momenta is not None:
                _schedule_momentum(h, momenta)
            table = self.rule.coefficients(h, steps, own.carry)
            tables.append(table | _decay(own.tensors, lr, peaks * multiplier))
        return rates, tables

    def _views(self, ndim: int, table: dict[str, NDArray[np.float64]]) -> list[Coefficients]:
        """Return the coefficients of each step as tensors that broadcast over parameters."""
        names = list(table)
        steps, runs = table[names[0]].shape
        tensor = torch.from_numpy(np.stack(list(table.values()))).to(self.device, self.dtype)
        # One call for all views: a slice for each costs as much as an operation of the step.
        views = tensor.reshape(len(names) * steps, runs, *[1] * ndim).unbind(0)
        return [{name: views[i * steps + k] for i, name in enumerate(names)} for k in range(steps)]


def _key(tensors: Tensors) -> tuple[Any, ...]:
    return (*tensors.numbers.items(), tensors.lr_multiplier, tensors.decay, tensors.kind)


def _schedule_momentum(h: dict[str, NDArray[np.float64]], momenta: NDArray[np.float64]) -> None:
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
) -> dict[str, NDArray[np.float64]]:
    """Return the factors of the decay; those that would change nothing are left out."""
    decay = np.array([t.decay for t in tensors])
    kinds = np.array([t.kind for t in tensors])
    table: dict[str, NDArray[np.float64]] = {}
    if (kinds == "coupled").any():
        table[COUPLED] = np.broadcast_to(np.where(kinds == "coupled", decay, 0.0), lr.shape)
    if np.isin(kinds, ("decoupled", "independent")).any():
        factor = np.where(kinds == "independent", lr / np.where(peaks > 0, peaks, 1.0), lr)
        shrinks = np.isin(kinds, ("decoupled", "independent"))
        table[SHRINK] = np.where(shrinks, 1 - factor * decay, 1.0)
    return table
