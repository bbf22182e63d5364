"""One run from settled config to files, whatever happens on the way."""

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.config.run_id import run_id
from sgdlab.errors import InputError, reason_of
from sgdlab.results import (
    COMPLETED,
    ENDED,
    FAILED,
    Cell,
    RunWriter,
    read_summary,
    write_config,
    write_environment,
    write_error,
    write_summary,
    write_table,
)  # fmt: skip
from sgdlab.steps.batches import stream_seed
from sgdlab.training import checkpoint
from sgdlab.training.build import Run, build_run, device_of
from sgdlab.training.environment import PeakMemory, environment
from sgdlab.training.evaluator import ProgressDisplay
from sgdlab.training.loop import averager_of, fit
from sgdlab.training.state import Outcome, TrainState
from sgdlab.training.summary import built_of, summary_of
from sgdlab.training.threads import threads_for


def finished(directory: Path, identity: str, resume: bool) -> dict[str, Cell] | None:
    """Return the summary of a run that need not run again.

    Raises:
        InputError: The directory holds another run.
    """
    summary = read_summary(directory)
    if summary is None:
        return None
    if summary["run_id"] != identity:
        raise InputError(
            f"{directory} holds another run ({summary['run_id']}, this one is {identity}): "
            "choose another hydra.run.dir"
        )
    return summary if resume and summary["status"] in ENDED else None


def run_experiment(config: DictConfig, directory: Path, view: ProgressDisplay) -> dict[str, Cell]:
    """Train one settled config and write its files; return its summary.

    A run that crashes or runs out of memory ends as ``failed`` with the reason, and the traceback
    in ``error.txt``; an interrupt leaves it without a summary, to be continued later.

    Args:
        config: As `sgdlab.config.resolve.settle` returns it.
        directory: The run directory.
        view: Told of steps and evaluations.

    Raises:
        InputError: The config cannot be built, or the directory holds another run.
    """
    identity = run_id(config)
    if (done := finished(directory, identity, config.resume)) is not None:
        return done
    with _torch_state():
        run: Run | None = None
        memory = PeakMemory(device_of(config))
        outcome = Outcome(FAILED)
        try:
            run = build_run(config)
            outcome = _fit(run, config, identity, directory, view)
        except InputError:
            raise
        except Exception as error:
            outcome = Outcome(
                FAILED, _reason(error, config, run), getattr(error, "progress", TrainState())
            )
            _write_head(config, run, directory)
            write_error(directory, traceback.format_exc())
        settled = cast("dict[str, Any]", OmegaConf.to_container(config))
        built = built_of(run) if run else None
        summary = summary_of(settled, identity, outcome, built, "sequential", memory.bytes())
    write_summary(directory, summary)
    (directory / "checkpoint.pt").unlink(missing_ok=True)
    return summary


def _fit(
    run: Run, config: DictConfig, identity: str, directory: Path, view: ProgressDisplay
) -> Outcome:
    path = directory / "checkpoint.pt"
    torch.set_num_threads(threads_for(run, config.threads))
    torch.manual_seed(stream_seed(config.seed, "other"))
    average = averager_of(run)
    progress = checkpoint.load(path, identity, run, average) if config.resume else None
    _write_head(config, run, directory)
    columns = run.diagnostics.columns
    writer = RunWriter(directory, run.data.metric, columns, progress and progress.step)
    at = progress or TrainState()

    def save(now: TrainState) -> None:
        writer.flush()
        checkpoint.save(path, identity, run, average, now)

    try:
        outcome = fit(run, writer, view, at, average, save)
        if outcome.status == COMPLETED:
            for name, table in run.diagnostics.conclude().items():
                write_table(directory / name, table.columns, table.rows)
        return outcome
    except Exception as error:
        error.progress = at  # type: ignore[attr-defined]
        raise
    finally:
        writer.close()


def _write_head(config: DictConfig, run: Run | None, directory: Path) -> None:
    settled = cast("dict[str, Any]", OmegaConf.to_container(config))
    write_config(directory, {**settled, "engine": "sequential"})
    fingerprint = run.data.fingerprint if run else None
    write_environment(directory, environment(device_of(config), fingerprint))


@contextlib.contextmanager
def _torch_state() -> Iterator[None]:
    """Give back random state and threads after a run."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)


def _reason(error: Exception, config: DictConfig, run: Run | None) -> str:
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
