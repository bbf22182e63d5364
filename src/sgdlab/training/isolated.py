"""A run in a process of its own (``isolate=true``): whatever it does there ends with it."""

import contextlib
import multiprocessing
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sgdlab import signals
from sgdlab.config.schema import RunConfig
from sgdlab.results import FAILED, Cell, last_row, read_summary
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.device import device_of
from sgdlab.training.folder import RunFolder
from sgdlab.training.run import train_in
from sgdlab.training.state import Outcome, TrainState
from sgdlab.training.summary import summary_of

# Seconds beyond its own limit: the process has to start, and ends by itself where it can.
_STARTING = 30.0


def train_isolated(folder: RunFolder, config: RunConfig) -> dict[str, Cell]:
    """Train one run that is not finished in a process of its own; return its summary.

    Raises:
        InputError: Its summary is damaged.
        Interrupted: The process was told to stop; the run has stopped after its step.
    """
    ways = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in ways else "spawn")
    context.set_forkserver_preload([__name__, "torch._dynamo"])  # the first optimizer imports it
    own: Any = context  # the base of all contexts is not said to have processes
    process = own.Process(target=_train, args=(folder.directory, folder.run_id, config))
    (folder.directory / "summary.csv").unlink(missing_ok=True)  # of an earlier failure
    most = config.limits.seconds
    with signals.at_a_step_of_children():
        process.start()
        try:
            process.join(None if most is None else 1.2 * most + _STARTING)
            over = process.is_alive()
        finally:
            if process.is_alive():
                process.kill()
                process.join()
        signals.stop_if_asked()
    summary = read_summary(folder.directory)
    return summary if summary is not None else _failed(folder, config, _reason(process, over, most))


def _train(directory: Path, run_id: str, config: RunConfig) -> None:
    with signals.handled(), contextlib.suppress(signals.Interrupted):
        train_in(RunFolder(directory, run_id, "sequential"), config, NoDisplay())


def _reason(process: BaseProcess, over: bool, most: float | None) -> str:
    if over:
        return f"limits.seconds={most:g}: a step did not end, and its process was ended"
    code = process.exitcode or 0
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"


def _failed(folder: RunFolder, config: RunConfig, reason: str) -> dict[str, Cell]:
    """Write the summary of a run whose process has ended before it could."""
    state = TrainState()
    state.step, state.epoch, state.examples = last_row(folder.directory)
    folder.begin(config, device_of(config), anew=False)
    summary = summary_of(config, Outcome(FAILED, reason, state), None, folder)
    folder.end(summary)
    return summary
