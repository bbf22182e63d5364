"""Short runs alone: what the winners of a comparison cost, which stacks hide."""

import contextlib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig

from sgdlab.comparison.solo import SoloProcess
from sgdlab.config.run_id import device_kind
from sgdlab.config.schema import RunConfig
from sgdlab.results import FAILED, TIMING, Cell
from sgdlab.sweeps.carry_out import carry_out
from sgdlab.sweeps.jobs import Job, QuickLoader
from sgdlab.terminal.notices import warn
from sgdlab.training.build import extend_path, model_of
from sgdlab.training.dataset import dataset_of
from sgdlab.training.length import plan_of, total_steps
from sgdlab.training.threads import forward_operations

REPEATS = 3
"""Runs of each, with seeds from ``seed + 1`` on: their seconds are compared by medians."""

_FEWEST, _MOST = 50, 1000
# About a second on one core; a GPU is kept busy for as long by a thousand times as much.
_OPERATIONS = {"cpu": 2e10, "cuda": 2e13}


def time_winners(
    master: DictConfig,
    loader: QuickLoader,
    finals: Sequence[Sequence[str]],
    rows: Sequence[Mapping[str, Cell]],
    study: Path,
    process: SoloProcess,
) -> list[dict[str, Cell]]:
    """Run a winner of every contender whose final runs were stacked; return the summaries.

    What a step costs does not depend on what the searches of a contender differ in, so its first
    winner speaks for all. See `time_alone`.

    Args:
        master: The config of the comparison.
        loader: Composes its jobs.
        finals: The overrides of the final runs.
        rows: The summaries of the final runs, in the same order.
        study: The folder of the comparison.
        process: Trains them.
    """
    winners: dict[tuple[Cell, ...], Sequence[str]] = {}
    for overrides, row in zip(finals, rows, strict=True):
        if row.get("engine") == "stacked":
            who = tuple(row.get(key) for key in ("dataset", "model", "optimizer", "contender"))
            place = tuple(o for o in overrides if o.partition("=")[0] in master.axes)
            winners.setdefault((*who, *place), overrides)
    if not winners:
        return []
    return time_alone(master, loader, list(winners.values()), TIMING, study, process)


def start_early(
    process: SoloProcess, tried: Sequence[Mapping[str, Cell]], finals: Sequence[Job]
) -> None:
    """Start the process of the timing runs beside final runs that will be stacked, as trials were.

    It is then ready when they have ended, and the time that it takes of a core is theirs: they
    have none that counts.

    Args:
        process: To start.
        tried: The summaries of the trials.
        finals: The final runs; where none is left to train there is nothing to time.
    """
    stacked = any(row.get("engine") == "stacked" for row in tried)
    if stacked and not all((job.directory / "summary.csv").is_file() for job in finals):
        with contextlib.suppress(OSError):  # said by the timing runs, which try again
            process.start()


def time_alone(
    master: DictConfig,
    loader: QuickLoader,
    runs: Sequence[Sequence[str]],
    phase: str,
    study: Path,
    process: SoloProcess,
) -> list[dict[str, Cell]]:
    """Train some runs briefly and alone, `REPEATS` times each; return the summaries.

    Repeats of different runs alternate, so that a machine that slows down slows all. All are in one
    process, and nothing else runs meanwhile; the first of an optimizer are preceded by
    `sgdlab.comparison.solo.WARM_UP` steps that do not count.

    Args:
        master: The config of the comparison.
        loader: Composes its jobs.
        runs: The overrides of the runs.
        phase: The phase, ``timing`` or ``pilot``.
        study: The folder of the comparison.
        process: Trains them.
    """
    lengths = [steps_of(loader.job(master, run).config) for run in runs]
    jobs = [
        loader.job(master, _alone(run, phase, master.seed + 1 + repeat, steps))
        for repeat in range(REPEATS)
        for run, steps in zip(runs, lengths, strict=True)
    ]
    timed = carry_out(jobs, study, phase, functools.partial(_start, phase, process))
    for reason in dict.fromkeys(row["reason"] for row in timed if row["status"] == FAILED):
        warn(f"{phase}: {reason}")
    return timed


def steps_of(config: RunConfig) -> int:
    """Return the length of a timing run in steps: about a second, and no more than the run itself.

    From 50 steps, or as many as the run has, to 1,000; by the operations of a step, three times
    those of its forward pass, so that it depends on the config alone.
    """
    extend_path(config)
    data = dataset_of(config)
    plan = plan_of(config, data)
    x = data.train.x[:1]
    x = x.to(getattr(torch, config.dtype)) if x.is_floating_point() else x
    forward = forward_operations(model_of(config, data), x)
    steps = _FEWEST
    if forward is not None:
        step = max(1, 3 * forward * plan.effective_batch_size)
        fit = int(_OPERATIONS[device_kind(config.device)] / step)
        steps = min(max(_FEWEST, fit), _MOST)
    return min(steps, total_steps(config, plan))


def _alone(run: Sequence[str], phase: str, seed: int, steps: int) -> list[str]:
    values = {
        "seed": seed, "phase": phase, "evaluate_test": "false", "engine": "sequential",
        "max_steps": steps, "eval.every": steps, "checkpoint.every": "null",
        "checkpoint.final": "false", "save_final": "false",
    }  # fmt: skip
    kept = [override for override in run if override.partition("=")[0] not in values]
    return [*kept, *(f"{key}={value}" for key, value in values.items())]


def _start(phase: str, process: SoloProcess, todo: Sequence[Job]) -> list[str | None]:
    names = ", ".join(dict.fromkeys(str(job.config.contender) for job in todo))
    what = f"{names} trained in a stack; short runs alone measure time and memory"
    warn(f"{phase}: {what}" if phase == TIMING else f"{phase}: short runs alone measure time")
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    try:
        return process.train([(job.config, job.directory) for job in todo])
    except (OSError, RuntimeError) as error:  # it was killed, or could not be started
        what = " ".join(f"{type(error).__name__}: {error}".split())
        reason = f"the process of the timing runs ended: {what}"
        return [None if (job.directory / "summary.csv").is_file() else reason for job in todo]
