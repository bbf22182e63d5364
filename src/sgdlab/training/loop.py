"""The training loop."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator

import torch

from sgdlab import signals
from sgdlab.results import COMPLETED, DIVERGED, FAILED, STOPPED
from sgdlab.training.build import Run
from sgdlab.training.evaluator import Evaluator
from sgdlab.training.lockstep import evaluator_of, pauses_of
from sgdlab.training.pauses import Pauses
from sgdlab.training.state import Outcome, TrainState, next_stop
from sgdlab.training.steplog import ProgressDisplay, StepLog, Writer
from sgdlab.training.stopping import why_stop


def fit(
    run: Run,
    writer: Writer,
    display: ProgressDisplay,
    state: TrainState | None = None,
    save: Callable[[TrainState], None] | None = None,
    pauses: Pauses | None = None,
) -> Outcome:
    """Train to the last step, or until the run diverges.

    Args:
        run: The run, as `sgdlab.training.build.build_run` returns it.
        writer: Receives a row per step and per evaluation.
        display: Told of every step and evaluation.
        state: How far the run is, changed in place; model and optimizer are there already.
        save: Called with the state every ``checkpoint.every`` steps, when the process is told to
            stop, and with ``checkpoint.final`` at the last step, before its evaluation: a longer
            run may have none there.
        pauses: Knows when to stop; by default its clock starts now, and memory has no limit.

    Returns:
        ``completed``; ``stopped``, as `sgdlab.training.stopping` or a callback says; or
        ``diverged`` at the first step whose loss or gradient is not finite or whose loss exceeds
        `sgdlab.training.limit.loss_limit`; or ``failed`` where a limit of time or memory is.

    Raises:
        Interrupted: The process was told to stop; the current step has ended.
    """
    at = state or TrainState()
    config, plan, total = run.config, run.plan, run.total_steps
    update, schedule, recorder = run.update, run.schedule, run.diagnostics.recorder
    run.objective.count_from(at.function_evaluations, at.gradient_evaluations)
    evaluator = evaluator_of(run, writer, display)
    run.callbacks.begin(run, at)
    if at.step == 0:
        at.initial_loss = evaluator.all_but_test(at)
        at.constant_loss = evaluator.of_a_constant()
    log = StepLog(run, writer, display, at)
    pauses = pauses or pauses_of(run)
    if not math.isfinite(at.initial_loss):
        return Outcome(DIVERGED, f"loss is {at.initial_loss} at initialisation", at)
    if (why := run.callbacks.why) is not None:
        return _ended(STOPPED, why, at, evaluator, config.evaluate_test)

    run.model.train()
    run.objective.loss.train()
    if at.unevaluated and (diverged := _evaluate(run, evaluator, at)):
        return diverged
    while at.step < total:
        epoch, done = divmod(at.step, plan.steps_per_epoch)
        at.epoch, epoch_end = epoch + 1, (epoch + 1) * plan.steps_per_epoch
        stop = next_stop(at.step, min(epoch_end, total), pauses.every)
        try:
            with _clock(run, at):
                updates = run.updates(epoch, done)
                for batches in itertools.islice(updates, stop - at.step):
                    where = (at.step, total, plan.steps_per_epoch)
                    lr, momentum = run.lr * schedule(*where), schedule.momentum(*where)
                    if recorder is not None:
                        recorder.before(at.step)
                    values = update.step(at.step, batches, lr, momentum)
                    at.step += 1
                    at.examples += run.examples_of(at.step - 1, batches)
                    if run.averager is not None:
                        run.averager.update(at.step, update.sync_weights)
                    measured = None
                    if recorder is not None:
                        seen = run.whole(at.step - 1, batches) if recorder.is_due else batches
                        measured = recorder.after(at.step, seen, values, values.lr)
                    log.add(at, values, measured)
                    if log.reason is not None or run.callbacks.why is not None or pauses.due():
                        break
                log.read()
                log.write()
        except BaseException as error:
            if signals.is_real(error):
                log.write()
                raise
            log.rescue(at)  # the steps before a failure belong to the files
            if log.reason is None:
                raise
        at.function_evaluations, at.gradient_evaluations = run.objective.evaluations()
        if log.reason is not None:
            log.go_back(at)
            return Outcome(DIVERGED, log.reason, at)
        pauses.agree()
        stops = signals.asked() or pauses.over is not None
        last = config.checkpoint.final and at.step == total
        if save is not None and (last or (stops and pauses.saves_at_end)):
            at.running, at.unevaluated = log.running_state(), True
            save(at)
        signals.stop_if_asked()
        if pauses.over is not None:
            return Outcome(FAILED, pauses.over, at)
        if ended := _evaluate(run, evaluator, at):
            return ended
        if save is not None and at.step < total and pauses.save_due(at.step):
            at.running = log.running_state()
            save(at)
            pauses.saved()

    return _ended(COMPLETED, None, at, evaluator, config.evaluate_test)


def _ended(
    status: str, reason: str | None, at: TrainState, evaluator: Evaluator, test: bool
) -> Outcome:
    """Return the outcome of a run that has its result, with the test split where asked for."""
    return Outcome(status, reason, at, *(evaluator.test(at) if test else ()))


def _evaluate(run: Run, evaluator: Evaluator, at: TrainState) -> Outcome | None:
    """Evaluate if it is due at this step; return how a run ends that ends by what is found."""
    at.unevaluated = False
    epoch_ends = at.step % run.plan.steps_per_epoch == 0
    due = epoch_ends and at.epoch % run.config.eval.every == 0
    if at.step < run.total_steps and not due and run.callbacks.why is None:
        return None
    train_loss = evaluator.all_but_test(at)
    if not math.isfinite(train_loss):
        return Outcome(DIVERGED, f"training loss is {train_loss} after step {at.step}", at)
    run.schedule.observe(at.val_loss)
    why = why_stop(run.config.stop, at, run.metric.direction) or run.callbacks.why
    if why is None or at.step == run.total_steps:
        return None
    return _ended(STOPPED, why, at, evaluator, run.config.evaluate_test)


@contextlib.contextmanager
def _clock(run: Run, at: TrainState) -> Iterator[None]:
    """Add the time inside to ``train_seconds``: queued work included, diagnostics not."""
    start, watched = time.perf_counter(), _watched(run)
    yield
    if run.device.type == "cuda":
        torch.cuda.synchronize(run.device)
    at.train_seconds += time.perf_counter() - start - (_watched(run) - watched)


def _watched(run: Run) -> float:
    """Return the seconds that diagnostics and callbacks have taken."""
    recorder = run.diagnostics.recorder
    return run.callbacks.seconds + (recorder.seconds if recorder else 0.0)
