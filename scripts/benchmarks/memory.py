"""Memory of a stack: what a run more takes, against its parameters, state and activations."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks import sweep
from benchmarks.common import machine
from sgdlab.stacked import begin
from sgdlab.stacked.group import StackPlanner
from sgdlab.stacked.launch import torch_state
from sgdlab.stacked.memory import keep_freed_memory
from sgdlab.training.environment import PeakMemory

BENCH = Path(__file__).parents[1] / "bench.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", choices=list(sweep.MODELS), default="mlp")
    parser.add_argument("--runs", type=int, nargs=2, default=[32, 128])
    parser.add_argument("--of", type=int, help=argparse.SUPPRESS)


def peak(model: str, count: int) -> tuple[int, int]:
    """Train a stack in this process; return what it takes at its peak, and what a run needs."""
    keep_freed_memory()
    base = sweep.config_of(argparse.Namespace(model=model, overrides=[]), 46)
    with tempfile.TemporaryDirectory() as folder:
        planner = StackPlanner()
        (group,), _ = planner.of(sweep.jobs_of(base, count, Path(folder)))
        before = PeakMemory(torch.device("cpu")).bytes() or 0
        with torch_state(group):
            (stack,) = begin.begin(planner, group, [(job, None) for job in group.jobs], None, [])
            stack.advance(2)
            memory = PeakMemory(torch.device("cpu"))
            stack.advance(46)
            used = (memory.bytes() or 0) - before
            params = sum(p.numel() * p.element_size() for p in stack.stack.params) // count
            x = group.data.train.x[: group.plan.batch_size]
            kept = group.stacked.kept_bytes(stack.stack.params, x.expand(count, *x.shape)) // count
            batch = x.numel() * x.element_size()
    return used, params * (1 + len(group.rule.slots)) + kept + batch


def run(options: argparse.Namespace) -> None:
    if options.of is not None:
        print(*peak(options.model, options.of))
        return
    found = []
    for count in options.runs:
        command = [
            sys.executable, str(BENCH), "memory", "--model", options.model, "--of", str(count),
        ]  # fmt: skip
        used, needed = map(int, subprocess.check_output(command, text=True).split())
        found.append((count, used, needed))
    (few, less, _), (many, more, needed) = found
    own = (more - less) / (many - few)
    print(f"{options.model}, a run more in a stack of {few} to {many}; {machine()}")
    print(f"resident {own / 1024:.0f} KiB, needed {needed / 1024:.0f} KiB: {own / needed:.2f} x")
    print("target: <= 1.5 x parameters + state + activations")
