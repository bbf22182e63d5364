"""A range test from config to files, and several side by side (``sgdlab lr-find -m``)."""

import functools
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.types import HydraContext
from omegaconf import DictConfig

from sgdlab import signals
from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.compose.of_job import explained, typed
from sgdlab.config.instantiate import call, where
from sgdlab.errors import InputError, reason_of
from sgdlab.range_test.explore import explore
from sgdlab.range_test.job import RATES, RangeJob, check_job, job_of
from sgdlab.range_test.move import moved_test
from sgdlab.range_test.result import RangeResult, result_of
from sgdlab.range_test.settings import RangeConfig
from sgdlab.range_test.show import RangeDisplay, show_all
from sgdlab.range_test.table import FIGURE, refuse_others, replacing, write_tables
from sgdlab.results import write_config, write_environment, write_error
from sgdlab.results.lock import held
from sgdlab.sweeps.run import varied_keys
from sgdlab.terminal.display import shown, stdout
from sgdlab.terminal.notices import warn
from sgdlab.training.build import Run, build_run
from sgdlab.training.environment import environment
from sgdlab.training.evidence import evidence_of
from sgdlab.training.pauses import timed
from sgdlab.training.surroundings import restored


def make_test(job: RangeJob, folder: Path, name: str) -> RangeResult:
    """Make one range test and write its files.

    Raises:
        SystemExit: With code 1 when it failed; the traceback is in ``error.txt``.
    """
    config = job.config
    try:
        with restored(config.precision == "tf32"), timed(config.limits.seconds, "the range test"):
            result, run = _make(job, name)
    except BaseException as error:
        if isinstance(error, InputError) or signals.is_real(error):
            raise
        write_error(folder, "".join(traceback.format_exception(error)))
        print(f"sgdlab: {name}: {reason_of(error)}; see {shown(folder)}/error.txt", file=sys.stderr)
        raise SystemExit(1) from error
    write_config(folder, config.plain())
    evidence = evidence_of(config, run.data.fingerprint, run.model).recorded()
    write_environment(folder, environment(run.device, run.data.recorded()) | evidence)
    write_tables(folder, [result], with_names=False)
    return result


def _make(job: RangeJob, name: str) -> tuple[RangeResult, Run]:
    """Return the result of a range test, and the run that was built first."""
    config, section = job.config, job.section
    first = run = build_run(config)
    rule = call(config.scaling, where(config, "scaling"))

    scaled = functools.partial(_scaled, rule, run.plan.effective_batch_size)
    for line in _warnings(job, run):
        warn(line)
    with RangeDisplay(name, section.steps) as display:

        def test(part: RangeConfig) -> RangeResult:
            nonlocal first
            fresh, first = first or build_run(config), None  # a test spoils its model
            return result_of(name, explore(fresh, part, scaled, display), part, scaled)

        return moved_test(test, section), run


def _scaled(rule: Callable[[float, int], float], effective_batch_size: int, lr: float) -> float:
    return float(rule(lr, effective_batch_size))


def draw(folder: Path, results: Sequence[RangeResult], title: str, section: RangeConfig) -> None:
    """Draw range tests into ``lr_find.svg``."""
    from sgdlab.range_test import figure  # matplotlib takes a second

    figure.draw(folder / FIGURE, results, title, section.mode == "linear")


def _warnings(job: RangeJob, run: Run) -> list[str]:
    section, place = job.section, where(job.config, "optimizer")
    overrides = [override for key in RATES if (override := job.typed(key)) is not None]
    lines = [
        f"{override} does not count: the rate goes through the range" for override in overrides
    ]
    if section.val:
        examples = len(run.data.val.y)
        lines.append(
            f"range.val=true: evaluates {section.steps} times {examples} validation examples, "
            f"beside {section.steps} updates of {run.plan.effective_batch_size}"
        )
    if any(group.get("line_search_fn") for group in run.optimizer.param_groups):
        lines.append(f"{place} searches along a line: lr is only where each search begins")
    return lines


def sweep(master: DictConfig, context: HydraContext, jobs: Sequence[Sequence[str]]) -> None:
    """Make the range tests of ``lr-find -m``, and compare them.

    Raises:
        InputError: A job is bad input; no test has started.
        SystemExit: With code 1 when one failed.
    """
    varied = varied_keys(jobs)
    if rates := set(varied) & set(RATES):
        raise InputError(f"{rates.pop()}: lr-find goes through the rates by itself; leave it out")
    from sgdlab.range_test.workers import tested  # which makes tests by this module

    loader = QuickLoader(context.config_loader.get_search_path())
    folder = Path(master.hydra.sweep.dir)
    prepared: dict[str, RangeJob] = {}
    folders: dict[str, Path] = {}
    for overrides in jobs:
        with explained(master, overrides):
            composed = loader.load_sweep_config(master, list(overrides))
        job = job_of(composed)
        name = _name(job, varied)
        if name in prepared:
            raise InputError(f"the sweep lists {typed(overrides)} twice")
        own = folder / _slug(name)
        if own in folders.values():  # other characters may have come to the same
            own = folder / f"{_slug(name)}-{len(folders) + 1}"
        check_job(job, own)
        prepared[name], folders[name] = job, own
    refuse_others(folder)
    with held(folder, master.lock, warn):
        found = tested(master, context, prepared, folders, folder)
        results = [result for result in found if result is not None]
        failed = len(results) < len(found)
        if results:
            _compare(prepared, results, folder)
    if failed:
        raise SystemExit(1)


def _name(job: RangeJob, varied: Sequence[str]) -> str:
    """Return what tells a job from the others: the values of what varies."""
    values = {key: (job.typed(key) or "").partition("=")[2] for key in varied}
    if len(values) > 1:
        return " ".join(f"{key}={value}" for key, value in values.items())
    return next(iter(values.values()), None) or str(job.config.names.get("optimizer", "run"))


def _slug(name: str) -> str:
    return re.sub(r"[^\w.=-]+", "-", name).strip("-.") or "job"


def _compare(jobs: dict[str, RangeJob], results: Sequence[RangeResult], folder: Path) -> None:
    section = jobs[results[0].name].section
    with replacing(folder):
        write_tables(folder, results, with_names=True)
        draw(folder, results, "Learning-rate range tests", section)
    console = stdout()
    show_all(console, results, section.mode == "linear")
    for result in results:
        if result.take is not None:
            # One line that can be copied, however wide the terminal is.
            print(f"  {jobs[result.name].command(result.take)}")
    console.print(f"files: {shown(folder)}", markup=False, highlight=False, soft_wrap=True)
