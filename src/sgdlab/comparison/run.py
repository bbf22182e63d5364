"""A comparison from its config to its report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from sgdlab import trackers
from sgdlab.comparison.axes import at_points, axes_of, refuse_searched
from sgdlab.comparison.board import SearchBoard
from sgdlab.comparison.check_jobs import check_jobs, check_settings
from sgdlab.comparison.check_target import check_target
from sgdlab.comparison.composing import loader_of, put_runs_in
from sgdlab.comparison.contenders import (
    Contender,
    SearchId,
    contenders_of,
    default_jobs,
)
from sgdlab.comparison.halving import check_halving, tune_by_halving
from sgdlab.comparison.looks import AUTO, StudyLooks, said
from sgdlab.comparison.one_setting import check_one, joint_choice
from sgdlab.comparison.own_files import STUDY, refuse_other_study, written_in
from sgdlab.comparison.pilot import trials_for
from sgdlab.comparison.protocol import candidates_of, protocol, with_trials
from sgdlab.comparison.repeat import config_text_of
from sgdlab.comparison.search_ids import search_ids_of
from sgdlab.comparison.solo import SoloProcess
from sgdlab.comparison.stopped import says_how_to_go_on
from sgdlab.comparison.timing import start_early, time_winners
from sgdlab.comparison.tuning import Tuning
from sgdlab.comparison.winners import final_jobs, winners_of
from sgdlab.comparison.workloads import Workload, workloads_of
from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.launcher import refuse_missing_launcher
from sgdlab.config.output_folder import tell
from sgdlab.config.resolve import logger_of
from sgdlab.config.run_id import study_name
from sgdlab.config.schema import REFUSE
from sgdlab.results import (
    CONFIG,
    DEFAULTS,
    FAILED,
    FINAL,
    ONE,
    TUNE,
    Cell,
    study_text,
)
from sgdlab.results.lock import WAIT, held
from sgdlab.search.halving import halving_of
from sgdlab.sweeps.jobs import launch, prepare
from sgdlab.sweeps.launchers import Task, context_of
from sgdlab.sweeps.preflight import Checks
from sgdlab.sweeps.stale import clear, refuse_stale, stale_runs
from sgdlab.terminal.display import stdout
from sgdlab.terminal.notices import warn


@dataclass(frozen=True)
class CheckedComparison:
    """A comparison that was checked, and has left no file yet.

    Attributes:
        master: Its config, with the name of its study.
        loader: Composes its runs; those that were checked are composed already.
        checks: Knows what was built to be checked.
        contenders: What is compared.
        workloads: What on.
        logger: Where else its runs are sent.
        target_from: The study that its targets are from; empty: they are from none.
    """

    master: DictConfig
    loader: QuickLoader
    checks: Checks
    contenders: list[Contender]
    workloads: list[Workload]
    logger: trackers.Logger
    target_from: str = ""


def check_comparison(composed: DictConfig) -> CheckedComparison:
    """Refuse a comparison before it has left any file; return what `run_comparison` goes on with.

    Raises:
        InputError: Something is wrong; every run that is known by now is built once.
    """
    check_settings(composed)
    logger = trackers.checked(logger_of(composed))
    refuse_missing_launcher(composed)
    candidates_of(composed)
    study = study_name(composed)  # Hydra would hide what it refuses in an error of its own
    folder = Path(composed.hydra.run.dir).absolute()
    loader, checks = loader_of(composed, folder), Checks()
    workloads = at_points(composed, loader, workloads_of(composed, loader))
    contenders = contenders_of(composed, loader, workloads)
    refuse_searched(axes_of(composed), contenders)
    check_one(composed, workloads, contenders)
    master = composed.copy()
    with open_dict(master):
        master.study = study
    looks = StudyLooks.of(master, folder)
    search_ids = search_ids_of(master, workloads, contenders, range(looks.ahead[0]))
    jobs: dict[SearchId, list[list[str]]] = {}
    if "tuned" in master.tracks:
        jobs = Tuning(master, dict.fromkeys(search_ids, int(master.trials))).first_jobs()
    own = {search_id: default_jobs(master, [search_id]) for search_id in search_ids}
    defaults = own if DEFAULTS in master.tracks else {}
    check_jobs(master, loader, checks, jobs, defaults)
    origin = str(master.target) if str(master.target).startswith("study:") else ""
    with open_dict(master):
        master.target = check_target(master, loader, jobs or defaults)
    refuse_other_study(composed, folder, contenders, workloads)
    check_halving(composed, loader, [job for own in jobs.values() for job in own])
    if master.stale == REFUSE:
        refuse_stale(stale_runs(folder), folder, master.stale)
    return CheckedComparison(master, loader, checks, contenders, workloads, logger, origin)


def run_comparison(checked: CheckedComparison, hydra: Any, task: Task) -> None:
    """Run a comparison to its report.

    Args:
        checked: What `check_comparison` returned.
        hydra: Hydra's own section, as it gives it to the task.
        task: Trains one run.

    Raises:
        SystemExit: With code 1 when a run failed.
        InputError: Another process holds its folder, or has made it another comparison's.
    """
    folder = Path(hydra.runtime.output_dir)
    with (
        says_how_to_go_on(folder), held(folder, checked.master.lock, warn), SoloProcess() as alone,
    ):  # fmt: skip
        refuse_other_study(checked.master, folder, checked.contenders, checked.workloads)
        with trackers.following(checked.logger, folder):
            _run(checked, hydra, task, folder, alone)


def _run(
    checked: CheckedComparison, hydra: Any, task: Task, folder: Path, alone: SoloProcess
) -> None:
    master, loader = checked.master, checked.loader
    contenders, workloads = checked.contenders, checked.workloads
    with open_dict(master):
        master.hydra = hydra
        put_runs_in(folder, master)
    stale = stale_runs(folder)
    refuse_stale(stale, folder, master.stale)
    clear(stale, folder, master.stale)
    own = written_in(folder)
    own.write(CONFIG, config_text_of(master, loader, contenders, workloads))
    context = context_of(master)
    looks, bought = StudyLooks.of(master, folder), dict[SearchId, int]()
    rows: list[Mapping[str, Cell]] = []
    board = SearchBoard(master)

    def record(count: int) -> None:
        written = {**protocol(master, contenders, workloads, count), **looks.recorded()}
        if checked.target_from:
            written["target_from"] = checked.target_from
        own.write(STUDY, study_text(with_trials(written, bought) if bought else written))

    def run(phase: str, jobs: Sequence[Sequence[str]]) -> list[dict[str, Cell]]:
        prepared = prepare(master, loader, jobs, checked.checks)
        own_context = HydraContext(config_loader=loader, callbacks=context.callbacks)
        with board.on_view(prepared):
            if phase == TUNE and halving_of(master.search):
                return tune_by_halving(master, own_context, prepared, folder)
            if phase == FINAL:
                start_early(alone, rows, prepared)
            return launch(master, context, loader, task, prepared, folder, phase)

    finals: list[list[str]] = []
    final: list[dict[str, Cell]] = []
    ahead, done = looks.ahead, 0
    for place, count in enumerate(ahead):
        record(count)
        if "tuned" in master.tracks and master.seconds is not None and not bought:
            firsts = search_ids_of(master, workloads, contenders, range(1))
            bought.update(trials_for(master, loader, firsts, folder))
            record(count)
        search_ids = search_ids_of(master, workloads, contenders, range(done, count))
        board.plan(search_ids)
        if "tuned" in master.tracks:
            trials = {s: bought.get(_first_of(s, bought), int(master.trials)) for s in search_ids}
            board.plan(search_ids, trials)
            tried = Tuning(master, trials, folder).carry_out(run)
            rows += [trial.row for own_trials in tried.values() for trial in own_trials]
            jobs = final_jobs(master, winners_of(tried, master.select_by))
            finals, final = [*finals, *jobs], [*final, *run(FINAL, jobs)]
            if ONE in master.tracks:
                rows += run(ONE, final_jobs(master, joint_choice(tried, master.select_by), ONE))
        if DEFAULTS in master.tracks:
            jobs = default_jobs(master, search_ids)
            finals, final = [*finals, *jobs], [*final, *run(DEFAULTS, jobs)]
        done, looks = count, looks.after(count)
        record(count)
        failed = any(row["status"] == FAILED for row in (*rows, *final))
        if failed or (master.replicates == AUTO and _settled(folder, count, ahead[place + 1 :])):
            break
    rows += final
    rows += time_winners(master, loader, finals, final, folder, alone)
    _report(folder, master.target, checked.logger)
    tell(folder)
    if any(row["status"] == FAILED for row in rows):
        raise SystemExit(1)


def _first_of(search_id: SearchId, bought: Mapping[SearchId, int]) -> SearchId:
    """Return the search of the first replicate, whose split may be another one."""
    first = replace(search_id, replicate=0)
    own = [s for s in bought if replace(s, split_seed=first.split_seed) == first]
    return own[0] if own else first


def _settled(folder: Path, count: int, ahead: Sequence[int]) -> bool:
    """Look at the verdict of what there is, and say whether it is decided."""
    from sgdlab.analysis import analyse  # as in _report
    from sgdlab.report.verdict import is_settled

    settled = is_settled(analyse([folder]))
    stdout().print(said(count, ahead, settled=settled), highlight=False)
    return settled


def _report(folder: Path, target: Any, logger: trackers.Logger) -> None:
    from sgdlab.report import build, show  # matplotlib takes a second; only the end needs it

    pictures = trackers.with_pictures(logger, ["svg"])
    # Targets of workloads are in study.yaml, which tells where they are from.
    one = target if isinstance(target, int | float | str) else None
    report = build([folder], folder / "report", one, formats=pictures, lock=WAIT)
    show(report, stdout())
    for problem in report.problems:
        warn(problem)
