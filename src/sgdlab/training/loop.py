"""The training loop."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator

import torch

from sgdlab.averaging import Averager
from sgdlab.results import COMPLETED, DIVERGED, StepRecord
from sgdlab.training.build import Run
from sgdlab.training.evaluator import Evaluator, ProgressDisplay, Writer
from sgdlab.training.state import Outcome, TrainState, next_stop
from sgdlab.training.steplog import StepLog, loss_limit


def averager_of(run: Run) -> Averager | None:
    """Return what keeps the average of a run's iterates, if it has one."""
    if run.average is None:
        return None
    return Averager(run.average, run.model, run.total_steps, run.plan.steps_per_epoch)


def fit(
    run: Run,
    writer: Writer,
    view: ProgressDisplay,
    state: TrainState | None = None,
    averager: Averager | None = None,
    save: Callable[[TrainState], None] | None = None,
) -> Outcome:
    """Train to the last step, or until the run diverges.

    Args:
        run: Built by `sgdlab.training.build.build_run`.
        writer: Receives a row per step and per evaluation.
        view: Told of every step and evaluation.
        state: How far the run is, changed in place; model and optimizer are there already.
        averager: By `averager_of`, where ``state`` is; by default a new one.
        save: Called with the state every ``checkpoint.every`` steps.

    Returns:
        ``completed``, or ``diverged`` at the first step whose loss or gradient is not finite or
        whose loss exceeds ``limits.loss_factor`` times the training loss at initialisation.
    """
    at = state or TrainState()
    average = averager or averager_of(run)
    plan, train, total = run.plan, run.data.train, run.total_steps
    seed, every = run.config.seed, run.config.checkpoint.every
    objective, update, schedule = run.objective, run.update, run.schedule
    objective.count_from(at.function_evaluations, at.gradient_evaluations)
    evaluation = Evaluator(run, writer, view, average)
    if at.step == 0:
        at.initial_loss = evaluation.all_but_test(at)
    recorder, running = run.diagnostics.recorder, run.diagnostics.running(at.running)
    limit = loss_limit(run.config.limits.loss_factor, at.initial_loss)
    width = len(recorder.columns) if recorder else 0
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
                updates = plan.epoch(train.x, train.y, seed, epoch, done)
                count = next_stop(at.step, min(epoch_end, total), every) - at.step
                for batches in itertools.islice(updates, count):
                    where = (at.step, total, plan.steps_per_epoch)
                    lr = run.lr * schedule(*where)
                    if recorder is not None:
                        recorder.before(at.step)
                    values = update.step(at.step, batches, lr, schedule.momentum(*where))
                    at.step += 1
                    at.examples += sum(len(y) for _, y in batches)
                    if average is not None:
                        average.update(at.step, update.sync_weights)
                    used = lr if values.lr is None else values.lr
                    found = recorder and recorder.after(at.step, batches, values, used)
                    made = StepRecord(
                        at.step, at.epoch, at.examples, used, values.loss, values.grad_norm,
                        values.clip_coef,
                    )  # fmt: skip
                    log.add(made, objective.evaluations(), found)
                    if log.reason is not None:
                        break
                log.read()
        finally:  # the steps before a failure belong to the files
            log.write()
            at.function_evaluations, at.gradient_evaluations = objective.evaluations()
        if log.reason is not None:
            vars(at).update(log.last._asdict())
            return Outcome(DIVERGED, log.reason, at)
        if at.step == total or (at.step == epoch_end and at.epoch % run.config.eval.every == 0):
            train_loss = evaluation.all_but_test(at)
            if not math.isfinite(train_loss):
                return Outcome(DIVERGED, f"training loss is {train_loss} after step {at.step}", at)
            schedule.observe(at.val_loss)
        due = every and at.step % every == 0
        if save is not None and due and at.step < total:
            at.running = running.state() if running else []
            save(at)

    if not run.config.evaluate_test:
        return Outcome(COMPLETED, None, at)
    return Outcome(COMPLETED, None, at, *evaluation.test(at))


@contextlib.contextmanager
def _clock(run: Run, at: TrainState) -> Iterator[None]:
    """Add the time inside to ``train_seconds``: queued work included, diagnostics not."""
    recorder = run.diagnostics.recorder
    start, watched = time.perf_counter(), recorder.seconds if recorder else 0.0
    yield
    if run.device.type == "cuda":
        torch.cuda.synchronize(run.device)
    at.train_seconds += (
        time.perf_counter() - start - (recorder.seconds - watched if recorder else 0.0)
    )
