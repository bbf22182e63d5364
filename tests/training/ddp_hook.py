"""Trains a linear model by torch's DistributedDataParallel with a communication hook.

``torchrun … ddp_hook.py OUT COMPRESSION RANK CASE``: the data, batches and weights are those of the
run of the case. Rank 0 writes the weights that it came to.
"""

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.nn.parallel import DistributedDataParallel

from trainer_runs import built


def main(out: str, compression: str, rank: int, case: str) -> None:
    dist.init_process_group("gloo")
    run = built(*case.split(";"))
    model = DistributedDataParallel(run.model)
    if compression == "powersgd":
        state = powerSGD_hook.PowerSGDState(None, rank, start_powerSGD_iter=10)
        model.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
    else:
        model.register_comm_hook(None, default_hooks.fp16_compress_hook)
    for step in range(run.total_steps):
        (batch,) = run.batches_of(step)
        run.optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(batch.x), batch.y).backward()
        run.optimizer.step()
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps([p.flatten().tolist() for p in run.model.parameters()]))
    dist.barrier()
    dist.destroy_process_group()
    # A thread of gloo that still lets go of a hook's Python objects as the interpreter ends is
    # ended by it, which aborts the process.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
