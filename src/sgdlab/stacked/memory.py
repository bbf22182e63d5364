"""How many runs fit, and memory that the allocator keeps."""

import ctypes
import functools
import sys

import torch

from sgdlab.checks import bytes_of
from sgdlab.datasets.memory import half_of_free
from sgdlab.stacked.evaluate import CHUNK
from sgdlab.stacked.group import Group


def budget(asked: object, device: torch.device) -> int:
    """Return the bytes that a stack may take: ``stacked.max_memory``, or half of what is free."""
    if asked is not None:
        return bytes_of("stacked.max_memory", asked)
    if device.type == "cuda":
        # What torch keeps for later tensors is free for ours, too.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (torch.cuda.mem_get_info(device)[0] + kept) // 2
    return half_of_free()


def bytes_per_run(group: Group) -> int:
    """Return what one run of a group takes: a step, or an evaluation, and the order of examples."""
    weights, kept, size = _sizes(group)
    most = group.config.eval.batch_size
    evaluated = kept * -(-(min(most, CHUNK) if group.loss.is_sure else most) // size)
    order = 8 * len(group.data.train.y)
    return _of_step(group, weights) + max(2 * kept, evaluated) + order


def bytes_of_step(group: Group) -> int:
    """Return what one run of a group touches in a step of a micro-batch."""
    weights, kept, _ = _sizes(group)
    return _of_step(group, weights) + 2 * kept


def _of_step(group: Group, weights: int) -> int:
    # New and old parameters and states, gradients, and a temporary of the rule.
    averages = (group.average is not None) + group.rule.averages
    return weights * (4 + 2 * len(group.rule.slots) + averages)


def _sizes(group: Group) -> tuple[int, int, int]:
    """Return the bytes of one run's weights, those that layers keep, and the batch of these.

    What is kept is measured: two runs make the forward pass of a micro-batch in training, and the
    tensors that are alive at its end are added up; the backward pass takes as much again.
    """
    model = group.stacked.fresh()
    state = group.model.state_dict()
    device = group.data.train.x.device
    params = model.load([state, state], device)
    weights = sum(p.numel() * p.element_size() for p in params) // 2
    size = min(group.plan.batch_size, len(group.data.train.y))
    x = group.data.train.x[:size]
    model.set_generators([torch.Generator(device) for _ in range(2)])
    kept = model.kept_bytes(params, x.expand(2, *x.shape).contiguous()) // 2
    return weights, kept, size


@functools.cache
def keep_freed_memory() -> None:
    """Tell the C library to keep freed memory instead of handing it back to the system.

    The tensors of a stack are larger than what malloc keeps by default, so every operation would
    get fresh pages from the system, and wait while they are zeroed: half of the time of a step.
    Glibc only; elsewhere nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    mallopt(mmap_threshold, 32 * 2**20)  # the largest that is accepted
    mallopt(trim_threshold, 2**30)
    mallopt(top_pad, 64 * 2**20)
