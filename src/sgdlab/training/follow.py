"""A process that trains with rank 0 and leaves no file."""

from typing import Any

import torch

from sgdlab import signals
from sgdlab.results import Cell
from sgdlab.steps.batches import stream_seed
from sgdlab.steps.ranks import Ranks
from sgdlab.steps.server import work_for
from sgdlab.steps.streams import forked, generators_in, holding, seeded
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training import checkpoint
from sgdlab.training.build import Run
from sgdlab.training.compiling import compile_loss
from sgdlab.training.environment import PeakMemory
from sgdlab.training.lockstep import pauses_of
from sgdlab.training.loop import fit
from sgdlab.training.state import TrainState
from sgdlab.training.surroundings import restored
from sgdlab.training.threads import threads_for


class _Nobody:
    """Takes the rows of a process that writes none."""

    def steps(self, rows: list[tuple[Cell, ...]], /) -> None:
        """Drop rows."""

    def evaluation(self, row: tuple[Cell, ...], /) -> None:
        """Drop a row."""


def follow(run: Run, ranks: Ranks) -> None:
    """Train with rank 0, which writes what comes of it; return when it has ended.

    Args:
        run: The run, as this process has built it.
        ranks: The processes.
    """
    config, state = run.config, TrainState()
    own: dict[str, Any] = {"model": run.model, "loss": run.objective.loss}
    own |= {"schedule": run.schedule, "optimizer": run.optimizer}
    with (
        restored(config.precision == "tf32"),
        signals.at_a_step(),
        holding(generators_in(own)),
    ):
        with forked():
            torch.set_num_threads(threads_for(run, config.threads))
        with seeded(stream_seed(config.seed, "other", ranks.rank)):
            checkpoint.begin(run)
            word = ranks.broadcast()
            if "saved" not in word:  # it is finished
                return
            saved = word["saved"]
            if not ranks.lockstep:
                compile_loss(run, None if saved is None else saved.get("compiled", False))
                run.model.train()
                run.objective.loss.train()
                work_for(ranks, run.objective, run.batches_of)
                return
            if saved is not None:
                checkpoint.restore(saved, run, state)
            compile_loss(run, None if saved is None else saved.get("compiled", False))
            memory = PeakMemory(run.device)

            def save(_: TrainState) -> None:
                checkpoint.help_save(run, ranks)

            with ranks.reaching_all():
                fit(run, _Nobody(), NoDisplay(), state, save, pauses_of(run, memory))
