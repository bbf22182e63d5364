"""Runs of a sweep at once: a step of one of them against runs one by one.

The model is the MLP 64-64-10 on digits, batch 64, Nesterov momentum, another seed and learning
rate for each run; ``--model cnn`` is the small CNN. Other models: the benchmark ``engines``.
"""

import argparse
import contextlib
import copy
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from benchmarks import train
from benchmarks.common import machine
from sgdlab.config.compose.one import compose_run
from sgdlab.config.job import Job
from sgdlab.config.schema import RunConfig
from sgdlab.stacked import begin, fit
from sgdlab.stacked.compiled.compiler import compilers_of
from sgdlab.stacked.cost import side_by_side
from sgdlab.stacked.group import StackPlanner
from sgdlab.stacked.launch import split, torch_state
from sgdlab.stacked.memory import keep_freed_memory
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run

MODELS = {"mlp": ["model=mlp", "model.hidden=[64]"], "cnn": ["model=cnn"]}
WARM = 46
"""Steps that are not measured: two epochs, whole batches and the last ones."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, nargs="+", default=[128])
    parser.add_argument("--steps", type=int, default=200, help="measured, of each run")
    parser.add_argument("--model", choices=list(MODELS), default="mlp")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of a stack")
    parser.add_argument("--compiled", action="store_true", help="measure compiled steps, too")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=["bare", "two", "hydra", "lightning"])
    parser.add_argument("overrides", nargs="*", help="of the config of all runs")


def config_of(options: argparse.Namespace, steps: int) -> RunConfig:
    overrides = [
        "optimizer=nesterov", "schedule=constant", "lr=0.05", f"max_steps={steps}",
        "eval.every=1000000", *MODELS.get(options.model, []), *options.overrides,
    ]  # fmt: skip
    return compose_run(*overrides)


def jobs_of(base: RunConfig, count: int, folder: Path) -> list[Job]:
    jobs = []
    for index in range(count):
        lr = 0.05 * (1 + index / count)
        own = replace(base, seed=index, lr=lr, optimizer=base.optimizer | {"lr": lr})
        jobs.append(Job(own, f"r{index}", folder / f"r{index}"))
    return jobs


@dataclass(frozen=True)
class Cost:
    """Seconds of a run's step: all of it, of a processor, and making its rows; compiling, once."""

    step: float
    busy: float
    rows: float
    compiling: float


def stacked(options: argparse.Namespace, count: int, compiled: bool = False) -> Cost:
    """Measure the training loop of stacks, its rows included; evaluations are not."""
    return cost(config_of(options, WARM + options.steps), options, count, WARM, compiled)


def cost(
    base: RunConfig, options: argparse.Namespace, count: int, warm: int, compiled: bool = False
) -> Cost:
    """Measure runs of a config in stacks, after some steps that warm up."""
    keep_freed_memory()
    rows = 0.0
    real = fit.step_lines

    def timed(*arguments: Any) -> list[str]:
        nonlocal rows
        start = time.perf_counter()
        lines = real(*arguments)
        rows += time.perf_counter() - start
        return lines

    with tempfile.TemporaryDirectory() as folder:
        planner = StackPlanner()
        form = replace(base.stacked, compile=compiled)
        base = replace(base, stacked=form, threads=options.threads)
        (group,), _ = planner.of(jobs_of(base, count, Path(folder)))
        workers = side_by_side(group)
        with (
            torch_state(group), ThreadPoolExecutor(workers) as pool,
            compilers_of([group]) as (compiler,),
        ):  # fmt: skip
            stacks = [
                begin.begin(planner, group, [(job, None) for job in part], compiler, [])[0]
                for part in split(group, group.jobs, workers, compiler)
            ]

            def advance(until: int) -> float:
                start = time.perf_counter()
                list(pool.map(torch.no_grad()(lambda stack: stack.advance(until)), stacks))
                return time.perf_counter() - start

            compiling = advance(warm)
            fit.step_lines = timed
            busy = time.process_time()
            seconds = advance(warm + options.steps)
            busy = time.process_time() - busy
            fit.step_lines = real
    each = count * options.steps
    at_once = min(workers, len(stacks))
    return Cost(
        seconds / each,
        busy / each,
        rows / at_once / each,
        compiling - seconds * warm / options.steps,
    )


BUSY: dict[str, float] = {}
"""Seconds of a processor for a run's step, the least so far, of peers that tell."""


def _note(name: str, seconds: float) -> None:
    BUSY[name] = min(seconds, BUSY.get(name, seconds))


def bare(options: argparse.Namespace) -> float:
    """Measure the loop that one writes by hand, without logs; one thread."""
    base = config_of(options, 1)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    planner = StackPlanner()
    (group,), _ = planner.of(jobs_of(base, 1, Path()))
    model, (x, y) = copy.deepcopy(group.model), group.data.train
    x = x.unflatten(1, group.data.input_shape) if x.ndim == 2 else x
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4, nesterov=True
    )
    size, done = group.plan.batch_size, 0
    total = max(WARM + options.steps, 400 if options.model == "mlp" else 0)
    start, busy = time.perf_counter(), time.process_time()
    while done < total:
        for part in torch.randperm(len(y)).split(size):
            if done == WARM:
                start, busy = time.perf_counter(), time.process_time()
            loss = functional.cross_entropy(model(x[part]), y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
            if done == total:
                break
    seconds = (time.perf_counter() - start) / (total - WARM)
    _note("bare", (time.process_time() - busy) / (total - WARM))
    torch.set_num_threads(before)
    return seconds


def two_processes(options: argparse.Namespace) -> float:
    """Measure two bare loops at once, each in a process with one thread: seconds a run's step."""
    command = [
        sys.executable, "-c",
        "import sys, argparse; sys.path[:0] = sys.argv[1:2]\n"
        "from benchmarks.sweep import bare\n"
        "model, steps, *overrides = sys.argv[2:]\n"
        "o = argparse.Namespace(model=model, steps=int(steps), overrides=overrides)\n"
        "bare(o); print(sum(bare(o) for _ in range(3)) / 3)",
        str(Path(__file__).parents[1]), options.model, str(options.steps), *options.overrides,
    ]  # fmt: skip
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    times = [float(p.communicate()[0]) for p in processes]
    return sum(times) / 2 / 2


def one_by_one(options: argparse.Namespace) -> float:
    """Measure runs as Hydra's own launcher trains them, files and evaluations included."""
    base = config_of(options, WARM + options.steps)
    with tempfile.TemporaryDirectory() as folder:
        jobs = jobs_of(base, 2, Path(folder))
        start = time.perf_counter()
        for job in jobs:
            train_run(job.config, job.directory, NoDisplay())
        return (time.perf_counter() - start) / len(jobs) / (WARM + options.steps)


def lightning(options: argparse.Namespace) -> float:
    return train.time_lightning(train.STEPS)


def _jax(name: str, *commands: tuple[int, int, int]) -> list[float]:
    """Return seconds of a run's step in JAX, of loops that run at once: runs, steps, threads."""
    loop = [sys.executable, str(Path(__file__).parents[1] / "peers" / "jax_loop.py")]
    processes = [
        subprocess.Popen([*loop, *map(str, [*own, n])], stdout=subprocess.PIPE, text=True)
        for n, own in enumerate(commands)
    ]
    found = [process.communicate()[0].split() for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("the peers jax and jax-per-core need the package jax (extra bench)")
    for _, busy in found:
        _note(name, float(busy))
    return [float(seconds) for seconds, _ in found]


def jax(options: argparse.Namespace) -> float:
    """Measure runs mapped over in one process, on all threads."""
    return _jax("jax", (max(options.runs), options.steps, options.threads))[0]


def jax_per_core(options: argparse.Namespace) -> float:
    """Measure single runs, one on each core at once."""
    cores = os.cpu_count() or 1
    return sum(_jax("jax-per-core", *[(1, 10 * options.steps, 1)] * cores)) / cores / cores


PEERS = {
    "bare": bare, "two": two_processes, "hydra": one_by_one, "lightning": lightning,
    "jax": jax, "jax-per-core": jax_per_core,
}  # fmt: skip
NAMES = {
    "bare": "bare loop, 1 thread", "two": "two bare processes", "hydra": "sgdlab, one by one",
    "lightning": "Lightning, CSVLogger", "jax": "JAX, vmap of a scan",
    "jax-per-core": "JAX, a run per core",
}  # fmt: skip
TARGETS = {
    "mlp": "bare loop >= 20, JAX >= 1.7 (compiled); Lightning >= 40",
    "cnn": "bare loop >= 2",
}


def run(options: argparse.Namespace) -> None:
    print(f"{options.model}, {options.steps} steps, {options.threads} threads; {machine()}")
    forms = [False, True] if options.compiled else [False]
    ours: dict[tuple[int, bool], list[Cost]] = {}
    theirs: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for count in options.runs:
            for form in forms:
                ours.setdefault((count, form), []).append(stacked(options, count, form))
        for name in options.peers:
            if name in ("lightning", "jax", "jax-per-core") and options.model != "mlp":
                continue
            with contextlib.redirect_stdout(io.StringIO()):
                theirs.setdefault(name, []).append(PEERS[name](options))
    for (count, form), costs in ours.items():
        step = statistics.median(c.step for c in costs)
        share = statistics.median(c.rows / c.step for c in costs)
        compiling = f", compiling {costs[0].compiling:.1f} s" if form else ""
        least, busy = min(c.step for c in costs), min(c.busy for c in costs)
        print(
            f"R = {count:4} {'compiled' if form else 'eager   '}  {step * 1e6:8.1f} us a run and "
            f"step (min {least * 1e6:.1f}; {busy * 1e6:.1f} of a processor), rows {share:.1%}"
            f"{compiling}"
        )
        for name, values in theirs.items():
            ratio = statistics.median(v / c.step for v, c in zip(values, costs, strict=True))
            line = f"    {NAMES[name]:24}{statistics.median(values) * 1e6:10.1f} us{ratio:8.1f} x"
            if name in BUSY:
                line += f"; {BUSY[name] * 1e6:.1f} of a processor{BUSY[name] / busy:8.1f} x"
            print(line)
    print(f"targets: {TARGETS[options.model]}")
