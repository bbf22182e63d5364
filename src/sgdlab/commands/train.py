"""``sgdlab train``: one run, or with ``-m`` a sweep."""

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
from sgdlab.config.compose.folders import name_run_dir
from sgdlab.config.resolve import resolve
from sgdlab.config.run_id import run_id
from sgdlab.config.schema import RunConfig
from sgdlab.diagnosis import EarlyWarnings
from sgdlab.diagnosis.aftermath import print_findings
from sgdlab.errors import InputError
from sgdlab.results import FAILED, Cell
from sgdlab.sweep.preflight import build_checked
from sgdlab.terminal.display import print_summary, shown
from sgdlab.terminal.notices import warn
from sgdlab.terminal.progress import NoDisplay, RunDisplay
from sgdlab.training.build import Run
from sgdlab.training.folder import RunFolder, finished
from sgdlab.training.run import train_in, train_run


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
        built: The run that is to be trained, or with ``engine=stacked`` a stack of one. None where
            memory ran out: the run itself ends as failed, with advice.
    """

    config: RunConfig
    run_id: str
    done: dict[str, Cell] | None
    built: Any


def preflight(composed: DictConfig) -> Any:
    """Refuse a single run before it has left any file; say what is probably not meant.

    Returns:
        What `train` goes on with.

    Raises:
        InputError: The config cannot be built, or its directory holds another run.
    """
    if composed.get("lesson") is not None:
        from sgdlab.lessons.command import check_lesson  # few runs need it

        return check_lesson(composed)
    config = resolve(composed)
    with startup.kept():  # the first optimizer imports half of torch
        built, warnings = build_checked(config)
    for line in warnings:
        warn(line)
    if config.engine == "stacked":
        from sgdlab.stacked.launch import stack_of_one  # few runs need it

        built = stack_of_one(config)
    identity = run_id(config)
    done = finished(name_run_dir(composed, config, identity), identity, config.resume)
    return Ready(config, identity, done, built)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
def app(composed: DictConfig) -> Any:
    """Train one run; the task that sweeps launch, too."""
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
        return train_run(config, directory, NoDisplay())
    checked = gate.passed()
    if composed.get("lesson") is not None:
        from sgdlab.lessons.command import run_lesson  # few runs need it

        return run_lesson(checked, directory)
    summary = _train_alone(checked, directory)
    print_summary(summary, shown(directory))
    if summary["status"] == FAILED:
        raise SystemExit(1)
    print_findings(directory, shown(directory))
    return summary


def _train_alone(ready: Ready, directory: Path) -> dict[str, Cell]:
    config, built = ready.config, ready.built
    if ready.done is not None:
        warn(f"{directory} is finished; resume=false runs it again")
        return ready.done
    if config.engine == "stacked":  # such as the config.yaml of a run that was one of many
        from sgdlab.stacked.launch import train_alone  # few runs need it

        return train_alone(built, ready.run_id, directory)
    folder = RunFolder(directory, ready.run_id, "sequential")
    if built is None:
        return train_in(folder, config, NoDisplay())
    with RunDisplay(built.total_steps, built.data.metric, _early_warnings(built)) as display:
        return train_in(folder, config, display, built)


def _early_warnings(run: Run) -> EarlyWarnings:
    """Return what looks at the steps of a run as they are made."""
    per_epoch = run.plan.steps_per_epoch
    warmup = run.schedule.warmup(per_epoch)
    return EarlyWarnings(run.total_steps, per_epoch, warmup, run.plan.effective_batch_size)
