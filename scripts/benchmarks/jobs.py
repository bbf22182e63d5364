"""Milliseconds a run of a sweep: composing and checking it, and writing its files.

The peer is the plain way: Hydra composes each job, `resolve` closes its ends, `check` builds it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from benchmarks.common import machine
from sgdlab.config.catalogue import conf_dir
from sgdlab.config.resolve import resolve
from sgdlab.config.run_id import run_id
from sgdlab.results import (
    SUMMARY_COLUMNS,
    RunWriter,
    write_config,
    write_environment,
    write_summary,
)
from sgdlab.sweeps.jobs import Job, QuickLoader, prepare
from sgdlab.sweeps.preflight import check
from sgdlab.training.environment import environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--plain", type=int, default=20, help="runs composed by Hydra")
    parser.add_argument("--repeats", type=int, default=3)


def run(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    print(machine())
    print(f"{'runs':>8}{'composing, checking':>24}{'the plain way':>16}{'files':>10}  ms a run")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        few = _overrides(options.plain)
        plain = _milliseconds(lambda: _plainly(few), options.plain, min(options.repeats, 2))
        for count in options.runs:
            quick = _milliseconds(lambda n=count: _prepared(n), count, options.repeats)
            jobs = _prepared(count)
            files = _milliseconds(lambda j=jobs: _write(j), count, options.repeats)
            print(f"{count:>8}{quick:>24.2f}{plain:>16.1f}{files:>10.2f}")


def _milliseconds(act: Callable[[], object], count: int, repeats: int) -> float:
    times: list[float] = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / count * 1e3


def _overrides(count: int) -> list[list[str]]:
    """Return a random search over lr and momentum: nothing repeats but the group choices."""
    return [
        ["model=mlp", f"lr={1e-3 * (n + 1)}", f"optimizer.momentum={0.5 + 0.4 * n / count}",
         f"seed={n % 5}", "study=bench", f"trial={n}"]
        for n in range(count)
    ]  # fmt: skip


def _prepared(count: int) -> list[Job]:
    hydra = GlobalHydra.instance().config_loader()
    master = hydra.load_configuration("train", [], RunMode.MULTIRUN)
    return prepare(master, QuickLoader(hydra.get_search_path()), _overrides(count))


def _plainly(jobs: list[list[str]]) -> None:
    hydra = GlobalHydra.instance().config_loader()
    master = hydra.load_configuration("train", [], RunMode.MULTIRUN)
    for job in jobs:
        composed = hydra.load_sweep_config(master, job)
        config = resolve(composed)
        check(config)
        run_id(config)
        str(composed.hydra.sweep.subdir)


def _write(jobs: list[Job]) -> None:
    cpu = torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        for job in jobs:
            directory = Path(folder) / job.run_id
            write_config(directory, job.config.plain())
            write_environment(directory, environment(cpu))
            RunWriter(directory, "accuracy").close()
            row = dict.fromkeys(SUMMARY_COLUMNS) | {"run_id": job.run_id, "lr": 0.1}
            write_summary(directory, row)
