"""The training loop, and the outcome that it returns."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, _foreach_mul_, _foreach_norm  # pyright: ignore[reportPrivateImportUsage]

from sgdlab.build import Setup
from sgdlab.datasets.base import Split
from sgdlab.evaluation import Evaluation, evaluate
from sgdlab.results import COMPLETED, DIVERGED, Cell
from sgdlab.steplog import RowSink, StepLog, StepWatcher


class Writer(RowSink, Protocol):
    """Where rows go; `sgdlab.results.RunWriter` in a real run."""

    def evaluation(self, row: tuple[Cell, ...], /) -> None: ...  # noqa: D102


class View(StepWatcher, Protocol):
    """Who watches; see `sgdlab.display`."""

    def evaluated(self, metric: float) -> None: ...  # noqa: D102


@dataclass
class Progress:
    """How far a run is: plain values, so that a checkpoint can hold them."""

    step: int = 0
    epoch: int = 0
    examples: int = 0
    train_seconds: float = 0.0
    initial_loss: float = math.nan
    train_loss: float | None = None
    val_loss: float | None = None
    val_metric: float | None = None
    best_val_loss: float | None = None
    best_val_metric: float | None = None
    best_val_step: int | None = None


@dataclass
class Outcome:
    """How a run ended. Divergence is a result, not an exception."""

    status: str
    reason: str | None = None
    progress: Progress = field(default_factory=Progress)
    test: Evaluation | None = None


def gradient_norm(gradients: list[Tensor]) -> Tensor:
    """Return the global L2 norm ``sqrt(sum_i |g_i|^2)`` of all gradients, a 0-dim tensor."""
    return torch.linalg.vector_norm(torch.stack(_foreach_norm(gradients)))


def clip(gradients: list[Tensor], norm: Tensor, clip_norm: float) -> Tensor:
    """Scale ``gradients`` in place by ``min(1, clip_norm / (norm + 1e-6))``; return the factor.

    Pascanu, Mikolov & Bengio 2013, with the constant of `torch.nn.utils.clip_grad_norm_`.
    """
    coefficient = (clip_norm / (norm + 1e-6)).clamp(max=1.0)
    _foreach_mul_(gradients, coefficient)
    return coefficient


def train_step(
    run: Setup, parameters: list[Tensor], update: list[tuple[Tensor, Tensor]], lr: float
) -> tuple[Tensor, Tensor, Tensor | float]:
    """Make one update: forward, loss, backward (accumulate), clip, step, zero.

    An accumulated gradient is exactly that of the one large batch, since every micro-batch
    weighs by its examples: ``g = sum_i (n_i / n) * grad mean_loss_i``.

    Args:
        run: Model, loss, optimizer and clipping.
        parameters: The trainable parameters.
        update: The micro-batches of the update.
        lr: Learning rate of every group.

    Returns:
        Mean loss over the update's examples before it, gradient norm before clipping, and the
        factor that clipping applied.
    """
    size = sum(len(y) for _, y in update)
    losses: list[Tensor] = []
    for x, y in update:
        with torch.autocast(x.device.type, torch.bfloat16) if run.bf16 else _NO_CONTEXT:
            loss = run.loss(run.model(x), y)
        if len(update) > 1:
            loss = loss * (len(y) / size)
        loss.backward()
        losses.append(loss.detach())
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = gradient_norm(gradients)
    coefficient = 1.0 if run.clip_norm is None else clip(gradients, norm, run.clip_norm)
    for group in run.optimizer.param_groups:
        group["lr"] = lr
    run.optimizer.step()
    for p in parameters:
        p.grad = None
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum(), norm, coefficient


_NO_CONTEXT = contextlib.nullcontext()


def fit(
    run: Setup,
    writer: Writer,
    view: View,
    progress: Progress | None = None,
    save: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train to the last step, or until the run diverges.

    Args:
        run: Built by `sgdlab.build.setup`.
        writer: Receives a row per step and per evaluation.
        view: Told of every step and evaluation.
        progress: Where a checkpoint left off; model and optimizer are in that state already.
        save: Called with the progress every ``run.checkpoint_every`` steps.

    Returns:
        ``completed``, or ``diverged`` at the first step whose loss or gradient is not finite or
        whose loss exceeds ``run.loss_factor`` times the training loss at initialisation.
    """
    at = progress or Progress()
    plan, train, total = run.plan, run.data.train, run.total_steps
    parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
    if at.step == 0:
        at.initial_loss = _evaluate(run, at, writer, view)
    log = StepLog(writer, view, _loss_limit(run, at), run.device.type)
    if not math.isfinite(at.initial_loss):
        return Outcome(DIVERGED, f"loss is {at.initial_loss} at initialisation", at)

    run.model.train()
    while at.step < total:
        epoch, done = divmod(at.step, plan.steps_per_epoch)
        epoch_end = (epoch + 1) * plan.steps_per_epoch
        at.epoch = epoch + 1
        with _clock(run, at):
            updates = plan.epoch(train.x, train.y, run.seed, epoch, done)
            for update in itertools.islice(updates, _next_stop(run, at.step, epoch_end) - at.step):
                lr = run.lr * run.schedule(at.step, total, plan.steps_per_epoch)
                loss, norm, coefficient = train_step(run, parameters, update, lr)
                at.step += 1
                at.examples += sum(len(y) for _, y in update)
                log.add(at.step, at.epoch, at.examples, lr, loss, norm, coefficient)
                if log.reason is not None:
                    break
            log.read()
        log.write()
        if log.reason is not None:
            at.step, at.examples = log.last
            return Outcome(DIVERGED, log.reason, at)
        if at.step == total or (at.step == epoch_end and at.epoch % run.eval_every == 0):
            train_loss = _evaluate(run, at, writer, view)
            if not math.isfinite(train_loss):
                return Outcome(DIVERGED, f"training loss is {train_loss} after step {at.step}", at)
        due = run.checkpoint_every and at.step % run.checkpoint_every == 0
        if save is not None and due and at.step < total:
            save(at)

    test = _evaluate_split(run, at, "test", run.data.test, writer) if run.evaluate_test else None
    return Outcome(COMPLETED, None, at, test)


def _next_stop(run: Setup, step: int, epoch_end: int) -> int:
    """Return the step after which there is something else to do than to train."""
    stop = min(epoch_end, run.total_steps)
    if run.checkpoint_every:
        stop = min(stop, (step // run.checkpoint_every + 1) * run.checkpoint_every)
    return stop


def _loss_limit(run: Setup, at: Progress) -> float:
    # A loss that starts at or below zero has no meaningful multiple.
    return (
        run.loss_factor * at.initial_loss if run.loss_factor and at.initial_loss > 0 else math.inf
    )


@contextlib.contextmanager
def _clock(run: Setup, at: Progress) -> Iterator[None]:
    """Add the time inside to ``train_seconds``, work still queued on the device included."""
    start = time.perf_counter()
    yield
    if run.device.type == "cuda":
        torch.cuda.synchronize(run.device)
    at.train_seconds += time.perf_counter() - start


def _evaluate(run: Setup, at: Progress, writer: Writer, view: View) -> float:
    """Evaluate the training and validation splits; return the training loss."""
    at.train_loss = _evaluate_split(run, at, "train", run.data.train, writer).loss
    val = _evaluate_split(run, at, "val", run.data.val, writer)
    at.val_loss, at.val_metric = val
    better = max if run.data.metric_direction == "max" else min
    if math.isfinite(val.loss):
        if at.best_val_loss is None or val.loss < at.best_val_loss:
            at.best_val_loss = val.loss
        best = val.metric if at.best_val_metric is None else better(at.best_val_metric, val.metric)
        if best != at.best_val_metric:
            at.best_val_metric, at.best_val_step = best, at.step
    view.evaluated(val.metric)
    return at.train_loss


def _evaluate_split(
    run: Setup, at: Progress, name: str, split: Split, writer: Writer
) -> Evaluation:
    found = evaluate(run.model, run.loss, run.data, split, run.eval_batch_size, run.bf16)
    row = (at.step, at.epoch, at.examples, at.train_seconds, "raw", name, *found)
    writer.evaluation(row)
    return found
