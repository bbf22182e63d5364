"""A sweep of jobs that do nothing, through launcher, store and report: seconds, files, bytes.

Runs are written as training leaves them, with few rows, by chunks that a launcher hands out; then
they are packed, and a report is made of them. CPU seconds count: other work on the machine does
not change them much.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext, RunMode
from omegaconf import open_dict, read_write

from benchmarks import report
from benchmarks.common import machine
from sgdlab.config.app import register as register
from sgdlab.config.catalogue import conf_dir
from sgdlab.results.lock import held
from sgdlab.results.pack import pack
from sgdlab.sweeps.chunks import single
from sgdlab.sweeps.launchers import no_callbacks
from sgdlab.sweeps.pool import pool_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=5, help="rows of steps.csv of each run")
    parser.add_argument("--launcher", default="joblib", help="joblib, ray or submitit_local")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for runs and report, not removed")


@dataclass(frozen=True)
class NoOp:
    """Some runs, to be written by a worker; see `Piece`."""

    study: Path
    numbers: range
    count: int
    steps: int
    patterns: dict[str, dict[str, str]]

    def __call__(self, folder: Path | None) -> tuple[int, float]:
        """Write them; return how many, and the CPU seconds of that."""
        report.STEPS = self.steps
        start = time.process_time()
        for number in self.numbers:
            name = report.OPTIMIZERS[number % len(report.OPTIMIZERS)]
            rng, place = np.random.default_rng(number), number // len(report.OPTIMIZERS)
            tuned = place < report.TUNED * self.count / len(report.OPTIMIZERS)
            lr = report.BEST_LR[name] * (float(10 ** rng.uniform(-1.5, 1.5)) if tuned else 1.0)
            phase, trial, seed = ("tune", place, 0) if tuned else ("final", None, place)
            run = self.study / phase / f"r{number:09}"
            report.write_run(run, self.patterns[name], rng, lr, seed, phase, trial)
        return len(self.numbers), time.process_time() - start


def run(options: argparse.Namespace) -> None:
    print(f"{options.runs:,} runs of {options.steps} rows; {machine()}")
    with tempfile.TemporaryDirectory() as place:
        folder = options.keep or Path(place)
        patterns = report.real_runs(folder / "patterns")
        study = folder / "study"
        _table("written", options.runs, study, lambda: _written(options, study, patterns))
        with held(study):
            _table("packed", options.runs, study, lambda: pack(study) and None)
        seconds, cpu, memory = report.report(study, folder / "report")
        print(f"{'report':10}{cpu:>9.1f} CPU s{seconds:>9.1f} s{memory / 2**20:>10,.0f} MiB")


def _written(options: argparse.Namespace, study: Path, patterns: Any) -> float:
    """Write the runs by a launcher; return the CPU seconds of the workers."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose(
            "train",
            [f"hydra/launcher={options.launcher}", f"hydra.sweep.dir={study}",
             f"hydra.launcher.workers={options.workers}"]
            + ([f"hydra.launcher.n_jobs={options.workers}"] * (options.launcher == "joblib")),
            return_hydra_config=True,
        )  # fmt: skip
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.mode = RunMode.MULTIRUN
        config.hydra.job.name = "dry"
        config.hydra.runtime.output_dir = str(study)
    HydraConfig.instance().set_config(config)
    loader: Any = None
    pool = pool_of(config, HydraContext(config_loader=loader, callbacks=no_callbacks()))
    parts = single(range(options.runs), options.workers, None)
    numbers = [range(options.runs)[part] for part in parts]
    pieces = [NoOp(study, own, options.runs, options.steps, patterns) for own in numbers]
    with held(study):
        done = pool.map(pieces, study)
    if (lost := options.runs - sum(count for count, _ in done)) != 0:
        raise SystemExit(f"{lost} runs were not written")
    return sum(cpu for _, cpu in done)


def _table(name: str, runs: int, study: Path, do: Callable[[], float | None]) -> None:
    start, before = time.perf_counter(), _cpu()
    workers = do()
    seconds, cpu = time.perf_counter() - start, _cpu() - before
    files = [os.path.join(at, file) for at, _, names in os.walk(study) for file in names]
    size = sum(os.lstat(file).st_size for file in files)
    worked = "" if workers is None else f", {workers:.1f} of workers"
    each = 1e3 * (cpu + (workers or 0)) / runs
    print(
        f"{name:10}{cpu:>9.1f} CPU s{seconds:>9.1f} s{len(files):>10,} files{size:>16,} bytes"
        f"{each:>9.2f} CPU ms a run{worked}",
        flush=True,
    )


def _cpu() -> float:
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime
