"""Trains runs in the processes of one torchrun: ``torchrun … together.py OUT CASE…``.

A case is overrides with ``;`` between them. Rank 0 writes what the runs came to.
"""

import json
import sys
from pathlib import Path

import torch.distributed as dist

from sgdlab.signals import Lost
from sgdlab.steps.ranks import Ranks
from sgdlab.steps.reduction import Reduction
from sgdlab.steps.server import work_for
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run
from sgdlab.training.loop import fit
from sgdlab.training.rendezvous import Meeting
from trainer_runs import Rows, built


def of_server(run: Run, rows: Rows) -> dict:
    """Return what a parameter server came to: rows, the schedule that it was, the weights."""
    return {
        "steps": rows.step_rows, "evals": rows.evaluations, "applied": run.update.applied,
        "weights": [p.flatten().tolist() for p in run.objective.parameters],
    }  # fmt: skip


def main(out: str, cases: list[str]) -> None:
    dist.init_process_group("gloo")
    group, found = dist.group.WORLD, []
    assert group is not None
    for case in cases:
        run, rows = built(*case.split(";")), Rows()
        how = run.config.distributed
        reduction = Reduction(group, how.compression, how.powersgd_rank)
        ranks = Ranks(group, group, reduction, lambda error: Lost(str(error)))
        Meeting(ranks, None).attach(run)  # type: ignore[arg-type]
        if not ranks.lockstep and ranks.rank:
            run.model.train()
            work_for(ranks, run.objective, run.batches_of)
            continue
        with ranks.leaving():
            outcome = fit(run, rows, NoDisplay())
        if not ranks.lockstep:
            found.append(of_server(run, rows))
            continue
        parts = [len(b.y) for e in range(2) for u in run.updates(e) for b in u]
        every = ranks.gather(sum(parts))
        if ranks.rank:
            continue
        found.append(
            {
                "status": outcome.status, "steps": rows.step_rows, "evals": rows.evaluations,
                "lr": run.lr, "examples": every, "train": len(run.data.train.y),
                "effective": run.plan.effective_batch_size,
                "weights": [p.flatten().tolist() for p in run.model.parameters()],
            }
        )  # fmt: skip
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
