"""The state of a run that the ordinary trainer goes on from after a kill."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from sgdlab.optimizers.state import load_exactly
from sgdlab.steps import streams
from sgdlab.steps.ranks import Ranks
from sgdlab.training.build import Run
from sgdlab.training.state import TrainState


def state_of(run: Run, at: TrainState) -> dict[str, Any]:
    """Return all that a run needs to go on: tensors and plain values."""
    recorder = run.diagnostics.recorder
    optimizer = run.optimizer.state_dict() if run.shards is None else run.shards.gathered()
    state: dict[str, Any] = {
        "progress": dataclasses.asdict(at),
        "model": run.model.state_dict(),
        "loss": run.objective.loss.state_dict(),
        "optimizer": optimizer,
        "stepper": run.update.state_dict(),
        "schedule": run.schedule.state_dict() or None,
        "average": run.averager.state_dict() if run.averager else None,
        "watch": recorder.state_dict() if recorder else None,
        "callbacks": run.callbacks.state_dict(),
        "compiled": run.objective.compiled is not None,
        **_draws(run),
    }
    if run.ranks is not None and run.ranks.lockstep:
        state["ranks"] = together(run, run.ranks)
    return state


def begin(run: Run) -> None:
    """Take note of where the generators stand before the run, or a process of it, has begun."""
    run.undrawn = streams.position()


def together(run: Run, ranks: Ranks) -> list[dict[str, Any]]:
    """Return what each process of a run has for itself, by rank; all call it at the same step."""
    own = {"reduction": ranks.reduction.state_dict(), "update": run.update.state_dict()}
    return ranks.gather({**_draws(run), **own})


def _draws(run: Run) -> dict[str, Any]:
    """Return where the generators of this process stand, and whether anything was drawn."""
    state: dict[str, Any] = {
        "rng": torch.get_rng_state(),
        "generators": streams.as_text(),
        "drawn": run.undrawn != streams.position(),
    }
    if run.device.type == "cuda":
        state["cuda_rng"] = torch.cuda.get_rng_state(run.device)
    return state


def restore(state: Mapping[str, Any], run: Run, at: TrainState) -> None:
    """Put a run where `state_of` was called, in place."""
    if run.shards is None:
        run.model.load_state_dict(state["model"])
        load_exactly(run.optimizer, state["optimizer"])
    else:
        run.shards.load(state["model"], state["optimizer"])
    run.objective.loss.load_state_dict(state.get("loss") or {})
    run.update.load_state_dict(_own(state, run).get("update", state["stepper"]))
    if state["schedule"] is not None:
        run.schedule.load_state_dict(state["schedule"])
    if run.averager is not None:
        run.averager.load_state_dict(state["average"])
    recorder = run.diagnostics.recorder
    if recorder is not None and state.get("watch") is not None:
        recorder.load_state_dict(state["watch"])
    run.callbacks.load_state_dict(state.get("callbacks") or {})
    _go_on_drawing(state, run)
    vars(at).update(state["progress"])


def help_save(run: Run, ranks: Ranks) -> None:
    """Give rank 0 what it saves of this process."""
    if run.shards is not None:
        run.shards.gathered()
    together(run, ranks)


def _own(state: Mapping[str, Any], run: Run) -> Mapping[str, Any]:
    """Return what a checkpoint has of this process; nothing, where it is of another number."""
    every = state.get("ranks") or [state]
    if run.ranks is not None and not run.ranks.lockstep:
        return state
    rank, size = (0, 1) if run.ranks is None else (run.ranks.rank, run.ranks.size)
    return every[rank] if len(every) == size else {}


def _go_on_drawing(state: Mapping[str, Any], run: Run) -> None:
    """Put the generators of this process where they stood; another number of them starts anew."""
    own = _own(state, run)
    if not own:
        return
    if "generators" in own:  # older checkpoints have torch's alone
        streams.from_text(own["generators"])
    torch.set_rng_state(own["rng"])
    if run.device.type == "cuda":
        torch.cuda.set_rng_state(own["cuda_rng"], run.device)
    if run.ranks is not None and run.ranks.lockstep:
        run.ranks.reduction.load_state_dict(own["reduction"], run.device)
