"""Real steps made by hand, and measurements that are watched for traces they leave."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Quantity, Subject, flat
from sgdlab.steps.base import MicroBatches
from sgdlab.steps.closure import undisturbed
from sgdlab.training.build import Run
from trainer_runs import built


def subject_of(run: Run) -> Subject:
    return dataclasses.replace(run.diagnostics.subject, shared={})


class Steps:
    """Makes the steps of a run one by one; ``subject`` is what quantities begin with."""

    def __init__(self, *overrides: str) -> None:
        torch.manual_seed(0)  # of dropout
        self.run = built(*overrides)
        self.run.model.train()
        self.subject = subject_of(self.run)
        self.made = 0
        self._updates = self._epochs()
        self._previous: Tensor | None = None

    def _epochs(self) -> Iterator[MicroBatches]:
        train, plan = self.run.data.train, self.run.plan
        for epoch in range(10**6):
            yield from plan.epoch(train, self.run.config.seed, epoch)

    def _gradients(self, update: MicroBatches) -> list[Tensor]:
        """Return the gradient of an update at the present parameters, before clipping."""
        objective = self.run.objective
        with undisturbed(objective.model), torch.enable_grad():
            objective.backward(update)
        found = [
            torch.zeros_like(p) if p.grad is None else p.grad.clone()
            for p in self.subject.parameters
        ]
        objective.zero_grad()
        return found

    def take(self, *quantities: Quantity) -> Moment:
        """Make the next step; the model is at the parameters after it.

        Args:
            quantities: To be told of the step before.
        """
        run, update = self.run, next(self._updates)
        where = (self.made, run.total_steps, run.plan.steps_per_epoch)
        momentum = run.schedule.momentum(*where)
        start = flat(self.subject.parameters)
        gradient = flat(self._gradients(update))
        for quantity in quantities:
            quantity.before(self.subject)
        random_state = torch.get_rng_state()
        lr = run.lr * run.schedule(*where)
        values = run.update.step(self.made, update, lr, momentum)
        self.made += 1
        previous, self._previous = self._previous, gradient
        return Moment(
            step=self.made,
            lr=lr if values.lr is None else values.lr,
            update=update,
            loss=values.loss,
            clip_coef=values.clip_coef,
            gradient=gradient,
            start=start,
            end=flat(self.subject.parameters),
            previous=previous,
            shapes=[p.shape for p in self.subject.parameters],
            random_state=random_state,
        )

    def uneven(self, *quantities: Quantity) -> Moment:
        """Make steps up to the last of an epoch, which has fewer examples; return its moment."""
        return [self.take(*quantities) for _ in range(self.run.plan.steps_per_epoch)][-1]

    def measure(self, quantity: Quantity, moment: Moment) -> Tensor:
        """Measure, and assert that nothing of the run was changed."""
        old, hooks = self._traces(), self._hooks()
        with torch.no_grad():
            found = quantity.measure(self.subject, moment)
        values = torch.as_tensor(found, dtype=torch.float64)
        assert values.dim() == 1
        assert self._hooks() <= hooks
        for name, now in self._traces().items():
            assert _same(old[name], now), f"{name} was changed"
        return values

    def _hooks(self) -> int:
        modules = self.run.model.modules()
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)

    def _traces(self) -> dict[str, Any]:
        model = self.run.model
        return {
            "parameters": [p.detach().clone() for p in model.parameters()],
            "places": [p.data_ptr() for p in model.parameters()],
            "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
            "buffers": [b.clone() for b in model.buffers()],
            "modes": [m.training for m in model.modules()],
            "random state": torch.get_rng_state(),
            "grad mode": torch.is_grad_enabled(),
        }


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.equal(a, b)
    return a is b or (not isinstance(a, Tensor) and a == b)


def begun(quantity: Quantity, *overrides: str) -> tuple[Steps, tuple[str, ...]]:
    """Return the steps of a run, and the columns of a quantity that has begun with them."""
    steps = Steps(*overrides)
    return steps, quantity.begin(steps.subject)


def named(columns: tuple[str, ...], values: Tensor) -> dict[str, float]:
    return dict(zip(columns, values.tolist(), strict=True))
