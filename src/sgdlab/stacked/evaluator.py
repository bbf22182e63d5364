"""Evaluation of the runs of a stack, and of their averages, as they go on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from sgdlab.datasets.base import Split
from sgdlab.results import BlockWriter
from sgdlab.stacked.evaluate import evaluate
from sgdlab.stacked.group import Group
from sgdlab.stacked.stack import Stack
from sgdlab.training.evaluation import Evaluation
from sgdlab.training.evaluator import on_cpu

_FILES = {"raw": "final.pt", "average": "final_average.pt"}


class StackEvaluator:
    """Evaluates whole splits with the weights of all runs and, where there are, their averages.

    Args:
        stack: The stack.
        group: What its runs have in common.
        writers: What writes the rows of each run, by its `id`.
    """

    def __init__(self, stack: Stack, group: Group, writers: Mapping[int, BlockWriter]) -> None:
        self._stack, self._group, self._writers = stack, group, writers

    def all_but_test(self, rows: Sequence[int]) -> dict[int, float]:
        """Evaluate the training and validation splits; return the training losses by row."""
        losses: dict[int, float] = {}
        for weights in self._kinds():
            train, val = self._splits(weights, ("train", "val"), rows)
            for row in rows:
                at = self._stack.runs[row].progress
                if weights == "raw":
                    losses[row] = train[row].loss
                    at.record(train[row], val[row], self._group.metric.direction)
                    if self._group.display is not None:
                        self._group.display.evaluated(val[row].metric)
                else:
                    at.average_train_loss = train[row].loss
                    at.average_val_loss, at.average_val_metric = val[row]
        return losses

    def test(self, rows: Sequence[int]) -> dict[int, list[Evaluation]]:
        """Evaluate the test split with the raw weights and, if there is one, the average."""
        found = [self._splits(weights, ("test",), rows)[0] for weights in self._kinds()]
        return {row: [own[row] for own in found] for row in rows}

    def final_weights(self, rows: Sequence[int]) -> dict[int, dict[str, dict[str, Any]]]:
        """Return the state dicts that runs end with, by row and file name, on CPU."""
        model = self._stack.model
        found: dict[int, dict[str, dict[str, Any]]] = {row: {} for row in rows}
        for weights in self._kinds():
            with self._shown(weights) as params:
                unpacked = model.unpack(params)
                for row in rows:
                    found[row][_FILES[weights]] = on_cpu(model.state_dict(unpacked, row))
        return found

    def _kinds(self) -> list[str]:
        average = self._stack.average
        return ["raw", "average"] if average and average.params is not None else ["raw"]

    @contextmanager
    def _shown(self, weights: str) -> Iterator[list[Tensor]]:
        """Give the weights to evaluate; running statistics are theirs in the block."""
        stack, average = self._stack, self._stack.average
        if weights == "raw" and not stack.rule.averages:
            yield stack.params
            return
        params = stack.evaluated() if weights == "raw" or average is None else average.params
        assert params is not None
        train = self._group.data.train
        batches = (x for x, _ in train.batches(self._group.plan.batch_size))
        with stack.model.refreshed(params, batches):
            yield params

    def _splits(
        self, weights: str, names: Sequence[str], rows: Sequence[int]
    ) -> list[list[Evaluation]]:
        """Evaluate splits, and write the rows of some runs; return what was found of all runs."""
        stack, metric = self._stack, self._group.metric
        most = self._group.config.eval.batch_size
        found: list[list[Evaluation]] = []
        with self._shown(weights) as params:
            for name in names:
                split: Split = getattr(self._group.data, name)
                found.append(evaluate(stack.model, params, stack.loss, metric, split, most))
                for row in rows:
                    run, at = stack.runs[row], stack.runs[row].progress
                    where = (at.step, at.epoch, at.examples, None, weights, name)
                    self._writers[id(run)].evaluation((*where, *found[-1][row]))
        return found
