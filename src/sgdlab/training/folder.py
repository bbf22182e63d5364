"""The folder of a run: what both engines write into it, and when."""

import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError, one_line
from sgdlab.results import (
    ENDED,
    FAILED,
    Cell,
    read_summary,
    write_config,
    write_environment,
    write_error,
    write_summary,
)
from sgdlab.terminal.notices import warn
from sgdlab.training.environment import environment

Engine = Literal["sequential", "stacked"]
_OTHER: dict[Engine, Engine] = {"sequential": "stacked", "stacked": "sequential"}


class RunFolder:
    """Head, checkpoint and end of one run; the rows between are those of its writer.

    Args:
        directory: The run directory; made when the run begins.
        run_id: The id of the run's config.
        engine: The engine that trains it; each goes on from its own checkpoints only.
    """

    def __init__(self, directory: Path, run_id: str, engine: Engine) -> None:
        self.directory = directory
        self.run_id = run_id
        self.engine: Engine = engine
        self._checkpoint = directory / "checkpoint.pt"

    def begin(
        self,
        config: RunConfig,
        device: torch.device,
        fingerprint: str | None,
        compiled: bool | None = None,
    ) -> None:
        """Write ``config.yaml`` and ``environment.json``.

        Args:
            config: The config of the run.
            device: Where it trains.
            fingerprint: The hash of its data; None where they could not be loaded.
            compiled: Whether compiled code trains it, for a run in a stack: the config says so,
                since the last bits depend on it.
        """
        content = config.plain() | {"engine": self.engine}
        if compiled is not None:
            content["stacked"] = vars(config.stacked) | {"compile": compiled}
        write_config(self.directory, content)
        write_environment(self.directory, environment(device, fingerprint))

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint atomically: a kill leaves the old one or the new one.

        All rows of the run up to here must be on disk already.
        """
        part = self.directory / f".{self._checkpoint.name}.part"
        with part.open("wb") as file:
            torch.save({"run_id": self.run_id, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._checkpoint)

    def load(self) -> dict[str, Any] | None:
        """Return the checkpoint; None when there is none, or it is damaged or not of this run."""
        if not self._checkpoint.is_file():
            return None
        try:
            state = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:
            what = one_line(error)[:100]
            warn(f"{self._checkpoint} is damaged ({what}): the run starts again")
            return None
        if state["run_id"] != self.run_id:
            return None
        if ("slots" in state) != (self.engine == "stacked"):
            warn(f"{self._checkpoint} is of engine={_OTHER[self.engine]}: the run starts again")
            return None
        return state

    def fail(self, error: Exception) -> None:
        """Write the traceback of what ends the run as failed to ``error.txt``."""
        write_error(self.directory, "".join(traceback.format_exception(error)))

    def end(self, summary: Mapping[str, Cell]) -> None:
        """Write ``summary.csv``: the run has ended. A failed one may go on from its checkpoint."""
        write_summary(self.directory, summary)
        if summary["status"] != FAILED:
            self._checkpoint.unlink(missing_ok=True)


def finished(directory: Path, identity: str, resume: bool) -> dict[str, Cell] | None:
    """Return the summary of a run that need not run again.

    Args:
        directory: The run directory.
        identity: The run id that it should have.
        resume: Whether a run can count as finished at all.

    Raises:
        InputError: The directory holds another run.
    """
    summary = read_summary(directory)
    if summary is None:
        return None
    if summary["run_id"] != identity:
        raise InputError(
            f"{directory} holds another run ({summary['run_id']}, this one is {identity}): "
            "choose another hydra.run.dir"
        )
    return summary if resume and summary["status"] in ENDED else None
