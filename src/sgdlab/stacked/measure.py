"""Measures what a step of a group costs, alone and in stacks, where no model of costs is fitted."""

import itertools
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from sgdlab.stacked import cost
from sgdlab.stacked.batches import StackedBatches
from sgdlab.stacked.begun import begun_by
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.measured import Measured, MeasuredFile
from sgdlab.stacked.memory import budget, bytes_per_run, keep_freed_memory
from sgdlab.stacked.stack import Stack
from sgdlab.training.build import build_run
from sgdlab.training.surroundings import restored
from sgdlab.training.threads import on_threads, threads_for

_SIZES = (2, 4, 8, 16, 32)
# A GPU has room for more beside each other, up to what its memory holds.
_SIZES_ON_GPU = (8, 32, 128, 512, 2048)
_SECONDS = 0.1
"""What is spent on each way at least, after a step that warms up."""
_REPEATS = 3


def refusal(planner: StackPlanner, group: Group) -> str | None:
    """Return why the runs of a group are faster one by one, or were begun so.

    A run goes on by the engine that has begun it, whatever was measured since. Measured is once on
    a machine, on the runs' own model and data, below a second or two; see `MeasuredFile`.

    Args:
        planner: Builds the runs.
        group: The runs, whose ``measured`` is set.
    """
    engine = _begun(group)
    group.measured = _measured(planner, group)
    if engine == "sequential":
        return "they were begun one by one"
    return None if engine == "stacked" else group.measured.refusal(group.size)


def _begun(group: Group) -> str | None:
    """Return the engine that has begun a run of the group; None where none is begun."""
    found = {begun_by(job.directory) for job in group.jobs if job.config.resume}
    return "stacked" if "stacked" in found else next(iter(found - {None}), None)


def _measured(planner: StackPlanner, group: Group) -> Measured:
    sizes = sizes_of(group)
    file = MeasuredFile(_made_by(group))
    known = file.read()
    if known is not None and known.stacked.keys() >= set(sizes):
        return known
    found = measure(planner, group, sizes)
    if known is not None:
        found = replace(found, stacked=known.stacked | found.stacked)
    file.write(found)
    return found


def sizes_of(group: Group) -> list[int]:
    """Return the numbers of runs in a stack that are measured: the two largest there are."""
    device, most = group.data.train.x.device, max(len(group.jobs), 2)
    if device.type == "cpu":
        return [size for size in _SIZES if size <= most][-2:]
    room = budget(group.config.stacked.max_memory, device) // bytes_per_run(group)
    most = max(min(most, room), 2)
    return sorted({most, *(size for size in _SIZES_ON_GPU if size < most)})[-2:]


def _made_by(group: Group) -> list[object]:
    device, plan = group.data.train.x.device, group.plan
    cuda = device.type == "cuda"
    return [
        1, torch.__version__, torch.cuda.get_device_name(device) if cuda else _processor(),
        torch.get_num_threads(), group.config.dtype, group.stacked.signature(group.model),
        list(group.data.train.x.shape[1:]), plan.batch_size, plan.accumulate,
        repr(group.rule), repr(type(group.loss)),
    ]  # fmt: skip


def _processor() -> str:
    """Return the name of the processor, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x for x in lines if x.startswith("model name")), platform.processor())


def measure(planner: StackPlanner, group: Group, sizes: list[int]) -> Measured:
    """Measure steps of the runs of a group, none of which is changed.

    Args:
        planner: Builds the runs.
        group: The runs.
        sizes: The numbers of runs in a stack.
    """
    keep_freed_memory()
    with restored():
        alone = [_alone(group)]
        stacked: dict[int, float] = {}
        for size in sizes:  # by turns, as other work on the machine slows both
            stacked[size] = _stacked(planner, group, size)
            alone.append(_alone(group))
    return Measured(statistics.median(alone), stacked)


def _alone(group: Group) -> float:
    run = build_run(group.config, data=group.data)
    run.model.to(run.device).train()
    updates = itertools.cycle(list(itertools.islice(run.updates(0), _REPEATS)))
    steps = itertools.count()
    with on_threads(threads_for(run, group.config.threads)), torch.enable_grad():
        return _seconds(
            lambda: float(run.update.step(next(steps), next(updates), run.lr, None).loss),
            run.device.type == "cpu",
        )


def _stacked(planner: StackPlanner, group: Group, size: int) -> float:
    jobs = (group.jobs * size)[:size]
    seeds = [replace(job, config=replace(job.config, resume=False)) for job in jobs]
    built = [planner.build(job, group) for job in seeds]
    with on_threads(cost.threads_of(group)), torch.no_grad():
        stack = Stack(group, [run for run, _ in built], [weights for _, weights in built])
        own = [run.config.seed for run in stack.rows]
        train = group.data.train
        ((_, micros),) = itertools.islice(
            StackedBatches(train.x, train.y, group.plan, own).epoch(0), 1
        )
        (coefficients,) = stack.tables.block(0, 1).steps
        stack.begin(coefficients)

        def step() -> None:
            loss, *_ = stack.step(micros, coefficients)
            assert loss is not None
            loss.sum().item()

        return _seconds(step, stack.device.type == "cpu") / size


def _seconds(step: Callable[[], object], on_cpu: bool) -> float:
    """Return the median time of a call: on CPU that of this thread, whatever else is running."""
    clock = time.thread_time if on_cpu else time.perf_counter
    step()
    step()
    times: list[float] = []
    while (sum(times) < _SECONDS and len(times) < 64) or len(times) < _REPEATS:
        start = clock()
        step()
        times.append(clock() - start)
    return statistics.median(times)
