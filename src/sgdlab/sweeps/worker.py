"""What a worker of a launcher does with the piece of work that it is handed."""

import base64
import contextlib
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict, read_write

from sgdlab.results.lock import working_for
from sgdlab.sweeps.gpu_slots import GpuSlots

Piece = Callable[[Path | None], Any]
"""Work that can be pickled. It is called with the folder to work in where the worker does not
share the study's, and with None where it does; what it returns is pickled, too."""

_PAYLOAD = "piece"


def packed(piece: Piece) -> bytes:
    """Return a piece of work as bytes."""
    try:
        return pickle.dumps(piece)
    except (pickle.PicklingError, TypeError, AttributeError):
        import cloudpickle  # whatever starts workers brings it; for a task that no name leads to

        return cloudpickle.dumps(piece)


class PieceLoader:
    """Stands where a launcher composes the config of a job: puts the piece of work into it.

    Args:
        witness: A file that is there as long as the process that launches holds the study.
    """

    def __init__(self, witness: str | None) -> None:
        self._witness = witness

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """Return the config of a piece, whose folder exists where it is called."""
        config = master_config.copy()
        with read_write(config), read_write(config.hydra), open_dict(config):
            config[_PAYLOAD] = sweep_overrides[0]
            if not shares(self._witness):
                config.hydra.sweep.dir = tempfile.mkdtemp(prefix="sgdlab-")
        return config


def shares(witness: str | None) -> bool:
    """Say whether this process sees the study's folder, by a file that one machine made there."""
    return witness is not None and os.path.exists(witness)


@dataclass(frozen=True)
class Worker:
    """What a worker knows beside its piece of work; the task that launchers start.

    Attributes:
        witness: A file that is there as long as the process that launches holds the study.
        leaders: The tokens by which that process holds folders: it is in nobody's way here.
        directory: Its working directory.
        path: Where it imports from.
        slots: The GPUs of this machine that pieces share; None: the launcher says which.
    """

    witness: str | None
    leaders: tuple[str, ...]
    directory: str
    path: tuple[str, ...]
    slots: GpuSlots | None

    def __call__(self, config: DictConfig) -> Any:
        """Do the piece of work that the config holds; return what it returns."""
        folder = Path(HydraConfig.get().runtime.output_dir)
        shared = shares(self.witness)
        with contextlib.ExitStack() as ending:
            if shared:
                ending.enter_context(contextlib.chdir(self.directory))
            else:
                ending.callback(shutil.rmtree, folder, ignore_errors=True)
            ending.enter_context(_importing(self.path))
            ending.enter_context(working_for(self.leaders))
            piece: Piece = pickle.loads(base64.b64decode(config[_PAYLOAD]))
            if self.slots is not None:
                ending.enter_context(self.slots.one())
            return piece(None if shared else folder)


@contextlib.contextmanager
def _importing(path: tuple[str, ...]) -> Iterator[None]:
    """Import from where the process that launches does, after own places."""
    before = list(sys.path)
    sys.path += [place for place in path if place not in before]
    try:
        yield
    finally:
        sys.path[:] = before
