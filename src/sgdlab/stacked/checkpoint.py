"""What each run of a stack saves to go on after a kill, in whatever stack it is then."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sgdlab.errors import one_line
from sgdlab.stacked.run import StackedRun
from sgdlab.terminal.notices import warn
from sgdlab.training.checkpoint import write_state
from sgdlab.training.state import TrainState


def save(member: StackedRun, state: Mapping[str, object], compiled: bool) -> None:
    """Write a member's checkpoint atomically; its rows are on disk already.

    Args:
        member: Whose progress is saved with it.
        state: Of `sgdlab.stacked.stack.Stack.state_of`.
        compiled: Whether it is trained by compiled code, whose last bits differ.
    """
    own = getattr(member.schedule, "state_dict", None)
    content = {
        "run_id": member.job.run_id,
        "compiled": compiled,
        "progress": dataclasses.asdict(member.progress),
        "schedule": own() if own else None,
        **state,
    }
    write_state(member.job.directory / "checkpoint.pt", content)


def load(directory: Path, run_id: str) -> dict[str, Any] | None:
    """Return a run's checkpoint; None when there is none, or it is of another run or engine."""
    path = directory / "checkpoint.pt"
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        warn(f"{path} is damaged ({one_line(error)[:100]}): the run starts again")
        return None
    if state["run_id"] == run_id and "slots" not in state:
        warn(f"{path} is of engine=sequential: the run starts again")
    return state if state["run_id"] == run_id and "slots" in state else None


def restore(member: StackedRun, state: Mapping[str, Any]) -> None:
    """Put a member where its checkpoint left off."""
    member.progress = TrainState(**state["progress"])
    if state["schedule"] is not None:
        member.schedule.load_state_dict(state["schedule"])  # type: ignore[attr-defined]
