"""What a run saves to go on after a kill."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch

from sgdlab.averaging import Averager
from sgdlab.optimizers.state import load_exactly
from sgdlab.terminal.notices import warn
from sgdlab.training.build import Run
from sgdlab.training.state import TrainState


def save(path: Path, run_id: str, run: Run, average: Averager | None, progress: TrainState) -> None:
    """Write the state of a run atomically: a kill leaves the old checkpoint or the new one."""
    state: dict[str, Any] = {
        "run_id": run_id,
        "progress": dataclasses.asdict(progress),
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "stepper": run.update.state_dict(),
        "schedule": _state_of(run.schedule),
        "average": average.state_dict() if average else None,
        "recorder": run.diagnostics.recorder.state_dict() if run.diagnostics.recorder else None,
        "rng": torch.get_rng_state(),
    }
    if run.device.type == "cuda":
        state["cuda_rng"] = torch.cuda.get_rng_state(run.device)
    write_state(path, state)


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load(path: Path, run_id: str, run: Run, average: Averager | None) -> TrainState | None:
    """Restore a run in place; None when there is no checkpoint, or it is of another run."""
    if not path.is_file():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["run_id"] != run_id:
        return None
    if "slots" in state:
        warn(f"{path} is of engine=stacked: the run starts again")
        return None
    run.model.load_state_dict(state["model"])
    load_exactly(run.optimizer, state["optimizer"])
    run.update.load_state_dict(state["stepper"])
    if state["schedule"] is not None:
        run.schedule.load_state_dict(state["schedule"])  # type: ignore[attr-defined]
    if average is not None:
        average.load_state_dict(state["average"])
    if run.diagnostics.recorder is not None and state.get("recorder") is not None:
        run.diagnostics.recorder.load_state_dict(state["recorder"])
    torch.set_rng_state(state["rng"])
    if run.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda_rng"], run.device)
    return TrainState(**state["progress"])


def _state_of(schedule: object) -> dict[str, Any] | None:
    """Return the state of a schedule that has one (plateau)."""
    own = getattr(schedule, "state_dict", None)
    return own() if own is not None else None
