"""Workers that a launcher of Hydra starts: each is handed work, and returns what came of it."""

import base64
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sgdlab.errors import InputError
from sgdlab.results.lock import held, leaders_of, witness_of
from sgdlab.startup import processors
from sgdlab.sweeps.gpu_slots import GpuSlots, slots_of
from sgdlab.sweeps.launchers import no_callbacks
from sgdlab.sweeps.worker import Piece, PieceLoader, Worker, packed

OWN = ("workers", "runs", "gpus", "devices")
"""Settings of ``hydra.launcher`` that are ours; the others are those of the launcher below."""

RAY = "hydra_plugins.sgdlab_ray.RayLauncher"


class Pool:
    """The workers of one launcher.

    Args:
        through: The dotted path of the launcher that starts them.
        settings: ``hydra.launcher``, without ``through``.
        config: The config of the sweep, of which ``hydra`` counts.
        context: What Hydra hands to launchers.

    Raises:
        InputError: A setting is impossible, or the launcher has no such workers.
    """

    def __init__(
        self, through: str, settings: Mapping[str, Any], config: DictConfig, context: HydraContext
    ) -> None:
        self.through, self.config, self.context = through, config, context
        plain = cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.create(dict(settings))))
        self._own = {key: plain.pop(key, None) for key in OWN}
        self._settings = plain
        self._gpus = _checked("gpus", self._own["gpus"], float)
        self._slots: GpuSlots | None = None
        if self.through != RAY:
            self._slots = slots_of(self._own["devices"], self._gpus)
        self.runs = _checked("runs", self._own["runs"], int)
        """Runs of a piece at most; None: the pool says."""

    def count(self) -> int:
        """Return the pieces that are to be trained at once."""
        asked = _checked("workers", self._own["workers"], int)
        if asked is not None:
            return int(asked)
        if self.through == RAY:
            from sgdlab.sweeps.ray_tasks import workers_of  # imports ray, which takes a second

            return workers_of(self._ray_settings())
        if self._slots is not None:
            return self._slots.count
        return _workers_of(self._settings)

    def _ray_settings(self) -> dict[str, Any]:
        return {**self._settings, "gpus": self._gpus}

    def map(self, pieces: Sequence[Piece], folder: Path) -> list[Any]:
        """Hand the pieces out; return the value of each, or the exception that ended it.

        Args:
            pieces: The work.
            folder: The folder of the study.

        Raises:
            Exception: The launcher itself failed, perhaps because one worker did: what the others
                have done is in their folders.
        """
        with contextlib.ExitStack() as holding:
            if witness_of(folder) is None:  # Hydra's own sweeper holds nothing
                holding.enter_context(held(folder, shared=True))
            return self._map(pieces, folder)

    def _map(self, pieces: Sequence[Piece], folder: Path) -> list[Any]:
        config = self._config(folder)
        worker = Worker(
            witness_of(folder), leaders_of(folder), os.getcwd(), tuple(_own_path()), self._slots
        )
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(
                config_loader=cast("Any", PieceLoader(worker.witness)), callbacks=no_callbacks()
            ),
            task_function=worker,
            config=config,
        )
        payloads = [[base64.b64encode(packed(piece)).decode()] for piece in pieces]
        with _threads(self.through, self._slots, self.count, len(pieces)), _plugins_kept():
            returns = launcher.launch(payloads, initial_job_idx=0)
        return [returned._return_value for returned in returns]

    def _config(self, folder: Path) -> DictConfig:
        """Return what the launcher below needs of the config."""
        config = cast("DictConfig", OmegaConf.masked_copy(self.config, ["hydra"]))
        OmegaConf.set_readonly(config.hydra, None)  # as that of a comparison is
        settings = self._ray_settings() if self.through == RAY else self._settings
        with read_write(config), read_write(config.hydra), open_dict(config.hydra):
            config.hydra.launcher = {"_target_": self.through, **settings}
            config.hydra.sweep.dir = str(folder.absolute())
            config.hydra.sweep.subdir = "."
            config.hydra.job.name = config.hydra.job.get("name") or "sgdlab"
            config.hydra.job.override_dirname = ""
        return config


def pool_of(master: DictConfig, context: HydraContext) -> Pool:
    """Return the workers of the launcher that a config names, one of `WorkersLauncher`."""
    plain = OmegaConf.to_container(master.hydra.launcher, resolve=True)
    settings = cast("dict[str, Any]", plain)
    del settings["_target_"]
    return Pool(settings.pop("through"), settings, master, context)


def _checked(key: str, value: Any, kind: type[int] | type[float]) -> Any:
    """Return a setting that is a positive number, or None.

    Raises:
        InputError: It is none.
    """
    if value is None:
        return None
    right = "a whole number from 1, or null" if kind is int else "a number above 0, or null"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value <= 0 or (kind is int and value != int(value)):
        raise InputError(f"hydra.launcher.{key}={value}: must be {right}")
    if kind is float and value > 1 and value != int(value):
        raise InputError(f"hydra.launcher.{key}={value}: above 1 only whole GPUs can be shared out")
    return value


def _workers_of(settings: Mapping[str, Any]) -> int:
    """Return how many workers a launcher has at once, by its own settings."""
    if (jobs := settings.get("n_jobs")) is not None:  # as joblib counts them: -1 is all, -2 ...
        return max(1, int(jobs) if jobs > 0 else processors() + 1 + int(jobs))
    if (parallel := settings.get("array_parallelism")) is not None:
        return max(1, int(parallel))
    return processors()


def _own_path() -> list[str]:
    """Return where this process imports from, for workers that were started elsewhere."""
    return [os.path.abspath(place) for place in sys.path if place]


@contextlib.contextmanager
def _plugins_kept() -> Iterator[None]:
    """Keep Hydra's state in this process as it is.

    With one worker joblib starts no process, and hands the state over to this one: Hydra would then
    make all its plugins anew, beside those that hold the old ones, and no later command could be.
    """
    own, config = vars(Singleton)["set_state"], HydraConfig.instance().cfg
    Singleton.set_state = staticmethod(lambda state: None)
    try:
        yield
    finally:
        Singleton.set_state = own
        HydraConfig.instance().cfg = config


@contextlib.contextmanager
def _threads(through: str, slots: GpuSlots | None, count: Any, pieces: int) -> Iterator[None]:
    """Let each process of this machine have its share of the cores, as joblib does by itself."""
    name = "OMP_NUM_THREADS"
    if not through.endswith(".LocalLauncher") or slots is not None or name in os.environ:
        yield
        return
    os.environ[name] = str(max(1, processors() // max(1, min(count(), pieces))))
    try:
        yield
    finally:
        del os.environ[name]
