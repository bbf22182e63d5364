"""``sgdlab train``: one run, or with ``-m`` a sweep."""

from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from sgdlab import startup
from sgdlab.config.app import run_app
from sgdlab.config.catalogue import conf_dir
from sgdlab.config.resolve import settle
from sgdlab.config.run_id import run_id
from sgdlab.diagnosis import EarlyWatch
from sgdlab.diagnosis.aftermath import print_findings
from sgdlab.errors import InputError
from sgdlab.results import FAILED, Cell
from sgdlab.sweep.preflight import check
from sgdlab.terminal.display import print_summary, shown
from sgdlab.terminal.notices import warn
from sgdlab.terminal.progress import NoDisplay, RunDisplay
from sgdlab.training.build import dataset_of, plan_of, total_steps
from sgdlab.training.run import finished, run_experiment


def main(arguments: list[str]) -> int:
    """Run the command on its part of the command line; return the exit code."""
    run_app(app, "train", arguments)
    return 0


def preflight(composed: DictConfig) -> None:
    """Refuse a single run before it has left any file; say what is probably not meant.

    Raises:
        InputError: The config cannot be built, or its directory holds another run.
    """
    if composed.get("lesson") is not None:
        from sgdlab.lessons.command import check_lesson  # few runs need it

        check_lesson(composed)
        return
    config = settle(composed)
    with startup.kept():  # the first optimizer imports half of torch
        doubts = check(config)
    for doubt in doubts:
        warn(doubt)
    if config.engine == "stacked":
        from sgdlab.stacked.launch import check_alone  # few runs need it

        check_alone(config)
    finished(Path(composed.hydra.run.dir), run_id(config), config.resume)


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="train")
def app(composed: DictConfig) -> Any:
    """Train one run; the task that sweeps launch, too."""
    return train(composed)


def train(composed: DictConfig) -> dict[str, Cell]:
    """Train one run in Hydra's output directory; return its summary.

    Raises:
        SystemExit: With code 1 when a single run failed; in a sweep the others go on.
    """
    if composed.get("lesson") is not None:
        from sgdlab.lessons.command import run_lesson  # few runs need it

        return run_lesson(composed)
    hydra_config = HydraConfig.get()
    config = settle(composed, hydra_config.runtime)
    directory = Path(hydra_config.runtime.output_dir)
    if hydra_config.mode == RunMode.MULTIRUN:
        if config.scaling.get("candidates"):
            raise InputError(
                "scaling.candidates: counts with sgdlab's own sweeper (the default); with another "
                "one sweep scaling.candidate=0.5,1,2"
            )
        return run_experiment(config, directory, NoDisplay())
    if finished(directory, run_id(config), config.resume) is not None:
        warn(f"{directory} is finished; resume=false runs it again")
    if config.engine == "stacked":  # such as the config.yaml of a run that was one of many
        from sgdlab.stacked.launch import train_alone  # few runs need it

        summary = train_alone(config, directory)
    else:
        metric, early = dataset_of(config).metric, _early_watch(config)
        with RunDisplay(total_steps(config), metric, early) as view:
            summary = run_experiment(config, directory, view)
    print_summary(summary, shown(directory))
    if summary["status"] == FAILED:
        raise SystemExit(1)
    print_findings(directory, shown(directory))
    return summary


def _early_watch(config: DictConfig) -> EarlyWatch:
    """Return what looks at the steps of a settled config's run as they are made."""
    plan = plan_of(config)
    # A schedule of the user's own need not have a warm-up.
    epochs = config.schedule.get("warmup_epochs") or 0
    warmup = config.schedule.get("warmup_steps") or int(epochs * plan.steps_per_epoch)
    batch = plan.effective_batch_size
    return EarlyWatch(total_steps(config, plan), plan.steps_per_epoch, warmup, batch)
