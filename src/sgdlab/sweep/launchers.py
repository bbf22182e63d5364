"""What launchers need of Hydra and has no public name there."""

# The launcher that trains one by one what cannot be stacked, and the callbacks of a command that
# launches jobs without Hydra's sweeper.
from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_launcher import BasicLauncher as BasicLauncher
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext
from hydra.types import TaskFunction as Task
from omegaconf import DictConfig

__all__ = ["BasicLauncher", "Task", "context_of"]


def context_of(master: DictConfig) -> HydraContext:
    """Return what Hydra hands to launchers, for the application that is running."""
    loader = GlobalHydra.instance().config_loader()
    return HydraContext(config_loader=loader, callbacks=Callbacks(master))
