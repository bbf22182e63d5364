"""What each run of a stack saves to go on after a kill, in whatever stack it is then."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sgdlab.stacked.run import StackedRun
from sgdlab.training.state import TrainState


def save(member: StackedRun, state: Mapping[str, object], compiled: bool) -> None:
    """Write a member's checkpoint; its rows are on disk already.

    Args:
        member: The run, whose progress is saved with it.
        state: What `sgdlab.stacked.stack.Stack.states` gives for it.
        compiled: Whether it is trained by compiled code, whose last bits differ.
    """
    content = {
        "compiled": compiled,
        "progress": dataclasses.asdict(member.progress),
        "schedule": member.schedule.state_dict() or None,
        **state,
    }
    member.folder.save(content)


def restore(member: StackedRun, state: Mapping[str, Any]) -> None:
    """Put a member where its checkpoint left off."""
    member.progress = TrainState(**state["progress"])
    if state["schedule"] is not None:
        member.schedule.load_state_dict(state["schedule"])
