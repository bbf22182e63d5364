"""Whether a stack trains a model as the ordinary engine does: shown before it starts.

What is shown here, on real examples of one run, in its first and its last (smaller) update of an
epoch, accumulation as configured: the initial weights, loss, gradient norm, every gradient, every
buffer after the step, every parameter after the update, the random numbers drawn, the mode of every
layer, what a loss of the user's own holds, the weights that an optimizer evaluates in the place of
those that it trains, and outputs, loss and metric in evaluation. What happens later, once or by
chance, cannot be shown by steps; it is what `sgdlab.stacked.structure`, `sgdlab.stacked.changing`
and `sgdlab.stacked.refusals` exclude by looking: a model is a sequence of known layers, by exact
class, that nothing was hung onto. A module in the general form runs its own code in both engines,
which `torch.func` refuses to map where it depends on values, and which may have no hooks, random
numbers or settings that change.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from sgdlab import signals
from sgdlab.errors import one_line
from sgdlab.schedules.base import as_schedule
from sgdlab.stacked import cost
from sgdlab.stacked.agreement import Agreement
from sgdlab.stacked.general.loss import GeneralLoss
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.steps.batches import BatchPlan
from sgdlab.training.build import build_run, model_of
from sgdlab.training.dataset import dataset_of

# The rate of the steps: a run's own may be 0 in the first, or so large that nothing is finite.
_RATE = 0.01
# Micro-batches of an update, and operations of a forward pass of one of them, at most: a whole
# update of what trains on a GPU would take minutes here.
_MICROS, _OPERATIONS = 3, 200_000_000


def refusal(planner: StackPlanner, group: Group) -> str | None:
    """Return in what runs of a group would differ in a stack; None where they are shown to agree.

    Both engines compute in float64 on CPU, whatever the runs do. The question is whether they
    evaluate the same function, and there rounding is a millionth of a millionth of any difference
    that matters; in float32 it decides on which side of a kink of ReLU a unit lies, and no line
    could be drawn. No random state, weights or files of a run are touched.

    Args:
        planner: Builds the runs.
        group: The runs.
    """
    with _untouched():
        try:
            proof = _agreement_of(planner, group)
        except BaseException as error:
            if signals.is_real(error):
                raise
            return f"it cannot be built in float64: {one_line(error)}"
        return proof.difference()


@contextmanager
def _untouched() -> Iterator[None]:
    """Give back all random states; whoever calls may have switched autograd off."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _agreement_of(planner: StackPlanner, group: Group) -> Agreement:
    job = group.jobs[0]
    plan = _short(group.plan, max(8, int(_OPERATIONS // max(cost.operations(group), 1))))
    data = dataset_of(job.config)
    few = data.train.take(slice(plan.examples))
    data = replace(data, train=few, val=few, test=few).to("cpu", torch.float64)
    section = {k: _RATE if k == "lr" else v for k, v in job.config.optimizer.items()}
    config = replace(
        job.config, device="cpu", dtype="float64", lr=_RATE, optimizer=section,
        batch_size=plan.batch_size, accumulate=plan.accumulate,
    )  # fmt: skip
    model = model_of(config, data)
    run = build_run(config, probe=model, data=data)
    stacked, weights = planner.build(job, group)
    built = replace(stacked.built, lr=run.lr)
    stacked = replace(stacked, schedule=as_schedule(lambda *_: 1.0), built=built)
    if isinstance(group.loss, GeneralLoss):  # its tensors have the type of the run
        group = replace(group, loss=GeneralLoss(run.objective.loss))
    return Agreement(run, stacked, group, group.stacked.fresh(run.model), weights)


def _short(plan: BatchPlan, most: int) -> BatchPlan:
    """Return a plan with one whole update and a last one as in an epoch of another."""
    size, accumulate = min(plan.batch_size, most), min(plan.accumulate, _MICROS)
    whole, tail = divmod(plan.examples % plan.effective_batch_size, plan.batch_size)
    last = min(whole, accumulate - 1) * size + min(tail, size - 1)
    first = size * accumulate if plan.examples >= plan.effective_batch_size else 0
    return replace(plan, examples=first + last, batch_size=size, accumulate=accumulate)
