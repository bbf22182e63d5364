"""Weights and optimizer states of many runs, and one update of them all."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from sgdlab.results import StepRecord
from sgdlab.stacked.batches import Micro
from sgdlab.stacked.group import Group
from sgdlab.stacked.losses import StackedLoss
from sgdlab.stacked.model import StackedModel
from sgdlab.stacked.rules.base import Coefficients, Rule, State
from sgdlab.stacked.run import StackedRun
from sgdlab.stacked.tables import COUPLED, SHRINK, Tables
from sgdlab.steps.batches import stream_seed

Advance = Callable[
    [list[Tensor], list[State], list[Micro], Tensor | None, list[Coefficients]],
    tuple[list[Tensor], list[State], Tensor, Tensor, Tensor | None],
]


def norm_of_run(x: Tensor) -> Tensor:
    """Return the L2 norm over each run's tensor, ``[R, 1, …]``."""
    return torch.linalg.vector_norm(x.flatten(1), dim=1).view(-1, *[1] * (x.ndim - 1))


def advance_with(
    model: StackedModel, loss: StackedLoss, rule: Rule, class_of: list[int]
) -> Advance:
    """Return the function that makes one update of all runs.

    It takes parameters, states, micro-batches, the largest norms ``[R]`` (None: no run clips) and
    the coefficients by class; it returns new parameters and states, and the losses, gradient norms
    before clipping and clipping factors of the runs, each ``[R]``. ``g <- Σ_i (n_i / n)·g_i`` over
    micro-batches, ``g <- min(1, c / (|g| + 1e-6))·g``, then decay and the rule.
    """

    def advance(
        params: list[Tensor],
        states: list[State],
        micros: list[Micro],
        clip: Tensor | None,
        coefficients: list[Coefficients],
    ) -> tuple[list[Tensor], list[State], Tensor, Tensor, Tensor | None]:
        losses: list[Tensor] = []
        gradients: list[Tensor] = []
        for x, y, weight in micros:
            value, found = model.gradient(params, x, loss.target(y), loss, weight)
            losses.append(value if len(micros) == 1 else value * weight)
            if gradients:
                for total, g in zip(gradients, found, strict=True):
                    total.add_(g)
            else:
                gradients = found
        value = losses[0] if len(losses) == 1 else torch.stack(losses).sum(0)
        norms = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]
        norm = torch.linalg.vector_norm(torch.stack(norms, 1), dim=1)
        factor = None
        if clip is not None:
            factor = (clip / (norm + 1e-6)).clamp(max=1.0)
            for g in gradients:
                g.mul_(factor.view(-1, *[1] * (g.ndim - 1)))
        new_params: list[Tensor] = []
        new_states: list[State] = []
        for w, g, state, index in zip(params, gradients, states, class_of, strict=True):
            c = coefficients[index]
            if SHRINK in c:
                w = w * c[SHRINK]
            if COUPLED in c:
                g = torch.addcmul(g, w, c[COUPLED])
            w, state = rule.update(w, g, state, c, norm_of_run)
            new_params.append(w)
            new_states.append(state)
        return new_params, new_states, value, norm, factor

    return advance


class Stack:
    """Runs of one architecture that train together.

    Its rows are the runs, in their order; a single one is followed by a copy of itself, since
    libraries take other routines for a batch of one.

    Args:
        group: What the runs have in common.
        runs: The runs, at least one.
        states: The state dicts of the runs' models.
        compiler: Makes an update faster, given its classes of coefficients, too.
    """

    def __init__(
        self,
        group: Group,
        runs: Sequence[StackedRun],
        states: Sequence[Mapping[str, Tensor]],
        compiler: Callable[[Advance, list[int]], Advance] | None = None,
    ) -> None:
        # Layers hold running statistics; compiled ones have none, and share their code.
        self.model = model = StackedModel(group.model) if compiler is None else group.stacked
        self.loss, self.rule = group.loss, group.rule
        self.device = device = group.data.train.x.device
        self._group, self._compiler = group, compiler
        self.runs = list(runs)
        padded = [*states, *states] if len(states) == 1 else states
        self.params = model.load(padded, device)
        self.slots: list[State] | None = None
        drawing = self.runs if model.draws else []
        self.generators = [_generator(run.config.seed, device) for run in drawing]
        self._arrange()

    @property
    def rows(self) -> list[StackedRun]:
        """The runs, padded to two."""
        return self.runs * 2 if len(self.runs) == 1 else self.runs

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
        class_of = self.tables.class_of
        self._advance = advance_with(self.model, self.loss, self.rule, class_of)
        if self._compiler is not None:
            self._advance = self._compiler(self._advance, class_of)

    def begin(self, first: list[Coefficients]) -> None:
        """Make the optimizer states before the first step, of which these are the coefficients."""
        self.slots = [
            self.rule.init(w, first[index])
            for w, index in zip(self.params, self.tables.class_of, strict=True)
        ]

    def step(self, micros: list[Micro], coefficients: list[Coefficients]) -> list[Tensor | None]:
        """Make one update; return losses, gradient norms and clipping factors, each ``[R]``.

        None stands for factors that are all 1.
        """
        assert self.slots is not None
        self.params, self.slots, *values = self._advance(
            self.params, self.slots, micros, self.clip, coefficients
        )
        return values

    def keep(self, indices: Sequence[int]) -> None:
        """Go on with some of the runs only.

        Args:
            indices: The rows that stay, in order, at least one.
        """
        if len(indices) == len(self.runs):
            return
        rows = list(indices) * 2 if len(indices) == 1 else list(indices)
        chosen = torch.tensor(rows, device=self.device)
        self.params = [p.index_select(0, chosen) for p in self.params]
        if self.slots is not None:
            self.slots = [tuple(s.index_select(0, chosen) for s in own) for own in self.slots]
        self.model.select(chosen)
        self.runs = [self.runs[i] for i in indices]
        self.generators = [self.generators[i] for i in indices] if self.generators else []
        before = self.tables
        self._arrange()
        self.tables.go_on_from(before, rows)

    def states(self) -> Callable[[int], dict[str, object]]:
        """Return what gives the content of the checkpoint of a run, by its row."""
        params = self.model.unpack(self.params)  # once for all: it copies the whole stack
        slots = {
            name: self.model.unpack([own[position] for own in self.slots or []])
            for position, name in enumerate(self.rule.slots)
        }

        def state_of(row: int) -> dict[str, object]:
            own = {
                parameter: {name: values[index][row].clone() for name, values in slots.items()}
                for index, parameter in enumerate(self.model.names)
            }
            return {
                "model": self.model.state_dict(params, row),
                "slots": own,
                "rng": self.generators[row].get_state() if self.generators else None,
            }

        return state_of

    def restore(self, states: Sequence[Mapping[str, object]], done: int) -> None:
        """Take the optimizer states of all runs from their checkpoints."""
        padded = [*states, *states] if len(states) == 1 else list(states)
        slots: list[list[Tensor]] = []
        for name in self.rule.slots:
            stacked = [
                torch.stack([s["slots"][parameter][name] for s in padded]).to(self.device)  # type: ignore[index]
                for parameter in self.model.names
            ]
            slots.append(self.model.pack(stacked))
        self.slots = [tuple(own) for own in zip(*slots, strict=True)] or [() for _ in self.params]
        for generator, state in zip(self.generators, states, strict=False):
            generator.set_state(state["rng"])  # type: ignore[arg-type]
        self.tables.catch_up(done)


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
