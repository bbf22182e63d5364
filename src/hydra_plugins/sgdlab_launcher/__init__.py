"""What all of sgdlab's launchers have in common; Hydra offers no launcher of this name."""

from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class SweepLauncher(Launcher):
    """A launcher that keeps what it is set up with, and launches as its subclass says."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what is needed to launch."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config
