"""A comparison from its config to its report."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, open_dict, read_write

from sgdlab.comparison.check_jobs import check_jobs, check_settings, check_target
from sgdlab.comparison.contenders import (
    Contender,
    SearchId,
    Seeds,
    Workload,
    contenders_of,
    overrides_of,
    search_ids_of,
    workloads_of,
)
from sgdlab.comparison.halving import check_halving, tune_by_halving
from sgdlab.comparison.pilot import trials_for
from sgdlab.comparison.protocol import candidates_of, first_difference, protocol
from sgdlab.comparison.timing import time_winners
from sgdlab.comparison.tuning import Tuning
from sgdlab.comparison.winners import Trial, winners_of
from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.run_id import study_name
from sgdlab.config.schema import COMPARE_ONLY
from sgdlab.errors import InputError
from sgdlab.results import DEFAULTS, FAILED, FINAL, TUNE, Cell, read_study, write_study
from sgdlab.search.halving import halving_of
from sgdlab.sweep.jobs import launch, prepare
from sgdlab.sweep.launchers import Task, context_of
from sgdlab.sweep.preflight import Checks
from sgdlab.terminal.display import stdout
from sgdlab.terminal.notices import warn

_OWN_KEYS = (*COMPARE_ONLY, "study")


@dataclass(frozen=True)
class CheckedComparison:
    """A comparison that was checked, and has left no file yet.

    Attributes:
        master: Its config, with the name of its study.
        loader: Composes its runs; those that were checked are composed already.
        checks: Knows what was built to be checked.
        contenders: What is compared.
        workloads: What on.
    """

    master: DictConfig
    loader: QuickLoader
    checks: Checks
    contenders: list[Contender]
    workloads: list[Workload]


def check_comparison(composed: DictConfig) -> CheckedComparison:
    """Refuse a comparison before it has left any file; return what `run_comparison` goes on with.

    Raises:
        InputError: Something is wrong; every run that is known by now is built once.
    """
    check_settings(composed)
    candidates_of(composed)
    study = study_name(composed)  # Hydra would hide what it refuses in an error of its own
    folder = Path(composed.hydra.run.dir).absolute()
    loader, checks = _loader(composed, folder), Checks()
    contenders, workloads = contenders_of(composed, loader), workloads_of(composed, loader)
    master = composed.copy()
    with open_dict(master):
        master.study = study
    search_ids = search_ids_of(workloads, contenders, master.replicates)
    jobs: dict[SearchId, list[list[str]]] = {}
    if "tuned" in master.tracks:
        jobs = Tuning(master, dict.fromkeys(search_ids, int(master.trials))).first_jobs()
    own = {search_id: _default_jobs(master, [search_id]) for search_id in search_ids}
    defaults = own if DEFAULTS in master.tracks else {}
    check_jobs(master, loader, checks, jobs, defaults)
    check_target(master, loader, jobs or defaults)
    _refuse_other_study(composed, contenders, workloads)
    check_halving(composed, loader, [job for own in jobs.values() for job in own])
    return CheckedComparison(master, loader, checks, contenders, workloads)


def run_comparison(checked: CheckedComparison, hydra: Any, task: Task) -> None:
    """Run a comparison to its report.

    Args:
        checked: What `check_comparison` returned.
        hydra: Hydra's own section, as it gives it to the task.
        task: Trains one run.

    Raises:
        SystemExit: With code 1 when a run failed.
    """
    folder = Path(hydra.runtime.output_dir)
    master, loader = checked.master, checked.loader
    contenders, workloads = checked.contenders, checked.workloads
    with open_dict(master):
        master.hydra = hydra
        _put_runs_in(folder, master)
    search_ids = search_ids_of(workloads, contenders, master.replicates)
    written = protocol(master, contenders, workloads)
    write_study(folder, written)
    context = context_of(master)

    def run(phase: str, jobs: Sequence[Sequence[str]]) -> list[dict[str, Cell]]:
        prepared = prepare(master, loader, jobs, checked.checks)
        if phase == TUNE and halving_of(master.search):
            return tune_by_halving(master, prepared, folder)
        return launch(master, context, loader, task, prepared, folder, phase)

    rows: list[Mapping[str, Cell]] = []
    if "tuned" in master.tracks:
        trials = dict.fromkeys(search_ids, int(master.trials))
        if master.seconds is not None:
            trials = trials_for(master, loader, search_ids, folder)
            write_study(folder, _with_trials(written, trials))
        tried = Tuning(master, trials, folder).carry_out(run)
        rows += [trial.row for own in tried.values() for trial in own]
        finals = _final_jobs(master, winners_of(tried, master.select_by))
        final = run(FINAL, finals)
        rows += final
    else:
        finals, final = [], []
    if DEFAULTS in master.tracks:
        jobs = _default_jobs(master, search_ids)
        own = run(DEFAULTS, jobs)
        finals, final = [*finals, *jobs], [*final, *own]
        rows += own
    rows += time_winners(master, loader, finals, final, folder)
    _report(folder, master.target)
    if any(row["status"] == FAILED for row in rows):
        raise SystemExit(1)


def _put_runs_in(folder: Path, config: DictConfig) -> None:
    with read_write(config.hydra):
        config.hydra.sweep.dir = str(folder)


def _loader(master: DictConfig, folder: Path) -> QuickLoader:
    typed = list(master.hydra.overrides.task)
    common = [o for o in typed if o.lstrip("+~").split("=")[0].split(".")[0] not in _OWN_KEYS]
    if candidates_of(master):
        common.append("scaling.candidates=[]")  # each trial names its own
    hydra_loader = GlobalHydra.instance().config_loader()
    adapt = functools.partial(_put_runs_in, folder)
    return QuickLoader(hydra_loader.get_search_path(), common, adapt)


def _final_jobs(master: DictConfig, winners: Mapping[SearchId, Trial]) -> list[list[str]]:
    seeds = Seeds(master.seed, master.seeds)
    return [
        overrides_of(
            search_id, trial.settings, master.study, FINAL, seed,
            trial=trial.number, evaluate_test=True,
        )
        for search_id, trial in winners.items()
        for seed in seeds.final(search_id.replicate)
    ]  # fmt: skip


def _default_jobs(master: DictConfig, search_ids: Sequence[SearchId]) -> list[list[str]]:
    seeds = Seeds(master.seed, master.seeds)
    return [
        overrides_of(search_id, {}, master.study, DEFAULTS, seed, evaluate_test=True)
        for search_id in search_ids
        for seed in seeds.final(search_id.replicate)
    ]


def _refuse_other_study(
    composed: DictConfig, contenders: Sequence[Contender], workloads: Sequence[Workload]
) -> None:
    folder = Path(composed.hydra.run.dir)
    before = read_study(folder)
    if before is None:
        return
    if difference := first_difference(before, protocol(composed, contenders, workloads)):
        raise InputError(
            f"{folder} holds a comparison with other settings ({difference}): "
            "choose another study=NAME"
        )


def _with_trials(written: Mapping[str, Any], trials: Mapping[SearchId, int]) -> dict[str, Any]:
    """Return the protocol with the trials that its seconds buy."""
    bought: dict[str, dict[str, int]] = {}
    for search_id, count in trials.items():
        bought.setdefault(search_id.workload.name, {})[search_id.contender.name] = count
    return {**written, "budget": {**written["budget"], "trials_of": bought}}


def _report(folder: Path, target: float | str | None) -> None:
    from sgdlab.report import build  # matplotlib takes a second; only the end needs it

    report = build([folder], folder / "report", target)
    report.show(stdout())
    for problem in report.problems:
        warn(problem)
