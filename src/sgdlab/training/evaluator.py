"""Evaluation of a run's weights, and of their average, as the run goes on."""

import contextlib
import copy
from collections.abc import Iterator

from torch import nn

from sgdlab.averaging import has_statistics, refresh_statistics
from sgdlab.datasets.base import Split
from sgdlab.training.build import Run
from sgdlab.training.evaluation import Evaluation, evaluate
from sgdlab.training.state import TrainState
from sgdlab.training.steplog import ProgressDisplay, Writer


class Evaluator:
    """Evaluates whole splits with the run's weights and, where there is one, their average.

    Args:
        run: The run that is evaluated.
        writer: Receives a row per split.
        display: Told of the validation metric.
    """

    def __init__(self, run: Run, writer: Writer, display: ProgressDisplay) -> None:
        self._run, self._writer, self._display = run, writer, display
        self._batches = run.data.train.x.split(run.plan.batch_size)

    def all_but_test(self, at: TrainState) -> float:
        """Evaluate the training and validation splits; return the training loss."""
        with self._weights() as model:
            train, val = (self._split(model, at, "raw", name) for name in ("train", "val"))
        at.record(train, val, self._run.data.metric_direction)
        if (averaged := self._averaged()) is not None:
            at.average_train_loss = self._split(averaged, at, "average", "train").loss
            at.average_val_loss, at.average_val_metric = self._split(averaged, at, "average", "val")
        self._display.evaluated(val.metric)
        return train.loss

    def test(self, at: TrainState) -> tuple[Evaluation, Evaluation | None]:
        """Evaluate the test split with the raw weights and with the average."""
        with self._weights() as model:
            raw = self._split(model, at, "raw", "test")
        averaged = self._averaged()
        return raw, None if averaged is None else self._split(averaged, at, "average", "test")

    @contextlib.contextmanager
    def _weights(self) -> Iterator[nn.Module]:
        """Give the model as it is to be evaluated, and put it back for training."""
        run = self._run
        run.update.sync_weights()
        if not run.traits.averages_itself:
            yield run.model
            return
        run.optimizer.eval()  # type: ignore[attr-defined]
        model = run.model
        if has_statistics(model):
            # The running statistics belong to the weights of training; see `Averager.model`.
            model = copy.deepcopy(model)
            refresh_statistics(model, self._batches)
        yield model
        run.optimizer.train()  # type: ignore[attr-defined]

    def _averaged(self) -> nn.Module | None:
        averager = self._run.averager
        return None if averager is None else averager.model(self._batches)

    def _split(self, model: nn.Module, at: TrainState, weights: str, name: str) -> Evaluation:
        run, size = self._run, self._run.config.eval.batch_size
        split: Split = getattr(run.data, name)
        found = evaluate(model, run.objective.loss, run.data, split, size, run.objective.bf16)
        row = (at.step, at.epoch, at.examples, at.train_seconds, weights, name, *found)
        self._writer.evaluation(row)
        return found
