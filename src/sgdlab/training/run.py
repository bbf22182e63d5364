"""One run from its resolved config to its files, whatever happens on the way."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch

from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.config.run_id import run_id
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError, reason_of
from sgdlab.results import COMPLETED, FAILED, Cell, RunWriter, write_table
from sgdlab.steps.batches import stream_seed
from sgdlab.training import checkpoint
from sgdlab.training.build import Run, build_run, device_of
from sgdlab.training.environment import PeakMemory
from sgdlab.training.folder import RunFolder, finished
from sgdlab.training.loop import fit
from sgdlab.training.state import Outcome, TrainState
from sgdlab.training.steplog import ProgressDisplay
from sgdlab.training.summary import built_of, summary_of
from sgdlab.training.threads import threads_for


def train_run(config: RunConfig, directory: Path, display: ProgressDisplay) -> dict[str, Cell]:
    """Train one run and write its files, unless it is finished; return its summary.

    Args:
        config: The resolved config of the run.
        directory: The run directory.
        display: Told of steps and evaluations.

    Raises:
        InputError: The config cannot be built, or the directory holds another run.
    """
    identity = run_id(config)
    done = finished(directory, identity, config.resume)
    folder = RunFolder(directory, identity, "sequential")
    return train_in(folder, config, display) if done is None else done


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
    with _torch_state():
        memory = PeakMemory(device_of(config))
        state = TrainState()
        try:
            run = run or build_run(config)
            outcome = _fit(run, folder, state, display)
        except InputError:
            raise
        except Exception as error:
            outcome = Outcome(FAILED, _reason(error, config, run), state)
            _begin(folder, config, run)
            folder.fail(error)
        built = built_of(run) if run else None
        summary = summary_of(config, outcome, built, folder, memory.bytes())
    folder.end(summary)
    return summary


def _fit(run: Run, folder: RunFolder, state: TrainState, display: ProgressDisplay) -> Outcome:
    config = run.config
    torch.set_num_threads(threads_for(run, config.threads))
    torch.manual_seed(stream_seed(config.seed, "other"))
    if config.resume and (saved := folder.load()) is not None:
        checkpoint.restore(saved, run, state)
    _begin(folder, config, run)
    columns = run.diagnostics.columns
    writer = RunWriter(folder.directory, run.data.metric, columns, state.step or None)

    def save(now: TrainState) -> None:
        writer.flush()
        folder.save(checkpoint.state_of(run, now))

    with contextlib.closing(writer):
        outcome = fit(run, writer, display, state, save)
        if outcome.status == COMPLETED:
            for name, table in run.diagnostics.conclude().items():
                write_table(folder.directory / name, table.columns, table.rows)
    return outcome


def _begin(folder: RunFolder, config: RunConfig, run: Run | None) -> None:
    folder.begin(config, device_of(config), run.data.fingerprint if run else None)


@contextlib.contextmanager
def _torch_state() -> Iterator[None]:
    """Give back random state and threads after a run."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)


def _reason(error: Exception, config: RunConfig, run: Run | None) -> str:
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
    return reason_of(error)
