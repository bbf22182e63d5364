"""The jobs that a launcher is handed, as runs that can be compared with each other."""

from collections.abc import Sequence
from pathlib import Path

from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write

from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.job import Job
from sgdlab.config.resolve import resolve
from sgdlab.config.run_id import run_id
from sgdlab.sweeps.preflight import check


def listed(
    master: DictConfig, context: HydraContext, overrides: Sequence[Sequence[str]], first: int
) -> tuple[list[Job], Sequence[Job]]:
    """Return the jobs that are to run, and all jobs of their sweep as far as they are known.

    Args:
        master: The config of the sweep.
        context: What Hydra hands to launchers.
        overrides: The overrides of each job.
        first: The number of the first.
    """
    loader = context.config_loader
    if isinstance(loader, QuickLoader):
        own = [loader.job(master, job) for job in overrides]
        return own, loader.listed or own
    own = [_compose(master, context, job, first + number) for number, job in enumerate(overrides)]
    return own, own


def _compose(
    master: DictConfig, context: HydraContext, overrides: Sequence[str], number: int
) -> Job:
    composed = context.config_loader.load_sweep_config(master, list(overrides))
    with read_write(composed.hydra), open_dict(composed.hydra):
        composed.hydra.job.num = number
        composed.hydra.job.id = f"{composed.hydra.job.get('name', 'job')}_{number}"
    config = resolve(composed)
    check(config)
    directory = Path(composed.hydra.sweep.dir) / composed.hydra.sweep.subdir
    return Job(config, run_id(config), directory, tuple(overrides))
