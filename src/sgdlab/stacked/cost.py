"""What a step costs, alone and in a stack: which engine is faster, and how many runs to stack.

Of written-out layers on CPU; the rest is measured (`sgdlab.stacked.measure`). Decided from the
config and the number of cores alone, so that a sweep that is resumed, or typed
again on the same machine, trains every run by the same engine and ends with the same bytes. The
constants were fitted to ``scripts/bench.py engines`` on a machine of two cores with AVX2; what they
decide is a ratio, in which the speed of a machine cancels.
"""

import functools
import math
from dataclasses import dataclass

import torch
from torch import nn

from sgdlab.stacked.general.structure import has_hooks
from sgdlab.stacked.group import Group
from sgdlab.training.threads import SMALL, operations_by_kind

# Microseconds, and operations per microsecond, on one thread.
_ALONE, _ALONE_TENSOR = 300.0, 70.0
_STACK, _STACK_TENSOR = 450.0, 110.0
_DENSE_ALONE, _CONV_ALONE = 52_000.0, 13_000.0
_DENSE_STACKED, _CONV_STACKED = 30_000.0, 17_000.0
# Newton–Schulz steps in bfloat16, whose matrices are no longer in the cache when a stack comes to
# them.
_RULE_ALONE, _RULE_BY_RUN = 46_000.0, 30_000.0
# Gains below this are within what machines differ by.
_MARGIN = 1.15

_UNMEASURED = 16
"""Runs of a stack on CPU, in the general form, where nothing was measured."""

WORTH_A_THREAD = 8
"""Runs of the smallest stack that is worth a thread of its own."""


@dataclass(frozen=True)
class Cost:
    """What steps cost, in predicted microseconds.

    Attributes:
        alone: The cost of a step of one run, by the ordinary trainer.
        fixed: The cost of a step of a stack, whatever the number of runs.
        run: What each run of a stack adds to that.
    """

    alone: float
    fixed: float
    run: float

    def stacked(self, runs: int) -> float:
        """Return the share of one run in a step of a stack; a single run is padded to two."""
        return self.fixed / runs + self.run * (2 if runs == 1 else 1)


def cost_of(group: Group) -> Cost:
    """Return what a step of a group's runs costs, forward and backward passes and update."""
    batch_size, accumulate = group.plan.batch_size, group.plan.accumulate
    tensors = len(list(group.model.parameters()))
    of_rule = group.rule.operations(list(group.model.parameters()))
    dense, conv = (3 * f * batch_size * accumulate for f in _of_group(group))
    return Cost(
        alone=(_ALONE + _ALONE_TENSOR * tensors) * (0.4 + 0.6 * accumulate)
        + dense / _DENSE_ALONE
        + conv / _CONV_ALONE
        + of_rule / _RULE_ALONE,
        fixed=(_STACK + _STACK_TENSOR * tensors) * (0.4 + 0.6 * accumulate),
        run=dense / _DENSE_STACKED + conv / _CONV_STACKED + of_rule / _RULE_BY_RUN,
    )


def side_by_side(group: Group) -> int:
    """Return how many stacks train at once.

    On CPU each has one thread: two threads in one operation gain less than two stacks on a thread
    each, wait for each other wherever the machine has other work, and would round differently.
    A GPU has one stack at a time; so has a model whose calls set what all threads share.
    """
    if group.data.train.x.device.type != "cpu":
        return 1
    if not group.stacked.written_out and has_hooks(group.model):
        return 1
    return group.config.threads or torch.get_num_threads()


def threads_of(group: Group) -> int:
    """Return the threads of the operations of a stack."""
    if group.data.train.x.device.type == "cpu":
        return 1
    return group.config.threads or torch.get_num_threads()


@functools.lru_cache(maxsize=16)
def _operations(
    model: nn.Module, shape: tuple[int, ...], tokens: bool = False
) -> tuple[float, float]:
    """Return the floating-point operations of dense layers and convolutions for one example."""
    x = torch.zeros(1, *shape, dtype=torch.int64 if tokens else next(model.parameters()).dtype)
    by_kind = operations_by_kind(model, x)
    assert by_kind is not None, "a group's model has run before"
    conv = sum(n for kind, n in by_kind.items() if "conv" in kind)
    return sum(by_kind.values()) - conv, conv


def operations(group: Group) -> float:
    """Return the floating-point operations of a forward pass of one example."""
    return sum(_of_group(group))


def _of_group(group: Group) -> tuple[float, float]:
    tokens = not group.data.train.x.is_floating_point()
    return _operations(group.model, group.data.input_shape, tokens)


def convolves(group: Group) -> bool:
    """Say whether there are convolutions."""
    return _of_group(group)[1] > 0


def is_large(group: Group) -> bool:
    """Say whether arithmetic alone fills a core, so that nothing else counts; on CPU."""
    on_cpu = group.data.train.x.device.type == "cpu"
    return on_cpu and operations(group) * group.plan.batch_size >= SMALL


def is_measured(group: Group) -> bool:
    """Say whether steps are measured, since no costs are fitted to the form or the device."""
    return not group.stacked.written_out or group.data.train.x.device.type != "cpu"


def refusal(group: Group) -> str | None:
    """Return why the runs of a group are faster one by one; None where a stack is."""
    runs = group.size
    if is_large(group):
        return "a model of this size gains nothing"
    if is_measured(group):
        return None  # `sgdlab.stacked.measure` says so
    cost = cost_of(group)
    if cost.stacked(runs) * _MARGIN <= cost.alone:
        return None
    if group.rule.run_by_run and cost.run * _MARGIN > cost.alone:
        return "an optimizer that goes run by run gains nothing with matrices of this size"
    return f"too few runs to repay a stack: {runs}"


def largest(group: Group) -> int:
    """Return the number of runs of the largest stack: beyond, a run's step gets no cheaper.

    At half of it, what a stack costs whatever its runs is a tenth of the rest.
    """
    if is_measured(group):
        if group.measured is not None:
            return group.measured.best(group.size)
        on_cpu = group.data.train.x.device.type == "cpu"
        return _UNMEASURED if on_cpu else group.size
    cost = cost_of(group)
    half = 10 * cost.fixed / max(cost.run, 1e-9)
    return 2 * min(max(2 ** round(math.log2(half)), 8), 64)
