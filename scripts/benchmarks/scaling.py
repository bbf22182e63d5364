"""What a sweep of very many runs would take, from points measured here, and what limits it first.

A cost model of four parts, each fitted to measurements or given. A step of a stack of k runs takes
a + b·k; an all-reduce of m bytes by W processes 2(W-1)·(latency + m/(W·bandwidth)), as a ring does
(Patarasuk and Yuan, 2009); a stack has as many runs as memory holds; and each run costs the process
that launches, and the store, some milliseconds. Steps to a loss at a batch size of B are
S·(1 + B_c/B) with the critical batch size B_c (McCandlish et al., 2018), which the diagnostic
``noise_scale`` measures.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from benchmarks.common import machine

PARTS = ("computing", "storing", "launching")
"""What goes on at once in a sweep."""


@dataclass(frozen=True)
class CostModel:
    """What the parts of a sweep cost.

    Attributes:
        fixed: Seconds of a step of a stack, whatever its runs.
        run: Seconds that each run adds to it.
        run_bytes: Bytes of memory that a run needs in a stack.
        latency: Seconds of a message between two processes.
        byte: Seconds of a byte between two processes.
        launched: Seconds of the process that launches, a run.
        stored: Seconds of a worker that writes a run's files.
    """

    fixed: float
    run: float
    run_bytes: float
    latency: float
    byte: float
    launched: float
    stored: float

    def step(self, runs: float) -> float:
        """Return the seconds of a step of a stack."""
        return self.fixed + self.run * runs

    def all_reduce(self, size: float, processes: int) -> float:
        """Return the seconds in which so many processes sum a gradient of ``size`` bytes."""
        each = self.latency + self.byte * size / processes
        return 2 * (processes - 1) * each

    def break_even(self, batch: float, processes: int, size: float) -> float:
        """Return the seconds of an example from which data parallel beats a larger batch.

        Both take as many steps. One makes them in ``overhead + example·batch`` and an all-reduce,
        the other in ``overhead + example·batch·processes``.
        """
        return self.all_reduce(size, processes) / (batch * (processes - 1))

    def sweep(
        self, runs: int, steps: int, workers: int, memory: float, most: int
    ) -> dict[str, Any]:
        """Return what a sweep takes.

        Args:
            runs: The number of runs.
            steps: The steps of each.
            workers: Devices that train at once.
            memory: Bytes of each.
            most: Runs of a stack at most.

        Returns:
            Runs of a stack; the seconds of computing, storing and launching, of which the first two
            are shared by the workers and all go on at once; their maximum; and which that is.
        """
        share = -(-runs // workers)
        stack = max(1, min(most, int(memory // self.run_bytes), share))
        parts = {
            "computing": -(-share // stack) * steps * self.step(stack),
            "storing": share * self.stored,
            "launching": runs * self.launched,
        }
        first = max(parts, key=lambda name: parts[name])
        return {"stack": stack, **parts, "seconds": parts[first], "limited by": first}

    def speed_up(self, batch: float, critical: float, processes: int, size: float, example: float,
                 overhead: float) -> dict[str, float]:  # fmt: skip
        """Return how many times sooner a loss is reached than by one process with one batch.

        Args:
            batch: The batch size of one process.
            critical: The critical batch size.
            processes: How many processes, or how many times as large a batch.
            size: Bytes of the gradient.
            example: Seconds of an example.
            overhead: Seconds of a step, whatever the batch.

        Returns:
            For the ``larger batch`` in one process, and for ``data parallel`` ones with a batch of
            ``batch`` each.
        """

        def steps(examples: float) -> float:
            return 1 + critical / examples

        alone = steps(batch) * (overhead + example * batch)
        large = steps(batch * processes)
        together = overhead + example * batch + self.all_reduce(size, processes)
        return {
            "larger batch": alone / (large * (overhead + example * batch * processes)),
            "data parallel": alone / (large * together),
        }


def line(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Return a and b, neither negative, of a + b·size through points, by relative errors."""
    weights = 1 / np.asarray(seconds)
    columns = np.stack([np.ones(len(sizes)), np.asarray(sizes, float)], axis=1)
    (a, b), _ = nnls(columns * weights[:, None], np.ones(len(sizes)))
    return float(a), float(b)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8, 64, 512])
    parser.add_argument("--memory", type=float, default=2**30, help="bytes of each worker")
    parser.add_argument("--launched", type=float, default=2e-3, help="see bench.py dry and jobs")
    parser.add_argument("--stored", type=float, default=1e-3, help="see bench.py dry")
    parser.add_argument("--critical", type=float, default=400.0, help="median of noise_scale")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 16, 64])


def run(options: argparse.Namespace) -> None:
    print(machine())
    steps, run_bytes, largest, alone = measured_steps(options.sizes)
    sent = measured_messages([2**12, 2**16, 2**20, 2**23])
    fixed, each = line(list(steps), list(steps.values()))
    latency, byte = line(list(sent), list(sent.values()))
    # Two processes: 2 messages of half of the bytes each.
    model = CostModel(fixed, each, run_bytes, latency / 2, byte, options.launched, options.stored)
    for size, seconds in steps.items():
        said = model.step(size)
        print(
            f"step of {size:>3} runs  {seconds * 1e6:>10.0f} µs measured{said * 1e6:>10.0f} fitted"
        )
    for size, seconds in sent.items():
        said = model.all_reduce(size, 2)
        print(f"sum of {size:>9} B {seconds * 1e6:>10.0f} µs,{said * 1e6:>10.0f} fitted")
    print(f"{run_bytes:,} bytes a run; stacks of at most {largest}")
    print(
        f"{'workers':>8}{'stack':>7}{'computing':>12}{'storing':>10}{'launching':>11}  limited by"
    )
    for workers in options.workers:
        found = model.sweep(options.runs, options.steps, workers, options.memory, largest)
        cells = zip(PARTS, (10, 8, 9), strict=True)
        seconds = "".join(f"{found[name]:>{width}.0f} s" for name, width in cells)
        print(f"{workers:>8}{found['stack']:>7}{seconds}  {found['limited by']}")
    print(f"{'times':>8}{'larger batch':>14}{'data parallel':>15}  as soon; critical batch "
          f"{options.critical:g}")  # fmt: skip
    example, overhead, gradient = alone
    for times in (2, 4, 8, 16):
        found = model.speed_up(32, options.critical, times, gradient, example, overhead)
        print(f"{times:>8}{found['larger batch']:>14.2f}{found['data parallel']:>15.2f}")
    least = model.break_even(32, 8, gradient)
    print(f"an example takes {example * 1e6:.2g} µs; from {least * 1e6:.2g} µs on, 8 data-parallel "
          "processes beat a batch 8 times as large")  # fmt: skip


def measured_steps(
    sizes: Sequence[int],
) -> tuple[dict[int, float], int, int, tuple[float, float, float]]:
    """Measure steps of stacks of MLPs on digits, and of one run with two batch sizes.

    Returns:
        Seconds by runs; the bytes of a run; the runs of a stack at most; and the seconds of an
        example, the seconds of a step without any, and the bytes of a gradient.
    """
    from sgdlab.stacked import cost, measure
    from sgdlab.stacked.memory import bytes_per_run

    groups = {batch: _group(batch) for batch in (32, 256)}
    planner, group = groups[32]
    measured = measure.measure(planner, group, list(sizes))
    found = {size: seconds * size for size, seconds in measured.stacked.items()}
    large = measure.measure(groups[256][0], groups[256][1], []).alone
    example = max(0.0, (large - measured.alone) / (256 - 32))
    gradient = 4.0 * sum(p.numel() for p in group.model.parameters())
    alone = (example, measured.alone - 32 * example, gradient)
    return found, bytes_per_run(group), cost.largest(group), alone


def _group(batch: int) -> Any:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from sgdlab.config.app import register as register
    from sgdlab.config.catalogue import conf_dir
    from sgdlab.config.job import Job
    from sgdlab.config.resolve import resolve
    from sgdlab.stacked.group import StackPlanner

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = resolve(compose("train", ["model=mlp", "dataset=digits", f"batch_size={batch}"]))
    planner = StackPlanner()
    (group,), _ = planner.of([Job(config, "r0", Path(tempfile.gettempdir()) / "nowhere")])
    return planner, group


def measured_messages(sizes: Sequence[int], repeats: int = 20) -> dict[int, float]:
    """Return the seconds in which two processes of this machine sum so many bytes, by gloo."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        own = [
            context.Process(target=_messages, args=(rank, folder, list(sizes), repeats, queue))
            for rank in range(2)
        ]
        for process in own:
            process.start()
        found: Mapping[int, float] = queue.get(timeout=300)
        for process in own:
            process.join()
    return dict(found)


def _messages(rank: int, folder: str, sizes: list[int], repeats: int, queue: Any) -> None:
    import torch.distributed as dist

    dist.init_process_group(
        "gloo", init_method=f"file://{os.path.join(folder, 'meet')}", rank=rank, world_size=2
    )
    found: dict[int, float] = {}
    for size in sizes:
        tensor = torch.zeros(size // 4)
        times: list[float] = []
        for _ in range(repeats):
            dist.barrier()
            start = time.perf_counter()
            dist.all_reduce(tensor)
            times.append(time.perf_counter() - start)
        found[size] = min(times)  # other work on the machine only adds
    if rank == 0:
        queue.put(found)
    dist.destroy_process_group()
