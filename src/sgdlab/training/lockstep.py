"""What the processes of one run do at the same step, and what rank 0 does for all."""

import time
from typing import Any

import torch
from torch import Tensor

from sgdlab import signals
from sgdlab.config.schema import ASYNC, LOCAL, POST_LOCAL
from sgdlab.errors import InputError
from sgdlab.steps.ranks import Ranks
from sgdlab.steps.synced_norm import BatchNorm
from sgdlab.terminal.notices import warn
from sgdlab.training.build import Run
from sgdlab.training.environment import PeakMemory
from sgdlab.training.evaluation import Evaluation
from sgdlab.training.evaluator import Evaluator
from sgdlab.training.pauses import Pauses
from sgdlab.training.state import TrainState
from sgdlab.training.steplog import ProgressDisplay, Writer


def evaluator_of(run: Run, writer: Writer, display: ProgressDisplay) -> Evaluator:
    """Return what evaluates a run: of one process, or by rank 0 for all."""
    if run.ranks is None or not run.ranks.lockstep:
        return Evaluator(run, writer, display)
    return LockstepEvaluator(run, writer, display, run.ranks)


def pauses_of(run: Run, memory: PeakMemory | None = None) -> Pauses:
    """Return what a run stops for, at the same step in every process."""
    if run.ranks is None or not run.ranks.lockstep:
        return Pauses(run.config, run.plan.steps_per_epoch, memory)
    return LockstepPauses(run, memory, run.ranks)


class LockstepEvaluator(Evaluator):
    """Rank 0 evaluates; the others wait, and take over what it has found.

    Args:
        run: The run that is evaluated.
        writer: Receives a row per split, in rank 0.
        display: Told of the validation metric.
        ranks: The processes.
    """

    def __init__(self, run: Run, writer: Writer, display: ProgressDisplay, ranks: Ranks) -> None:
        super().__init__(run, writer, display)
        self._ranks = ranks

    def all_but_test(self, at: TrainState) -> float:
        """Evaluate the training and validation splits; return the training loss.

        Raises:
            RuntimeError: The processes have other weights than each other.
        """
        run, ranks = self._run, self._ranks
        run.update.sync_weights()
        whole = run.objective.parameters if run.shards is None else []
        known = ranks.gather(_bits_of(whole))
        if other := [rank for rank, bits in enumerate(known) if bits != known[0]]:
            raise RuntimeError(f"rank {other[0]} has other weights than rank 0 at step {at.step}")
        if ranks.rank == 0:
            super().all_but_test(at)
        elif run.traits.averages_itself:  # to the weights of evaluation and back: it rounds
            run.optimizer.eval()  # type: ignore[attr-defined]
            run.optimizer.train()  # type: ignore[attr-defined]
        vars(at).update(ranks.broadcast(vars(at)))
        assert at.train_loss is not None
        return at.train_loss

    def of_a_constant(self) -> float:
        """Return the training loss of a constant prediction; 0 where there is none."""
        own = super().of_a_constant() if self._ranks.rank == 0 else None
        return self._ranks.broadcast(own)

    def test(self, at: TrainState) -> tuple[Evaluation | None, Evaluation | None]:
        """Evaluate the test split in rank 0."""
        return super().test(at) if self._ranks.rank == 0 else (None, None)


class LockstepPauses(Pauses):
    """What one process stops for, all do, after the same step.

    Args:
        run: The run.
        memory: The memory of this process.
        ranks: The processes, which tell each other in every step.
    """

    def __init__(self, run: Run, memory: PeakMemory | None, ranks: Ranks) -> None:
        super().__init__(run.config, run.plan.steps_per_epoch, memory)
        self._ranks, self._save = ranks, False
        ranks.wants_pause = super().due

    def due(self) -> bool:
        """Say after a step whether some process has anything else to do than the next one."""
        agreed, self._ranks.pause = self._ranks.pause, False
        return agreed

    def agree(self) -> None:
        """Let every process know what the others stop for."""
        own = signals.number_asked(), self.over, self._by_clock(time.monotonic())
        every = self._ranks.gather(own)
        for rank, (number, over, _) in enumerate(every):
            if number is not None:
                signals.ask(number)
            if over is not None and self.over is None:
                self.over = f"{over} (rank {rank})"
        self._save = every[0][2]

    def save_due(self, step: int) -> bool:
        """Say whether a checkpoint is due after a step; by the clock of rank 0."""
        return super().save_due(step) if self.every is not None else self._save


def refuse_other_size(saved: dict[str, Any], run: Run, where: str) -> None:
    """Refuse a checkpoint of another number of processes, unless it makes the same run.

    Args:
        saved: The checkpoint.
        run: The run that is to go on from it.
        where: What the checkpoint is called.

    Raises:
        InputError: The rest of the run would be another one; says why.
    """
    every = saved.get("ranks") or [saved]
    before = saved["stepper"].get("processes", len(every))
    now = 1 if run.ranks is None else run.ranks.size
    if before == now:
        return
    how = run.config.distributed
    why = None
    if how.algorithm == ASYNC:
        why = "how late gradients come belongs to the number of workers"
    elif how.algorithm in (LOCAL, POST_LOCAL):
        why = "each worker of local SGD steps for itself"
    elif any(one.get("drawn", True) for one in every):
        why = "something in it draws at random (dropout), in each process for itself"
    elif how.compression == "powersgd":
        why = "what powersgd has left over belongs to each process"
    elif not how.sync_batchnorm and any(isinstance(m, BatchNorm) for m in run.model.modules()):
        why = "its batch norms have the statistics of each process's part"
    step = saved["progress"]["step"]
    if why is not None:
        raise InputError(
            f"{where}: of {before} processes, this run has {now}, and cannot go on exactly: {why}; "
            "take as many processes, or resume=false"
        )
    warn(f"{where}: goes on from step {step:,} of {before} processes with {now}, exactly but for "
         "rounding")  # fmt: skip


def _bits_of(parameters: list[Tensor]) -> int:
    """Return the sum of the bits of parameters, whatever the order of a sum: no rounding."""
    kinds = {2: torch.int16, 4: torch.int32, 8: torch.int64}
    total = 0
    for p in parameters:
        own = torch.view_as_real(p.detach()) if p.is_complex() else p.detach()
        total += int(own.view(kinds[own.element_size()]).sum(dtype=torch.int64))
    return total
