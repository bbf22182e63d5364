"""``sgdlab train``: one run, or with ``-m`` a sweep."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sgdlab import startup
from sgdlab.config import gate
from sgdlab.config.app import run_app
from sgdlab.config.catalogue import conf_dir
from sgdlab.config.compose.folders import run_dir_of
from sgdlab.config.output_folder import tell
from sgdlab.config.resolve import logger_of, resolve
from sgdlab.config.run_id import run_id
from sgdlab.config.schema import RunConfig
from sgdlab.config.torchrun import world_size_of
from sgdlab.config.typed import as_typed
from sgdlab.diagnosis import EarlyWarnings
from sgdlab.diagnosis.aftermath import print_findings
from sgdlab.diagnosis.chance import harmless
from sgdlab.errors import InputError
from sgdlab.results import FAILED, Cell
from sgdlab.signals import Interrupted, handled
from sgdlab.sweeps.preflight import build_checked
from sgdlab.terminal.display import print_summary, shown
from sgdlab.terminal.notices import warn
from sgdlab.terminal.progress import NoDisplay
from sgdlab.terminal.run_display import RunDisplay
from sgdlab.trackers import checked, following
from sgdlab.training.build import Run
from sgdlab.training.folder import CHECKPOINT, RunFolder, finished
from sgdlab.training.follow import follow
from sgdlab.training.isolated import train_isolated
from sgdlab.training.rendezvous import Meeting, joined
from sgdlab.training.run import train_in, train_run, unless_ended, unless_finished
from sgdlab.visible import shell_path, shell_word

FEWEST_STEPS = 50_000
"""Steps below which no run takes long enough to repay a compiler."""


def main(arguments: list[str]) -> int:
    """Run the command on its part of the command line; return the exit code."""
    run_app(app, "train", arguments)
    return 0


@dataclass(frozen=True)
class Ready:
    """A single run that was checked, and has left no file yet.

    Attributes:
        config: The resolved config.
        run_id: The id of the config.
        done: The summary, where the run is finished already.
        built: The run that is to be trained. None where memory ran out: the run itself ends as
            failed, with advice.
        stack: The stack of one that trains it; None: the ordinary trainer does.
        meeting: The processes that train the run together; None: this one alone.
        ending: Leaves them.
    """

    config: RunConfig
    run_id: str
    done: dict[str, Cell] | None
    built: Run | None
    stack: Any
    meeting: Meeting | None
    ending: contextlib.ExitStack


def preflight(composed: DictConfig) -> Any:
    """Refuse a single run before it has left any file; say what is probably not meant.

    Returns:
        What `train` goes on with.

    Raises:
        InputError: The config cannot be built, or its directory holds another run.
    """
    if composed.get("lesson") is not None:
        if world_size_of(None) is not None:
            raise InputError(f"lesson: {gate.NO_SWEEP.partition(':')[0]}; type it without torchrun")
        from sgdlab.lessons.command import check_lesson  # few runs need it

        checked(logger_of(composed))
        return check_lesson(composed)
    config = resolve(composed)
    checked(logger_of(composed))
    with contextlib.ExitStack() as ending:
        meeting = ending.enter_context(joined(config))
        with contextlib.nullcontext() if meeting is None else meeting.in_agreement():
            built = _build(config, meeting)
        if meeting is not None and built is not None:
            _meet(meeting, built)
        identity = run_id(config)
        directory = run_dir_of(composed, config, identity)
        done = finished(directory, config, identity)
        alone = done is None and meeting is None
        stack = _stack(config, built, directory) if alone else None
        return Ready(config, identity, done, built, stack, meeting, ending.pop_all())


def _build(config: RunConfig, meeting: Meeting | None) -> Run | None:
    with startup.kept():  # the first optimizer imports half of torch
        built, warnings = build_checked(config)
    for line in warnings:
        warn(line)
    if built is None and meeting is not None:
        raise InputError("out of memory before the first step: halve batch_size")
    return built


def _stack(config: RunConfig, built: Run | None, directory: Path) -> Any:
    """Return the stack of one that is to train a run; None: the ordinary trainer is."""
    if config.engine == "stacked":  # such as the config.yaml of a run that was one of many
        from sgdlab.stacked.alone import stack_of_one  # few runs need it

        return stack_of_one(config)
    if built is not None and built.total_steps >= FEWEST_STEPS:
        from sgdlab.stacked.alone import compiled_alone  # long ones do

        return compiled_alone(config, built, directory)
    return None


def _meet(meeting: Meeting, run: Run) -> None:
    """Let a run be trained by all processes; all but rank 0 do that here, and end.

    Raises:
        SystemExit: This is not rank 0, and the run has ended.
    """
    meeting.compare(run)
    with meeting.in_agreement():
        meeting.attach(run)
    if meeting.ranks.rank:
        follow(run, meeting.ranks)
        raise SystemExit(0)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
def app(composed: DictConfig) -> Any:
    """Train one run; the task that sweeps launch, too."""
    with gate.carried():
        return train(composed)


def train(composed: DictConfig) -> dict[str, Cell]:
    """Train one run in Hydra's output directory; return its summary.

    Raises:
        SystemExit: With code 1 when a single run failed; in a sweep the others go on.
    """
    hydra_config = HydraConfig.get()
    directory = Path(hydra_config.runtime.output_dir)
    if hydra_config.mode == RunMode.MULTIRUN:
        config = resolve(composed, hydra_config.runtime)
        gate.refuse_sweep(config)
        if config.scaling.get("candidates"):
            raise InputError(
                "scaling.candidates: counts with sgdlab's own sweeper (the default); with another "
                "one sweep scaling.candidate=0.5,1,2"
            )
        with handled():  # in a process of a launcher's own they are not yet
            return _train_one_of_many(config, directory)
    ready, logger = gate.passed(), logger_of(composed)
    if composed.get("lesson") is not None:
        from sgdlab.lessons.command import run_lesson  # few runs need it

        with following(checked(logger), directory):
            return run_lesson(ready, directory)
    with ready.ending, following(checked(logger), directory):
        summary = _train_alone(ready, directory)
        if ready.meeting is not None:
            ready.meeting.release()
    tell(directory)
    print_summary(summary, shown(directory))
    if summary["status"] == FAILED:
        raise SystemExit(1)
    print_findings(directory, shown(directory))
    return summary


def _train_one_of_many(config: RunConfig, directory: Path) -> dict[str, Cell]:
    if not config.isolate:
        return train_run(config, directory, NoDisplay())
    return unless_finished(config, directory, lambda folder: train_isolated(folder, config))


def _train_alone(ready: Ready, directory: Path) -> dict[str, Cell]:
    config, done = ready.config, ready.done
    if done is not None:
        warn(f"{directory} is finished; resume=false runs it again")
        return done
    return unless_ended(config, directory, ready.run_id, lambda folder: _train_in(ready, folder))


def _train_in(ready: Ready, folder: RunFolder) -> dict[str, Cell]:
    config, built, directory = ready.config, ready.built, folder.directory
    if config.isolate:
        return train_isolated(folder, config)
    if built is None:
        return train_in(folder, config, NoDisplay())
    with RunDisplay(built.total_steps, built.metric.name, _early_warnings(built)) as display:
        try:
            if ready.stack is None:
                return train_in(folder, config, display, built)
            from sgdlab.stacked.alone import train_alone  # few runs need it

            return train_alone(ready.stack, ready.run_id, directory, display)
        except Interrupted as told:
            told.how = _how_to_go_on(directory, config.distributed.world_size)
            raise


def _how_to_go_on(directory: Path, processes: int | None) -> str:
    where = shown(directory)
    place = shell_word(f"hydra.run.dir={as_typed(where)}")
    start = "" if processes is None else f"torchrun --nproc-per-node={processes} -m "
    command = f"{start}sgdlab train --config-dir {shell_path(where)} --config-name config {place}"
    if (directory / CHECKPOINT).is_file():
        return f"goes on from its checkpoint: {command}"
    return f"starts again, since checkpoint.every is not set: {command}"


def _early_warnings(run: Run) -> EarlyWarnings:
    """Return what looks at the steps of a run as they are made."""
    per_epoch = run.plan.steps_per_epoch
    warmup = run.schedule.warmup(per_epoch)
    known = harmless(run.config.plain(), run.metric.name)
    batch = run.plan.effective_batch_size
    return EarlyWarnings(run.total_steps, per_epoch, warmup, batch, known)
