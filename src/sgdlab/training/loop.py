"""The training loop."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator

import torch

from sgdlab.results import COMPLETED, DIVERGED
from sgdlab.training.build import Run
from sgdlab.training.evaluator import Evaluator
from sgdlab.training.state import Outcome, TrainState, next_stop
from sgdlab.training.steplog import ProgressDisplay, StepLog, Writer


def fit(
    run: Run,
    writer: Writer,
    display: ProgressDisplay,
    state: TrainState | None = None,
    save: Callable[[TrainState], None] | None = None,
) -> Outcome:
    """Train to the last step, or until the run diverges.

    Args:
        run: The run, as `sgdlab.training.build.build_run` returns it.
        writer: Receives a row per step and per evaluation.
        display: Told of every step and evaluation.
        state: How far the run is, changed in place; model and optimizer are there already.
        save: Called with the state every ``checkpoint.every`` steps.

    Returns:
        ``completed``, or ``diverged`` at the first step whose loss or gradient is not finite or
        whose loss exceeds ``limits.loss_factor`` times the training loss at initialisation.
    """
    at = state or TrainState()
    config, plan, train, total = run.config, run.plan, run.data.train, run.total_steps
    update, schedule, recorder = run.update, run.schedule, run.diagnostics.recorder
    run.objective.count_from(at.function_evaluations, at.gradient_evaluations)
    evaluator = Evaluator(run, writer, display)
    if at.step == 0:
        at.initial_loss = evaluator.all_but_test(at)
    log = StepLog(run, writer, display, at)
    if not math.isfinite(at.initial_loss):
        return Outcome(DIVERGED, f"loss is {at.initial_loss} at initialisation", at)

    run.model.train()
    while at.step < total:
        epoch, done = divmod(at.step, plan.steps_per_epoch)
        at.epoch, epoch_end = epoch + 1, (epoch + 1) * plan.steps_per_epoch
        stop = next_stop(at.step, min(epoch_end, total), config.checkpoint.every)
        try:
            with _clock(run, at):
                updates = plan.epoch(train.x, train.y, config.seed, epoch, done)
                for batches in itertools.islice(updates, stop - at.step):
                    where = (at.step, total, plan.steps_per_epoch)
                    lr, momentum = run.lr * schedule(*where), schedule.momentum(*where)
                    if recorder is not None:
                        recorder.before(at.step)
                    values = update.step(at.step, batches, lr, momentum)
                    at.step += 1
                    at.examples += sum(len(y) for _, y in batches)
                    if run.averager is not None:
                        run.averager.update(at.step, update.sync_weights)
                    measured = recorder and recorder.after(at.step, batches, values, values.lr)
                    log.add(at, values, measured)
                    if log.reason is not None:
                        break
                log.read()
        finally:  # the steps before a failure belong to the files
            log.write()
            at.function_evaluations, at.gradient_evaluations = run.objective.evaluations()
        if log.reason is not None:
            log.go_back(at)
            return Outcome(DIVERGED, log.reason, at)
        if at.step == total or (at.step == epoch_end and at.epoch % config.eval.every == 0):
            train_loss = evaluator.all_but_test(at)
            if not math.isfinite(train_loss):
                return Outcome(DIVERGED, f"training loss is {train_loss} after step {at.step}", at)
            schedule.observe(at.val_loss)
        due = config.checkpoint.every and at.step % config.checkpoint.every == 0
        if save is not None and due and at.step < total:
            at.running = log.running_state()
            save(at)

    if not config.evaluate_test:
        return Outcome(COMPLETED, None, at)
    return Outcome(COMPLETED, None, at, *evaluator.test(at))


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
