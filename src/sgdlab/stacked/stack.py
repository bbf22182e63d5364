"""Weights and optimizer states of many runs, and one update of them all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from sgdlab.results import StepRecord
from sgdlab.stacked.averages import StackedAverage
from sgdlab.stacked.batches import Micro
from sgdlab.stacked.compiled.compiler import Compiler
from sgdlab.stacked.compiled.graph import Between, Form, split
from sgdlab.stacked.group import Group
from sgdlab.stacked.rules.base import Coefficients, State
from sgdlab.stacked.run import StackedRun
from sgdlab.stacked.tables import StepBlock, Tables, evaluated
from sgdlab.stacked.update import advance_with, first_states
from sgdlab.steps.batches import stream_seed

_T = TypeVar("_T")


class Stack:
    """Runs of one architecture that train together.

    Its rows are the runs, in their order. A single one is followed by a copy of itself, since
    libraries take other routines for a batch of one; where compiled code trains them, copies of the
    first follow up to the rows that it is made for.

    Args:
        group: What the runs have in common.
        runs: The runs, at least one.
        states: The state dicts of the runs' models.
        compiler: Compiles the steps; None: nothing does.
    """

    def __init__(
        self,
        group: Group,
        runs: Sequence[StackedRun],
        states: Sequence[Mapping[str, Tensor]],
        compiler: Compiler | None = None,
    ) -> None:
        self.model = model = group.stacked.fresh()
        self.loss, self.rule = group.loss, group.rule
        self.device = device = group.data.train.x.device
        self._group, self._compiler = group, compiler
        self.runs = list(runs)
        self.params = model.load(self._padded(states), device)
        self.slots: list[State] | None = None
        length = group.total_steps, group.plan.steps_per_epoch
        self.average = StackedAverage(group.average, *length) if group.average else None
        drawing = self.runs if model.draws else []
        self.generators = [_generator(run.config.seed, device) for run in drawing]
        self._arrange()

    @property
    def rows(self) -> list[StackedRun]:
        """The runs, and the copies that follow them."""
        return self._padded(self.runs)

    def _padded(self, own: Sequence[_T]) -> list[_T]:
        width = max(2, len(own)) if self._compiler is None else self._compiler.plan.width
        return [*own, *[own[0]] * (width - len(own))]

    def _arrange(self) -> None:
        rows = self.rows
        self.tables = Tables(self._group, rows, self.params)
        if self.model.draws:
            own = self.generators
            self.model.set_generators([*own, _generator(0, self.device)] if len(own) == 1 else own)
        limits = [run.config.clip_norm for run in rows]
        self.clip: Tensor | None = None
        if any(limit is not None for limit in limits):
            values = [torch.inf if limit is None else limit for limit in limits]
            self.clip = torch.tensor(values, dtype=self.params[0].dtype, device=self.device)
        self._advance = advance_with(self.model, self.loss, self.rule, self.tables.class_of)

    def begin(self, first: list[Coefficients]) -> None:
        """Make the optimizer states before the first step, of which these are the coefficients."""
        class_of = self.tables.class_of
        self.slots = first_states(self.rule, self.model, class_of, self.params, first)

    def step(self, micros: list[Micro], coefficients: list[Coefficients]) -> list[Tensor | None]:
        """Make one update; return losses, gradient norms and clipping factors, each ``[R]``.

        None stands for factors that are all 1.
        """
        assert self.slots is not None
        self.params, self.slots, *values = self._advance(
            self.params, self.slots, micros, self.clip, coefficients
        )
        return values

    def steps(
        self, sizes: tuple[tuple[int, ...], ...], order: Tensor, block: StepBlock, first: int
    ) -> Sequence[Tensor] | None:
        """Make some steps in compiled code.

        Args:
            sizes: The sizes of the micro-batches of each step.
            order: The examples of the steps, ``[R, n]``, or ``[1, n]`` where all runs share them.
            block: The coefficients.
            first: The first of the steps in the block.

        Returns:
            Losses, gradient norms and, where runs clip, factors, each ``[steps, R]``. None: there
            is no such code, or the process is to stop.
        """
        assert self._compiler is not None
        form = self._form(sizes, block)
        values = [own[:, first : first + len(sizes)].contiguous() for own in block.values]
        made = self._compiler.steps(form, self._arguments(order, values))
        if made is None:
            return None
        after, measured = split(form, made)
        self.params, self.slots = after.params, after.slots
        self.model.set_statistics(after.statistics)
        return measured

    def prepare(self) -> None:
        """Have all graphs made that an epoch takes."""
        assert self._compiler is not None
        chunks, block = self._compiler.plan.chunks, self.tables.later()
        for sizes in {chunks.at(first) for first in range(0, chunks.steps, chunks.length)}:
            assert sizes is not None
            form = self._form(sizes, block)
            values = [own.expand(-1, len(sizes), -1).contiguous() for own in block.values]
            order = torch.zeros(1, form.examples, dtype=torch.int64, device=self.device)
            self._compiler.prepare(form, self._arguments(order, values))

    def _form(self, sizes: tuple[tuple[int, ...], ...], block: StepBlock) -> Form:
        assert self.slots is not None
        counts = tuple(map(len, self.slots)), len(self.model.statistics())
        class_of, clips = tuple(self.tables.class_of), self.clip is not None
        return Form(sizes, *counts, class_of, block.names, block.ndims, clips)

    def _arguments(self, order: Tensor, values: Sequence[Tensor]) -> list[Tensor]:
        assert self.slots is not None
        now = Between(self.params, self.slots, list(self.model.statistics().values()))
        x, y = self._group.data.train
        order = order.expand(len(self.params[0]), -1).contiguous()
        clip = [] if self.clip is None else [self.clip]
        return [*now.flat(), x, y, order, *clip, *values]

    def evaluated(self) -> list[Tensor]:
        """Return the weights that are evaluated, which an optimizer may have beside the trained."""
        if self.slots is None:
            return self.params
        return evaluated(self.rule, self.tables, self.params, self.slots)

    def found(self, row: int) -> Mapping[str, Any]:
        """Return what the optimizer of a run found out by itself; see `Rule.found`."""
        step = self.runs[row].progress.step
        return {} if self.slots is None else self.rule.found(self.slots, row, step)

    def keep(self, indices: Sequence[int]) -> None:
        """Go on with some of the runs only.

        Args:
            indices: The rows that stay, in order, at least one.
        """
        if len(indices) == len(self.runs):
            return
        rows = self._padded(indices)
        chosen = torch.tensor(rows, device=self.device)
        self.params = [p.index_select(0, chosen) for p in self.params]
        if self.slots is not None:
            self.slots = [tuple(s.index_select(0, chosen) for s in own) for own in self.slots]
        if self.average is not None:
            self.average.keep(chosen)
        self.model.select(chosen)
        self.runs = [self.runs[i] for i in indices]
        self.generators = [self.generators[i] for i in indices] if self.generators else []
        before = self.tables
        self._arrange()
        self.tables.go_on_from(before, rows)

    def states(self) -> Callable[[int], dict[str, object]]:
        """Return what gives the content of the checkpoint of a run, by its row."""
        params = self.model.unpack(self.params)  # once for all: it copies the whole stack
        by_slot = zip(self.rule.slots, zip(*(self.slots or []), strict=True), strict=False)
        unpack = list[Tensor] if self.rule.by_shape else self.model.unpack
        slots = {name: unpack(values) for name, values in by_slot}
        average = self.average
        averaged = self.model.unpack(average.params) if average and average.params else []

        def state_of(row: int) -> dict[str, object]:
            own = {
                parameter: {name: values[index][row].clone() for name, values in slots.items()}
                for index, parameter in enumerate(self.model.names)
            }
            return {
                "model": self.model.state_dict(params, row),
                "slots": own,
                "average": average and average.state(self.model.names, averaged, row),
                "rng": self.generators[row].get_state() if self.generators else None,
            }

        return state_of

    def restore(self, states: Sequence[Mapping[str, Any]], done: int) -> None:
        """Take the optimizer states of all runs from their checkpoints."""
        padded = self._padded(states)
        slots: list[list[Tensor]] = []
        for name in self.rule.slots:
            stacked = self._stacked([s["slots"] for s in padded], name)
            slots.append(stacked if self.rule.by_shape else self.model.pack(stacked))
        self.slots = [tuple(own) for own in zip(*slots, strict=True)] or [() for _ in self.params]
        for generator, state in zip(self.generators, states, strict=False):
            generator.set_state(state["rng"])  # type: ignore[arg-type]
        if self.average is not None:
            averages = [state["average"] for state in padded]
            own = [{name: {"": value} for name, value in a["params"].items()} for a in averages]
            count = int(averages[0]["count"])
            params = self.model.pack(self._stacked(own, "")) if count else None
            self.average.restore(count, params)
        self.tables.catch_up(done)

    def _stacked(self, states: Sequence[Mapping[str, Any]], name: str) -> list[Tensor]:
        """Return what the runs have under a name of each parameter, stacked."""
        return [
            torch.stack([state[parameter][name] for state in states]).to(self.device)
            for parameter in self.model.names
        ]


def _generator(seed: int, device: torch.device) -> Generator:
    return Generator(device).manual_seed(stream_seed(seed, "other"))


def read_back(made: Sequence[StepRecord]) -> StepRecord:
    """Return the records of a block of steps as one, its values read back as ``[steps, R]``."""
    columns = StepRecord(*zip(*made, strict=True))
    losses, factors = _array(columns.loss), columns.clip_coef
    return columns._replace(
        lr=np.stack(columns.lr),
        loss=losses,
        grad_norm=_array(columns.grad_norm),
        clip_coef=np.ones_like(losses) if factors[0] is None else _array(factors),
    )


def _array(values: Sequence[Tensor]) -> NDArray[np.float64]:
    return torch.stack(list(values)).double().cpu().numpy()
