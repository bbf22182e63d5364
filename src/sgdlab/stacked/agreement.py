"""One run in both engines, step by step, and where they first differ."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from sgdlab.datasets.base import Split
from sgdlab.errors import one_line
from sgdlab.models.outputs import outputs_of
from sgdlab.stacked.batches import Micro, StackedBatches
from sgdlab.stacked.changing import kept
from sgdlab.stacked.evaluate import evaluate
from sgdlab.stacked.form import ModelForm
from sgdlab.stacked.group import Group
from sgdlab.stacked.nudge import ROWS, differs, nudged, outside, terms, unit
from sgdlab.stacked.rules.base import State
from sgdlab.stacked.run import StackedRun
from sgdlab.stacked.tables import Tables, evaluated
from sgdlab.stacked.update import first_states, gradient_of, updated
from sgdlab.steps.base import MicroBatches, StepValues
from sgdlab.training import evaluation
from sgdlab.training.build import Run


def _other_generators() -> str:
    return repr((random.getstate(), np.random.get_state(legacy=False)))  # noqa: NPY002


@dataclass
class Agreement:
    """One run in both engines, step by step.

    After each step the stack takes over the weights of the ordinary engine, so that what rounding
    did in one does not add to the next. Its rows are the run itself and two nudged copies.

    Attributes:
        run: The run as the ordinary engine builds it.
        stacked: The same run as a stack does.
        group: The group that it stands for.
        model: The stacked model.
        weights: The initial weights of the run in a stack.
    """

    run: Run
    stacked: StackedRun
    group: Group
    model: ModelForm
    weights: Mapping[str, Tensor]
    _slots: list[State] = field(default_factory=list[State])
    _seen: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def __post_init__(self) -> None:
        split, plan = self.run.data.train, self.run.plan
        self._split = Split(self.model.inputs(split.x), split.y)
        shapes = (p.shape for p in self.run.model.parameters())
        self._size = unit(terms(shapes, plan.examples), torch.float64)
        self._generators = [torch.Generator().manual_seed(0) for _ in range(ROWS)]
        self.model.set_generators(self._generators)
        like = replace(self.group, plan=plan, total_steps=plan.steps_per_epoch)
        one = self.model.load([self.run.model.state_dict()], torch.device("cpu"))
        self._tables = Tables(like, [self.stacked] * ROWS, one)

    def difference(self) -> str | None:
        """Return the first difference found, in a few words."""
        run, plan = self.run, self.run.plan
        torch.default_generator.manual_seed(0)  # the one of CPU alone
        others = _other_generators()
        layers, weights = self.model.signature(run.model), self.weights
        loss, held = run.objective.loss.loss, kept(run.objective.loss.loss)
        if any(not torch.equal(v, weights[n].to(v)) for n, v in run.model.state_dict().items()):
            return "a run alone starts from other weights"
        run.model.train()
        if self.model.written_out and not all(part.training for part in run.model.modules()):
            return "a layer stays in evaluation while training"
        batches = StackedBatches(
            self._split.x, self._split.y, plan, [run.config.seed] * ROWS
        ).epoch(0)
        ordinary = plan.epoch(run.data.train, run.config.seed, 0)
        for step, (update, (_, micros)) in enumerate(zip(ordinary, batches, strict=True)):
            found = self._step(step, update, micros)
            if found == "":  # no step in either engine, so that there is nothing to compare
                return None
            if found is not None:
                return found
        if not torch.equal(torch.get_rng_state(), self._generators[0].get_state()):
            return "a step draws other random numbers"
        if _other_generators() != others:
            return "a step draws from Python's or NumPy's generator"
        if reason := self.model.refusal(run.model) or self._evaluation() or self._average():
            return reason
        if kept(loss) != held:
            return f"loss {type(loss).__name__} changes as it is called"
        changed = self.model.signature(run.model) != layers
        return "its layers change as it trains" if changed else None

    def _load(self, state: Mapping[str, Tensor]) -> list[Tensor]:
        rows = {name: nudged(value, self._size) for name, value in state.items()}
        states = [{name: value[row] for name, value in rows.items()} for row in range(ROWS)]
        return self.model.load(states, torch.device("cpu"))

    def _step(self, step: int, update: MicroBatches, micros: list[Micro]) -> str | None:
        """Compare one step; an empty text says that it fails in both engines."""
        before = {name: value.clone() for name, value in self.run.model.state_dict().items()}
        params = self._load(before)
        moved = [(nudged(x[0], self._size), y, share) for x, y, share in micros]
        try:
            with torch.no_grad():
                loss, gradients = gradient_of(self.model, self.group.loss, params, moved)
        except Exception as error:
            loss, gradients = one_line(error), []
        try:
            values, alone = self._ordinary_step(step, update)
        except Exception as error:
            return "" if isinstance(loss, str) else f"a step fails alone: {one_line(error)}"
        if isinstance(loss, str):
            return f"a step fails: {loss}"
        if differs(values.loss, loss, self._size):
            return "a stacked step has another loss"
        rows = dict(zip(self.model.names, self.model.unpack(gradients), strict=True))
        largest = max(float(g.abs().max()) for g in alone.values())
        for name, g in alone.items():
            if differs(g, rows[name], self._size, largest):
                return f"a stacked step has another gradient of {name}"
        return self._statistics() or self._update(step, before, alone, values)

    def _ordinary_step(
        self, step: int, update: MicroBatches
    ) -> tuple[StepValues, dict[str, Tensor]]:
        """Make a step of the ordinary engine; return its values and its gradients."""
        model, objective = self.run.model, self.run.objective
        gradients: dict[str, Tensor] = {}

        def keep() -> None:
            for name, p in model.named_parameters():
                gradients[name] = torch.zeros_like(p) if p.grad is None else p.grad.clone()

        objective.on_gradient = keep
        return self.run.update.step(step, update, self.run.lr, None), gradients

    def _statistics(self) -> str | None:
        rows = self.model.statistics()
        for name, alone in self.run.model.named_buffers():
            if differs(alone, rows[name], self._size):
                return f"a stacked step leaves another {name}"
        return None

    def _update(
        self, step: int, before: Mapping[str, Tensor], gradients: Mapping[str, Tensor],
        values: StepValues,
    ) -> str | None:  # fmt: skip
        """Compare what both make of the gradient of the ordinary engine."""
        names, clip_norm = self.model.names, self.stacked.config.clip_norm
        params = self.model.pack([torch.stack([before[name]] * ROWS) for name in names])
        moved: list[Tensor] = []
        for name, tensors in zip(names, self.stacked.tensors, strict=True):
            g, decay = gradients[name], tensors.decay or tensors.numbers.get("weight_decay", 0.0)
            seen = self._seen.get(name, torch.zeros_like(g)) + g.abs()
            self._seen[name] = seen
            trifle = self._size * (seen + decay * before[name].abs())
            moved.append(torch.stack([g, g + trifle, g - trifle]))
        (c,) = self._tables.block(step, step + 1).steps
        classes, rule = self._tables.class_of, self.group.rule
        with torch.no_grad():
            if not self._slots:
                self._slots = first_states(rule, self.model, classes, params, c)
            clip = None if clip_norm is None else params[0].new_full((ROWS,), clip_norm)
            packed = self.model.pack(moved)
            made = updated(rule, self.model, classes, params, self._slots, packed, clip, c)
            params, self._slots, norm, factor = made
        found = dict(zip(names, self.model.unpack(params), strict=True))
        if differs(values.grad_norm, norm, self._size):
            return "a stacked step has another gradient norm"
        if factor is not None and differs(torch.as_tensor(values.clip_coef), factor, self._size):
            return "a stacked step clips otherwise"
        for name, alone in self.run.model.named_parameters():
            if outside(alone.detach(), found[name], before[name], self._size):
                return f"a stacked update gives another {name}"
        return None

    def _average(self) -> str | None:
        """Compare the weights that an optimizer with an average of its own evaluates."""
        if not (self.group.rule.averages and self._slots):
            return None
        run, names = self.run, self.model.names
        trained = {name: p.detach().clone() for name, p in run.model.named_parameters()}
        packed = self.model.pack([torch.stack([trained[name]] * ROWS) for name in names])
        rows = evaluated(self.group.rule, self._tables, packed, self._slots)
        found = dict(zip(names, self.model.unpack(rows), strict=True))
        run.optimizer.eval()  # type: ignore[attr-defined]
        for name, alone in run.model.named_parameters():
            if outside(alone.detach(), found[name], trained[name], self._size):
                return f"a stacked evaluation has another {name}"
        run.optimizer.train()  # type: ignore[attr-defined]
        return None

    def _evaluation(self) -> str | None:
        run, (x, y), state = self.run, self._split, torch.get_rng_state()
        params = self._load(run.model.state_dict())
        size = max(1, 2 * len(y) // 3)  # the last part is smaller
        loss, metric, split = run.objective.loss, run.metric, run.data.train
        alone = evaluation.evaluate(run.model, loss, metric, split, size)
        with torch.no_grad():
            outputs = outputs_of(run.model.eval(), split.x)
            try:
                found = self.model.forward(params, nudged(x, self._size))
            except Exception as error:
                return f"an evaluation fails: {one_line(error)}"
        if any(part.training for part in run.model.modules()):
            return "a layer stays in training while evaluating"
        if not torch.equal(torch.get_rng_state(), state):
            return "an evaluation draws random numbers"
        if differs(outputs, found, self._size):
            return "a stacked evaluation has other outputs"
        ours = evaluate(self.model, params, self.group.loss, metric, self._split, size)
        names = "loss", metric.name
        for name, value, rows in zip(names, alone, zip(*ours, strict=True), strict=True):
            wide = torch.tensor(rows, dtype=torch.float64)
            if differs(torch.tensor(value, dtype=torch.float64), wide, self._size):
                return f"a stacked evaluation has another {name}"
        return None
