"""One run from its resolved config to its files, whatever happens on the way."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from sgdlab import signals
from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.config.run_id import run_id, same_batches_id
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError, one_line, reason_of
from sgdlab.results import COMPLETED, FAILED, Cell, FileSum, RunWriter, write_table
from sgdlab.results.lock import held
from sgdlab.steps.batches import stream_seed
from sgdlab.steps.streams import forked, generators_in, holding, seeded
from sgdlab.terminal.display import shown
from sgdlab.terminal.notices import warn
from sgdlab.training import checkpoint, continuation
from sgdlab.training.advice import advice_on
from sgdlab.training.build import Run, build_run
from sgdlab.training.checkpoint_files import CHECKPOINT, tables_of
from sgdlab.training.compiling import compile_loss
from sgdlab.training.device import device_of
from sgdlab.training.environment import PeakMemory
from sgdlab.training.evaluator import final_weights
from sgdlab.training.evidence import evidence_of
from sgdlab.training.folder import RunFolder, finished
from sgdlab.training.lockstep import pauses_of, refuse_other_size
from sgdlab.training.loop import fit
from sgdlab.training.pauses import BUILDING, OverTimeError, timed
from sgdlab.training.state import Outcome, TrainState
from sgdlab.training.steplog import ProgressDisplay
from sgdlab.training.summary import built_of, summary_of
from sgdlab.training.surroundings import restored
from sgdlab.training.threads import threads_for


def train_run(config: RunConfig, directory: Path, display: ProgressDisplay) -> dict[str, Cell]:
    """Train one run and write its files, unless it is finished; return its summary.

    Args:
        config: The resolved config of the run.
        directory: The run directory.
        display: Told of steps and evaluations.

    Raises:
        InputError: The config cannot be built, or the directory holds another run.
        HeldError: Another process trains it.
    """
    return unless_finished(config, directory, lambda folder: train_in(folder, config, display))


def unless_finished(
    config: RunConfig, directory: Path, train: Callable[[RunFolder], dict[str, Cell]]
) -> dict[str, Cell]:
    """Return the summary of a run that is finished; else that of `train`, as `unless_ended` does.

    Raises:
        InputError: The directory holds another run.
        HeldError: Another process trains it.
    """
    identity = run_id(config)
    done = finished(directory, config, identity)
    return unless_ended(config, directory, identity, train) if done is None else done


def unless_ended(
    config: RunConfig, directory: Path, identity: str, train: Callable[[RunFolder], dict[str, Cell]]
) -> dict[str, Cell]:
    """Hold a run's folder and train it there, unless another process has ended it meanwhile.

    Args:
        config: The resolved config of the run, which was not finished when that was asked.
        directory: The run directory.
        identity: Its id.
        train: Trains it in its folder and returns its summary.

    Raises:
        HeldError: Another process trains it.
    """
    with held(directory, config.lock, warn):
        done = finished(directory, config, identity, say=lambda _: None)  # what is to be told was
        return train(RunFolder(directory, identity, "sequential")) if done is None else done


def train_in(
    folder: RunFolder, config: RunConfig, display: ProgressDisplay, run: Run | None = None
) -> dict[str, Cell]:
    """Train one run that is not finished and write its files; return its summary.

    A run that crashes or runs out of memory ends as ``failed`` with the reason, and the traceback
    in ``error.txt``; an interrupt leaves it without a summary, to be continued later.

    Args:
        folder: The folder of the run.
        config: The resolved config of the run.
        display: Told of steps and evaluations.
        run: The run as it was built to be checked; by default it is built here.

    Raises:
        InputError: The config cannot be built.
    """
    with contextlib.ExitStack() as ending:
        with restored(config.precision == "tf32"):
            memory = PeakMemory(device_of(config))
            state = TrainState()
            try:
                with timed(config.limits.seconds, "building it", BUILDING):
                    run = run or build_run(config)
                    folder.ids["same_batches"] = same_batches_id(config)
                    folder.evidence = evidence_of(config, run.data.fingerprint, run.model)
                ending.enter_context(signals.at_a_step())
                with timed(config.limits.seconds):
                    outcome = _fit(run, folder, state, display, memory)
            except BaseException as error:
                if signals.is_real(error) or (isinstance(error, InputError) and not folder.begun):
                    raise
                if folder.writer is not None:
                    state.claim_no_more_than(folder.directory)
                outcome = Outcome(FAILED, _reason(error, config, run), state)
                folder.begin(config, device_of(config), anew=False)
                folder.fail(error)
            built = built_of(run) if run else None
            summary = summary_of(config, outcome, built, folder, memory.bytes())
        folder.end(summary, config.checkpoint.final and outcome.status == COMPLETED)
    return summary


def _fit(
    run: Run, folder: RunFolder, state: TrainState, display: ProgressDisplay, memory: PeakMemory
) -> Outcome:
    config = run.config
    own = {"model": run.model, "loss": run.objective.loss, "schedule": run.schedule}
    with holding(generators_in({**own, "optimizer": run.optimizer})):
        with forked():  # it looks at the model, which may draw
            torch.set_num_threads(threads_for(run, config.threads))
        with seeded(stream_seed(config.seed, "other")):
            checkpoint.begin(run)
            saved = folder.load(config.stale) if config.resume else None
            if saved is not None:
                refuse_other_size(saved, run, shown(folder.directory / CHECKPOINT))
            elif config.continue_from is not None:
                saved = continuation.take(run, folder)
            if run.ranks is not None:
                run.ranks.begun = True
                run.ranks.broadcast({"saved": saved})
            if saved is not None:
                checkpoint.restore(saved, run, state)
            compile_loss(run, None if saved is None else saved.get("compiled", False))
            return _train(run, folder, state, display, memory, tables_of(saved))


def _train(
    run: Run,
    folder: RunFolder,
    state: TrainState,
    display: ProgressDisplay,
    memory: PeakMemory,
    known: Mapping[str, FileSum] | None,
) -> Outcome:
    compiled = run.objective.compiled is not None
    folder.begin(run.config, run.device, compiled, state.step == 0, run.data.recorded())
    own = run.callbacks
    columns = run.diagnostics.columns + (() if run.ranks is None else run.ranks.columns)
    writer = RunWriter(
        folder.directory, run.metric.name, (*columns, *own.step_columns), state.step or None,
        known, own.evaluation_columns,
    )  # fmt: skip
    folder.writer = writer

    def save(now: TrainState) -> None:
        writer.flush()
        folder.save(checkpoint.state_of(run, now))

    pauses = pauses_of(run, memory)
    with contextlib.closing(writer):
        with contextlib.nullcontext() if run.ranks is None else run.ranks.leaving():
            outcome = fit(run, writer, display, state, save, pauses)
        own.end(outcome)
        if outcome.has_result:
            for name, table in run.diagnostics.conclude().items():
                write_table(folder.directory / name, table.columns, table.rows)
            if run.config.save_final:
                for name, weights in final_weights(run).items():
                    folder.write(name, weights)
    return outcome


def _reason(error: BaseException, config: RunConfig, run: Run | None) -> str:
    if is_out_of_memory(error):
        if run is None:
            return "out of memory before the first step: the model and the data alone are too large"
        size = config.batch_size
        if isinstance(size, int) and size > 1:
            return (
                f"out of memory: try batch_size={size // 2} accumulate={config.accumulate * 2} "
                "(half the memory of activations, the same effective batch)"
            )
        return "out of memory: halve batch_size and double accumulate, or take a smaller model"
    if isinstance(error, OverTimeError):
        return one_line(error)
    return reason_of(error) + advice_on(error)
