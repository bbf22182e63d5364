"""How many runs fit, and memory that the allocator keeps."""

import ctypes
import functools
import os
import sys
from pathlib import Path

import torch

from sgdlab.checks import bytes_of
from sgdlab.stacked.evaluate import CHUNK
from sgdlab.stacked.group import Group
from sgdlab.stacked.model import StackedModel


def budget(asked: object, device: torch.device) -> int:
    """Return the bytes that a stack may take: ``stacked.max_memory``, or half of what is free."""
    if asked is not None:
        return bytes_of("stacked.max_memory", asked)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 // 2
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


def bytes_per_run(group: Group) -> int:
    """Return what one run of a group takes: weights, states, gradients and what layers keep.

    The last is measured: two runs make the forward pass of a micro-batch in training, and the
    tensors that are alive at its end are added up; the backward pass takes as much again. The
    order of the examples and an evaluation are added by their sizes.
    """
    model = StackedModel(group.model)
    state = group.model.state_dict()
    device = group.data.train.x.device
    params = model.load([state, state], device)
    weights = sum(p.numel() * p.element_size() for p in params) // 2
    size = min(group.plan.batch_size, len(group.data.train.y))
    x = group.data.train.x[:size]
    model.set_generators([torch.Generator(device) for _ in range(2)])
    kept = model.kept_bytes(params, x.expand(2, *x.shape).contiguous()) // 2
    evaluated = kept * -(-min(group.config.eval.batch_size, CHUNK) // size)
    order = 8 * len(group.data.train.y)
    # New and old parameters and states, gradients, and a temporary of the rule.
    return weights * (4 + 2 * len(group.rule.slots)) + max(2 * kept, evaluated) + order


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
