"""Evaluation of a run's weights, and of their average, as the run goes on."""

import contextlib
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from sgdlab.averaging import has_statistics, refresh_statistics
from sgdlab.datasets.base import Split
from sgdlab.results import Cell
from sgdlab.steps.streams import forked
from sgdlab.training.build import Run
from sgdlab.training.evaluation import Evaluation, evaluate
from sgdlab.training.limit import constant_loss
from sgdlab.training.state import TrainState
from sgdlab.training.steplog import ProgressDisplay, Writer


def final_weights(run: Run) -> dict[str, dict[str, Any]]:
    """Return the state dicts that a run ends with, by file name: evaluated weights, on CPU."""
    with _evaluated(run) as model:
        found = {"final.pt": on_cpu(model.state_dict())}
    if (averaged := _averaged(run)) is not None:
        found["final_average.pt"] = on_cpu(averaged.state_dict())
    return found


def on_cpu(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state dict whose tensors are on CPU and belong to nobody else."""
    return {
        name: value.detach().cpu().clone() if isinstance(value, Tensor) else value
        for name, value in state.items()
    }


@contextlib.contextmanager
def _evaluated(run: Run) -> Iterator[nn.Module]:
    """Give the model as it is to be evaluated, and put it back for training."""
    run.update.sync_weights()
    if not run.traits.averages_itself:
        yield run.model
        return
    run.optimizer.eval()  # type: ignore[attr-defined]
    model = run.model
    if has_statistics(model):
        # The running statistics belong to the weights of training; see `Averager.model`.
        model = copy.deepcopy(model)
        with forked():
            refresh_statistics(model, _batches(run))
    yield model
    run.optimizer.train()  # type: ignore[attr-defined]


def _averaged(run: Run) -> nn.Module | None:
    if run.averager is None:
        return None
    with forked():  # statistics are computed anew, by a model that may draw
        return run.averager.model(_batches(run))


def _batches(run: Run) -> Iterable[Any]:
    # One after another: all together may be more than memory holds, and few models ask for them.
    return (batch.x for batch in run.data.train.batches(run.plan.micro_batch_size))


class Evaluator:
    """Evaluates whole splits with the run's weights and, where there is one, their average.

    Args:
        run: The run that is evaluated.
        writer: Receives a row per split.
        display: Told of the validation metric.
    """

    def __init__(self, run: Run, writer: Writer, display: ProgressDisplay) -> None:
        self._run, self._writer, self._display = run, writer, display
        self._rows: list[tuple[Cell, ...]] = []

    def all_but_test(self, at: TrainState) -> float:
        """Evaluate the training and validation splits; return the training loss."""
        with _evaluated(self._run) as model:
            train, val = (self._split(model, at, "raw", name) for name in ("train", "val"))
        at.record(train, val, self._run.metric.direction)
        if (averaged := _averaged(self._run)) is not None:
            at.average_train_loss = self._split(averaged, at, "average", "train").loss
            at.average_val_loss, at.average_val_metric = self._split(averaged, at, "average", "val")
        self._display.evaluated(val.metric)
        try:
            own = self._run.callbacks.evaluation(at)
        except BaseException:
            self._write()
            raise
        self._write(own)
        return train.loss

    def of_a_constant(self) -> float:
        """Return the training loss of a constant prediction; 0 where there is none."""
        run = self._run
        if run.data.problem is not None:
            return 0.0
        loss, most = run.objective.loss, run.config.eval.batch_size
        return constant_loss(run.model, loss, run.data.train, most)

    def test(self, at: TrainState) -> tuple[Evaluation | None, Evaluation | None]:
        """Evaluate the test split with the raw weights and with the average."""
        with _evaluated(self._run) as model:
            raw = self._split(model, at, "raw", "test")
        averaged = _averaged(self._run)
        found = None if averaged is None else self._split(averaged, at, "average", "test")
        self._write()
        return raw, found

    def _split(self, model: nn.Module, at: TrainState, weights: str, name: str) -> Evaluation:
        run, size = self._run, self._run.config.eval.batch_size
        split: Split = getattr(run.data, name)
        found = evaluate(model, run.objective.loss, run.metric, split, size, run.objective.half)
        row = (at.step, at.epoch, at.examples, at.train_seconds, weights, name, *found)
        if self._run.callbacks.evaluation_columns:
            self._rows.append(row)
        else:
            self._writer.evaluation(row)
        return found

    def _write(self, own: Sequence[Cell] = ()) -> None:
        """Write the rows that have waited for the cells of callbacks, which are those of val."""
        rows, self._rows = self._rows, []
        columns = self._run.callbacks.evaluation_columns
        for row in rows:
            cells = own if row[4:6] == ("raw", "val") and own else (None,) * len(columns)
            self._writer.evaluation((*row, *cells))
