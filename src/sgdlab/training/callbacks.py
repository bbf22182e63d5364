"""What a user's own code does after steps and evaluations, and at the end of a run."""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from sgdlab.config.instantiate import call
from sgdlab.errors import InputError, reason_of, text_of
from sgdlab.results import EVAL_COLUMNS, STEP_COLUMNS, STOPPED_BY_CALLBACK, Cell
from sgdlab.steps.streams import draw_state, put_back
from sgdlab.training.state import Outcome, TrainState

if TYPE_CHECKING:
    from sgdlab.training.build import Run

_HOOKS = ("on_step", "on_evaluation", "on_end")
_COLUMN = re.compile(r"[A-Za-z_]\w*(\.\w+)*", re.ASCII)


class CallbackError(RuntimeError):
    """A callback failed, or returned what it did not say that it would; the run ends as failed."""


class RunView:
    """A run as a callback sees it, at the step or evaluation that it is called for.

    Attributes:
        step: The updates made so far.
        epoch: The epoch, counted from 1; 0 before the first step.
        examples: The examples seen so far.
        total_steps: The updates from start to end.
        loss: The mean loss over the batch of the last step, at the parameters before it; NaN before
            the first step, as are the next three.
        lr: The learning rate of the last step.
        grad_norm: The global L2 norm of its gradient before clipping.
        clip_coef: The factor that clipping applied to it.
        train_loss: The loss over the training split at the last evaluation; None before the first,
            as are the next two.
        val_loss: The loss over the validation split.
        val_metric: The metric over the validation split.
        metric: The name of the metric.
        status: How the run ended; None before its end.
        reason: Why, where there is one.
    """

    def __init__(self, run: "Run", at: TrainState) -> None:
        self._run = run
        self.step, self.epoch, self.examples = at.step, at.epoch, at.examples
        self.total_steps, self.metric = run.total_steps, run.metric.name
        self.loss = self.lr = self.grad_norm = self.clip_coef = math.nan
        self.train_loss, self.val_loss, self.val_metric = at.train_loss, at.val_loss, at.val_metric
        self.status: str | None = None
        self.reason: str | None = None
        self._wanted: str | None = None

    @property
    def model(self) -> nn.Module:
        """The model, with the weights of this step."""
        self._run.update.sync_weights()
        return self._run.model

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer."""
        return self._run.optimizer

    def stop(self, reason: str) -> None:
        """End the run with this step, as ``stopped``, with its result.

        Args:
            reason: Why, in a few words: the ``reason`` of the summary has them.
        """
        self._wanted = reason


class Callbacks:
    """The callbacks of a run, in the order of the config.

    A callback is an object with one or more of ``on_step(run)``, ``on_evaluation(run)`` and
    ``on_end(run)``, whose ``run`` is a `RunView`. The first two return None, or numbers for the
    columns that its attributes ``step_columns`` and ``evaluation_columns`` name. They are called
    without gradients, and what they draw at random changes nothing of the run.

    Args:
        section: The key ``callbacks``: names, each with a ``_target_`` and its settings.
        taken: Columns that diagnostics or the metric have.

    Raises:
        InputError: One cannot be made, has none of the three methods, or a column of a name that is
            taken or is none.
    """

    def __init__(self, section: Mapping[str, Any] | None = None, taken: Sequence[str] = ()) -> None:
        self._own = {n: call(part, f"callbacks.{n}") for n, part in (section or {}).items()}
        for name, own in self._own.items():
            if not any(callable(getattr(own, hook, None)) for hook in _HOOKS):
                raise InputError(f"callbacks.{name}: has none of {', '.join(_HOOKS)}")
        self._of_steps = self._declared("step_columns", (*STEP_COLUMNS, *taken))
        self._of_evaluations = self._declared("evaluation_columns", (*EVAL_COLUMNS, *taken))
        self.why: str | None = None
        """Why the run is to end; None while it is not."""
        self.seconds = 0.0
        """The time that callbacks have taken, which is none of training."""
        self._view: RunView | None = None

    @property
    def step_columns(self) -> tuple[str, ...]:
        """What they add to the columns of ``steps.csv``."""
        return tuple(self._of_steps)

    @property
    def evaluation_columns(self) -> tuple[str, ...]:
        """What they add to the columns of ``evals.csv``."""
        return tuple(self._of_evaluations)

    @property
    def see_steps(self) -> bool:
        """Whether one of them is called after every step."""
        return any(hasattr(own, "on_step") for own in self._own.values())

    def begin(self, run: "Run", at: TrainState) -> None:
        """See a run from now on."""
        self._view = RunView(run, at) if self._own else None

    def step(self, at: Sequence[Any]) -> list[Cell]:
        """Call ``on_step`` of all; return the cells of `step_columns`.

        Args:
            at: The cells of the step, those of `sgdlab.results.StepRecord`, as numbers.

        Raises:
            CallbackError: One failed.
        """
        if (view := self._view) is None:
            return []
        view.step, view.epoch, view.examples, view.lr, view.loss, view.grad_norm, _ = at
        view.clip_coef = at[6]
        return self._cells("on_step", self._of_steps)

    def evaluation(self, at: TrainState) -> list[Cell]:
        """Call ``on_evaluation`` of all; return the cells of `evaluation_columns`.

        Raises:
            CallbackError: One failed.
        """
        if (view := self._view) is None:
            return []
        view.step, view.epoch, view.examples = at.step, at.epoch, at.examples
        view.train_loss, view.val_loss, view.val_metric = at.train_loss, at.val_loss, at.val_metric
        return self._cells("on_evaluation", self._of_evaluations)

    def end(self, outcome: Outcome) -> None:
        """Call ``on_end`` of all: the run has ended as completed, stopped or diverged.

        Raises:
            CallbackError: One failed.
        """
        if (view := self._view) is not None:
            view.status, view.reason = outcome.status, outcome.reason
            self._cells("on_end", {})

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: the state of those that have a ``state_dict``."""
        having = {n: own for n, own in self._own.items() if hasattr(own, "state_dict")}
        return {name: own.state_dict() for name, own in having.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, own in state.items():
            if hasattr(self._own.get(name), "load_state_dict"):
                self._own[name].load_state_dict(own)

    def _declared(self, attribute: str, taken: Sequence[str]) -> dict[str, str]:
        """Return the columns that callbacks say they add, and whose each is."""
        found: dict[str, str] = {}
        for name, own in self._own.items():
            for column in getattr(own, attribute, ()):
                if not isinstance(column, str) or not _COLUMN.fullmatch(column):
                    raise InputError(f"callbacks.{name}.{attribute}: {column!r} names no column")
                if column in taken or column in found:
                    raise InputError(f"callbacks.{name}: the column {column} is there already")
                found[column] = name
        return found

    def _cells(self, hook: str, columns: Mapping[str, str]) -> list[Cell]:
        values: dict[str, float] = {}
        for name, own in self._own.items():
            if (method := getattr(own, hook, None)) is not None:
                mine = [column for column, owner in columns.items() if owner == name]
                values |= self._called(f"callbacks.{name}", hook, method, mine)
        found = (values.get(column, math.nan) for column in columns)
        return [None if value != value else value for value in found]

    def _called(
        self, where: str, hook: str, method: Callable[[RunView], Any], mine: Sequence[str]
    ) -> dict[str, float]:
        view = self._view
        assert view is not None
        model, start, drawn = view._run.model, time.perf_counter(), draw_state()
        training = model.training
        try:
            with torch.no_grad():
                found = method(view)
        except Exception as error:
            raise CallbackError(f"{where}.{hook}: {reason_of(error)}") from error
        finally:
            put_back(drawn)
            if model.training != training:
                model.train(training)
            self.seconds += time.perf_counter() - start
        if view._wanted is not None:
            self.why = self.why or f"{STOPPED_BY_CALLBACK}{where.partition('.')[2]}: {view._wanted}"
            view._wanted = None
        if found is None:
            return {}
        if not isinstance(found, Mapping) or (odd := [key for key in found if key not in mine]):
            what = f"{odd[0]!r}" if isinstance(found, Mapping) else type(found).__name__
            raise CallbackError(
                f"{where}.{hook}: returned {what}; must be None, or a mapping of its columns "
                f"({', '.join(mine) or 'it says none'}) to numbers"
            )
        try:
            return {key: float(value) for key, value in found.items()}
        except (TypeError, ValueError) as error:
            raise CallbackError(f"{where}.{hook}: {text_of(error)}") from error
