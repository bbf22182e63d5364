"""Whether compiled code trains the stacks of a group, from which step, and how it is cut.

Decided from the config, the number of cores, the size of their caches and whether there is a
compiler, as `sgdlab.stacked.cost` decides and for the same reason.
"""

import functools
import math
import os
from dataclasses import dataclass

from sgdlab.stacked import cost
from sgdlab.stacked.compiled.chunks import Chunks
from sgdlab.stacked.compiled.graph import has_compiler
from sgdlab.stacked.general.loss import GeneralLoss
from sgdlab.stacked.group import Group
from sgdlab.stacked.memory import bytes_of_step

# Microseconds that compiling takes, and what it leaves of the time of dense layers. Convolutions
# take minutes to compile, and gain nothing.
_COMPILING, _LEFT = 25e6, 0.6
# The share of the steps that are made before, at most, while the compiler is at work.
_BEFORE = 0.05
# Steps of a chunk, at most, and operations of the update in the graph: what compiling takes.
_MOST_STEPS, _TENSORS = 8, 40
# Rows of a stack: with fewer, calls cost more than products; more gain nothing. A stack of twice
# the cache still streams little, and pays half for calls.
_ROWS = 16, 64


@dataclass(frozen=True)
class Plan:
    """How compiled code trains a group.

    Attributes:
        width: The rows of every stack.
        chunks: Which steps are one call.
        first_step: The first step of compiled code.
    """

    width: int
    chunks: Chunks
    first_step: int


def plan(group: Group) -> Plan | None:
    """Return how compiled code trains a group; None: it does not."""
    asked = group.config.stacked.compile
    if asked is False or group.rule.run_by_run or not _is_written_out(group):
        return None
    if group.stacked.draws or group.average is not None:
        return None  # code would draw other masks, and hides the weights between two steps
    width, chunks = _width(group), Chunks(group.plan, _steps(group))
    if asked is True:
        return Plan(width, chunks, 0)
    on_cpu = group.data.train.x.device.type == "cpu"
    if not on_cpu or cost.is_large(group) or cost.convolves(group):
        return None
    runs = group.size
    at_once, step = min(cost.side_by_side(group), runs), cost.cost_of(group)
    eager = min(step.alone, step.stacked(min(runs, cost.largest(group))))
    if eager * runs * group.total_steps / at_once * (1 - _LEFT) < 1.5 * _COMPILING:
        return None
    if not has_compiler():
        return None
    if runs == 1 or runs > at_once * width:  # nothing to gain meanwhile, or nothing to wait for
        return Plan(width, chunks, 0)
    epoch, waiting = group.plan.steps_per_epoch, _COMPILING / (eager * width)
    return Plan(width, chunks, -(-int(min(waiting, _BEFORE * group.total_steps)) // epoch) * epoch)


def _is_written_out(group: Group) -> bool:
    return group.stacked.written_out and not isinstance(group.loss, GeneralLoss)


@functools.cache
def cache_bytes() -> int:
    """Return the size of the second-level cache of a core, a megabyte where it is not known."""
    try:
        found = os.sysconf("SC_LEVEL2_CACHE_SIZE")
    except (AttributeError, ValueError, OSError):
        found = 0
    return found if found > 0 else 2**20


def _width(group: Group) -> int:
    at_once, runs = cost.side_by_side(group), group.size
    if group.data.train.x.device.type == "cpu":
        least, most = _ROWS
        fitting = min(max(_power_above(2 * cache_bytes() / bytes_of_step(group)), least), most)
    else:
        fitting = cost.largest(group)
    needed = -(-runs // at_once)
    return min(fitting, _power_above(needed))


def _steps(group: Group) -> int:
    tensors = len(list(group.model.parameters())) * group.plan.accumulate
    most = min(_MOST_STEPS, group.plan.steps_per_epoch)
    return _power_below(min(most, max(1, _TENSORS // tensors)))


def _power_above(number: float) -> int:
    return 1 << max(0, math.ceil(number) - 1).bit_length()


def _power_below(number: int) -> int:
    return 1 << max(0, number.bit_length() - 1)
