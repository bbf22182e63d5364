"""The training loop."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator

import torch

from sgdlab.averaging import Averager
from sgdlab.results import COMPLETED, DIVERGED
from sgdlab.training.build import Setup
from sgdlab.training.evaluator import Evaluator, View, Writer
from sgdlab.training.state import Outcome, Progress, next_stop
from sgdlab.training.steplog import StepLog, loss_limit


def averager_of(run: Setup) -> Averager | None:
    """Return what keeps the average of a run's iterates, if it has one."""
    if run.average is None:
        return None
    return Averager(run.average, run.model, run.total_steps, run.plan.steps_per_epoch)


def fit(
    run: Setup,
    writer: Writer,
    view: View,
    progress: Progress | None = None,
    averager: Averager | None = None,
    save: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train to the last step, or until the run diverges.

    Args:
        run: Built by `sgdlab.training.build.setup`.
        writer: Receives a row per step and per evaluation.
        view: Told of every step and evaluation.
        progress: Where a checkpoint left off; model and optimizer are in that state already.
        averager: By `averager_of`, in the state of ``progress``; by default a new one.
        save: Called with the progress every ``run.checkpoint_every`` steps.

    Returns:
        ``completed``, or ``diverged`` at the first step whose loss or gradient is not finite or
        whose loss exceeds ``run.loss_factor`` times the training loss at initialisation.
    """
    at = progress or Progress()
    average = averager or averager_of(run)
    plan, train, total = run.plan, run.data.train, run.total_steps
    objective, stepper, schedule = run.objective, run.stepper, run.schedule
    objective.count_from(at.function_evaluations, at.gradient_evaluations)
    scheduled_momentum = getattr(schedule, "momentum", lambda *_: None)
    observe = getattr(schedule, "observe", None)
    evaluation = Evaluator(run, writer, view, average)
    if at.step == 0:
        at.initial_loss = evaluation.all_but_test(at)
    watch, running = run.diagnostics.watch, run.diagnostics.running(at.running)
    limit = loss_limit(run.loss_factor, at.initial_loss)
    width = len(watch.columns) if watch else 0
    log = StepLog(writer, view, limit, run.device.type, running, width)
    if not math.isfinite(at.initial_loss):
        return Outcome(DIVERGED, f"loss is {at.initial_loss} at initialisation", at)

    run.model.train()
    while at.step < total:
        epoch, done = divmod(at.step, plan.steps_per_epoch)
        epoch_end = (epoch + 1) * plan.steps_per_epoch
        at.epoch = epoch + 1
        try:
            with _clock(run, at):
                updates = plan.epoch(train.x, train.y, run.seed, epoch, done)
                count = next_stop(at.step, min(epoch_end, total), run.checkpoint_every) - at.step
                for update in itertools.islice(updates, count):
                    where = (at.step, total, plan.steps_per_epoch)
                    lr = run.lr * schedule(*where)
                    if watch is not None:
                        watch.before(at.step)
                    values = stepper.take(at.step, update, lr, scheduled_momentum(*where))
                    at.step += 1
                    at.examples += sum(len(y) for _, y in update)
                    if average is not None:
                        average.update(at.step, stepper.settle)
                    used = lr if values.lr is None else values.lr
                    found = watch and watch.after(at.step, update, values, used)
                    made = (at.step, at.epoch, at.examples, used, *values[:3])
                    log.add(*made, objective.evaluations(), found)
                    if log.reason is not None:
                        break
                log.read()
        finally:  # the steps before a failure belong to the files
            log.write()
            at.function_evaluations, at.gradient_evaluations = objective.evaluations()
        if log.reason is not None:
            at.step, at.examples, (at.function_evaluations, at.gradient_evaluations) = log.last
            return Outcome(DIVERGED, log.reason, at)
        if at.step == total or (at.step == epoch_end and at.epoch % run.eval_every == 0):
            train_loss = evaluation.all_but_test(at)
            if not math.isfinite(train_loss):
                return Outcome(DIVERGED, f"training loss is {train_loss} after step {at.step}", at)
            if observe is not None:
                observe(at.val_loss)
        due = run.checkpoint_every and at.step % run.checkpoint_every == 0
        if save is not None and due and at.step < total:
            at.running = running.state() if running else []
            save(at)

    if not run.evaluate_test:
        return Outcome(COMPLETED, None, at)
    return Outcome(COMPLETED, None, at, *evaluation.test(at))


@contextlib.contextmanager
def _clock(run: Setup, at: Progress) -> Iterator[None]:
    """Add the time inside to ``train_seconds``: queued work included, diagnostics not."""
    watch = run.diagnostics.watch
    start, watched = time.perf_counter(), watch.seconds if watch else 0.0
    yield
    if run.device.type == "cuda":
        torch.cuda.synchronize(run.device)
    at.train_seconds += time.perf_counter() - start - (watch.seconds - watched if watch else 0.0)
