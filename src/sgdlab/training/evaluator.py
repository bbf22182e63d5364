"""Evaluation of a run's weights, and of their average, as the run goes on."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Protocol

from torch import nn

from sgdlab.averaging import Averager, has_statistics, refresh_statistics
from sgdlab.datasets.base import Split
from sgdlab.results import Cell
from sgdlab.training.build import Run
from sgdlab.training.evaluation import Evaluation, evaluate
from sgdlab.training.state import TrainState
from sgdlab.training.steplog import RowSink, StepWatcher


class Writer(RowSink, Protocol):
    """Where rows go; `sgdlab.results.RunWriter` in a real run."""

    def evaluation(self, row: tuple[Cell, ...], /) -> None: ...  # noqa: D102


class ProgressDisplay(StepWatcher, Protocol):
    """Who watches; see `sgdlab.terminal.display`."""

    def evaluated(self, metric: float) -> None: ...  # noqa: D102


class Evaluator:
    """Evaluates whole splits with the run's weights and, where there is one, their average.

    Args:
        run: What is trained.
        writer: Receives a row per split.
        view: Told of the validation metric.
        average: Of the iterates.
    """

    def __init__(
        self, run: Run, writer: Writer, view: ProgressDisplay, average: Averager | None
    ) -> None:
        self._run = run
        self._writer = writer
        self._view = view
        self._average = average
        train = run.data.train
        self._batches = train.x.split(run.plan.batch_size)

    def all_but_test(self, at: TrainState) -> float:
        """Evaluate the training and validation splits; return the training loss."""
        run = self._run
        with self._weights() as model:
            train = self._split(model, at, "raw", "train", run.data.train)
            val = self._split(model, at, "raw", "val", run.data.val)
        at.record(train, val, run.data.metric_direction)
        if (averaged := self._averaged()) is not None:
            found = self._split(averaged, at, "average", "train", run.data.train)
            at.average_train_loss = found.loss
            found = self._split(averaged, at, "average", "val", run.data.val)
            at.average_val_loss, at.average_val_metric = found
        self._view.evaluated(val.metric)
        return train.loss

    def test(self, at: TrainState) -> tuple[Evaluation, Evaluation | None]:
        """Evaluate the test split with the raw weights and with the average."""
        split = self._run.data.test
        with self._weights() as model:
            raw = self._split(model, at, "raw", "test", split)
        averaged = self._averaged()
        if averaged is None:
            return raw, None
        return raw, self._split(averaged, at, "average", "test", split)

    @contextlib.contextmanager
    def _weights(self) -> Iterator[nn.Module]:
        """Give the model as it is to be evaluated, and put it back for training."""
        run = self._run
        run.update.sync_weights()
        switch = getattr(run.optimizer, "eval", None)
        if switch is None:
            yield run.model
            return
        switch()
        model = run.model
        if has_statistics(model):
            # The running statistics belong to the weights of training; see `Averager.model`.
            model = copy.deepcopy(model)
            refresh_statistics(model, self._batches)
        yield model
        run.optimizer.train()  # type: ignore[attr-defined]

    def _averaged(self) -> nn.Module | None:
        return None if self._average is None else self._average.model(self._batches)

    def _split(
        self, model: nn.Module, at: TrainState, weights: str, name: str, split: Split
    ) -> Evaluation:
        run = self._run
        bf16 = run.objective.bf16
        loss = run.objective.loss
        found = evaluate(model, loss, run.data, split, run.config.eval.batch_size, bf16)
        row = (at.step, at.epoch, at.examples, at.train_seconds, weights, name, *found)
        self._writer.evaluation(row)
        return found
