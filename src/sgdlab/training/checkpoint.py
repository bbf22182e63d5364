"""The state of a run that the ordinary trainer goes on from after a kill."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from sgdlab.optimizers.state import load_exactly
from sgdlab.training.build import Run
from sgdlab.training.state import TrainState


def state_of(run: Run, at: TrainState) -> dict[str, Any]:
    """Return all that a run needs to go on: tensors and plain values."""
    recorder = run.diagnostics.recorder
    state: dict[str, Any] = {
        "progress": dataclasses.asdict(at),
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "stepper": run.update.state_dict(),
        "schedule": run.schedule.state_dict() or None,
        "average": run.averager.state_dict() if run.averager else None,
        "watch": recorder.state_dict() if recorder else None,
        "rng": torch.get_rng_state(),
    }
    if run.device.type == "cuda":
        state["cuda_rng"] = torch.cuda.get_rng_state(run.device)
    return state


def restore(state: Mapping[str, Any], run: Run, at: TrainState) -> None:
    """Put a run where `state_of` was called, in place."""
    run.model.load_state_dict(state["model"])
    load_exactly(run.optimizer, state["optimizer"])
    run.update.load_state_dict(state["stepper"])
    if state["schedule"] is not None:
        run.schedule.load_state_dict(state["schedule"])
    if run.averager is not None:
        run.averager.load_state_dict(state["average"])
    recorder = run.diagnostics.recorder
    if recorder is not None and state.get("watch") is not None:
        recorder.load_state_dict(state["watch"])
    torch.set_rng_state(state["rng"])
    if run.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda_rng"], run.device)
    vars(at).update(state["progress"])
