"""What showing that stacks are the same runs costs, as a share of a comparison.

The comparison is that of ``scripts/demo.sh``, in an empty folder; give overrides for a smaller one.
"""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from benchmarks.common import machine
from sgdlab import cli
from sgdlab.stacked import group, proof, refusals

PARTS: tuple[tuple[ModuleType, str], ...] = (
    (proof, "refusal"), (group, "form_of"), (refusals, "of_optimizer"), (refusals, "of_schedule"),
)  # fmt: skip
"""The steps that are compared, then what only looks at models, optimizers and schedules."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", help="of the comparison")


class Clock:
    """Adds up the seconds of calls of functions, and their number."""

    def __init__(self) -> None:
        self.seconds, self.calls = 0.0, 0

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is, whose calls are added up."""

        def timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return act(*arguments)
            finally:
                self.seconds += time.perf_counter() - start
                self.calls += 1

        return timed


def run(options: argparse.Namespace) -> None:
    print(machine())
    steps, looks = Clock(), Clock()
    kept = [getattr(module, name) for module, name in PARTS]
    arguments, folder, said = sys.argv, os.getcwd(), io.StringIO()
    with tempfile.TemporaryDirectory() as empty:
        try:
            for (module, name), act in zip(PARTS, kept, strict=True):
                setattr(module, name, (steps if module is proof else looks).around(act))
            os.chdir(empty)
            sys.argv = ["sgdlab", "compare", *options.overrides]
            start = time.perf_counter()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = cli.main()
            total = time.perf_counter() - start
        finally:
            os.chdir(folder)
            sys.argv = arguments
            for (module, name), act in zip(PARTS, kept, strict=True):
                setattr(module, name, act)
    if code:
        sys.exit(f"{said.getvalue()}\nsgdlab compare ended with {code}")
    print(f"comparison {total:.1f} s, {steps.calls} proofs, {steps.seconds * 1e3:.0f} ms")
    for what, clock in (("steps in both engines", steps), ("looking at parts", looks)):
        print(f"{what:24}{clock.seconds / total:8.2%} of a comparison")
    print("target: < 1 %")
