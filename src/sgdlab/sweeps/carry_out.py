"""The runs of a sweep that are not finished, until all are: here, or where others train them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sgdlab.config.job import Job
from sgdlab.errors import InputError
from sgdlab.results import (
    FAILED,
    RUNS,
    RUNS_BEGIN,
    Cell,
    Written,
    collect_rows,
    read_summary,
    runs_text,
    shows,
)
from sgdlab.results.lock import holders_of, in_turn
from sgdlab.results.packed import is_there
from sgdlab.sweeps import under_way
from sgdlab.sweeps.stale import in_reading_order, unfinished
from sgdlab.terminal.notices import warn
from sgdlab.terminal.progress import SweepDisplay
from sgdlab.training.damage import in_the_way

_Start = Callable[[Sequence[Job]], Sequence[str | None]]
"""Runs some jobs and returns what went wrong with each; None where nothing did."""

ELSEWHERE = "another process trains it"
"""What `_Start` says went wrong with a run that another process holds."""


def carry_out(
    jobs: Sequence[Job],
    study: Path,
    title: str,
    start: _Start,
) -> list[dict[str, Cell]]:
    """Run the jobs that are not finished; return all summaries.

    A failed run does not stop the others; ``runs.csv`` of the study is written even when the
    sweep is interrupted. Runs that another sweep of the study trains are waited for at the end.

    Args:
        jobs: All jobs of the sweep.
        study: The folder of the study.
        title: The word before the progress bar.
        start: Runs some jobs and returns what went wrong with each; None where nothing did.
    """
    todo = under_way.last(unfinished(jobs, title), title)
    if len(todo) < len(jobs):
        done = f"{len(jobs) - len(todo)} of {len(jobs)} runs are finished"
        warn(f"{title}: {done}; resume=false repeats them")
    errors: dict[Path, str | None] = {
        job.directory: obstacle for job in todo if (obstacle := in_the_way(job.directory))
    }
    for obstacle in errors.values():
        warn(f"{title}: {obstacle}")
    todo = [job for job in todo if job.directory not in errors]
    try:
        if todo:
            with SweepDisplay(title, [job.directory for job in todo], len(jobs) - len(todo)):
                errors |= _started(todo, start)
                _wait_for_others(todo, errors, title, start)
    finally:
        if study.is_dir():
            with in_turn(study):  # the last one sees the runs of all
                _collect(study)
    rows = {job.directory: _row(job, errors.get(job.directory)) for job in in_reading_order(jobs)}
    return [rows[job.directory] for job in jobs]


def _collect(study: Path) -> None:
    """Write ``runs.csv`` of a study, unless there is one that a person has made or changed."""
    columns, rows, _ = collect_rows([study])
    if not rows:
        return
    table = {column: [row[column] for row in rows] for column in columns}
    try:
        written = Written(study, "without it or under another name it is written again")
        written.refuse_others([RUNS], lambda name: shows(study / name, [RUNS_BEGIN]))
    except InputError as error:
        warn(str(error))
    else:
        written.write(RUNS, runs_text(study, table))


_BETWEEN_LOOKS = 0.2  # seconds


def _started(todo: Sequence[Job], start: _Start) -> dict[Path, str | None]:
    return {job.directory: error for job, error in zip(todo, start(todo), strict=True)}


def _wait_for_others(
    todo: Sequence[Job], errors: dict[Path, str | None], title: str, start: _Start
) -> None:
    """Wait for the runs that other processes train; train those that they leave."""
    said = False
    while left := [job for job in todo if errors[job.directory] == ELSEWHERE]:
        others = holders_of([job.directory for job in left])
        free = [job for job in left if job.directory not in others]
        errors |= {job.directory: None for job in free}
        # Whoever held them has ended the others.
        if again := [job for job in free if not is_there(str(job.directory / "summary.csv"))]:
            errors |= _started(again, start)
        elif not free:
            if not said:
                who = next(iter(others.values()))
                warn(f"{title}: {len(left)} runs are trained by {who}: waiting for them")
                said = True
            time.sleep(_BETWEEN_LOOKS)


def _row(job: Job, error: str | None) -> dict[str, Cell]:
    try:
        summary = read_summary(job.directory)
    except InputError as damage:
        summary, error = None, str(damage)
    if summary is not None and error is None:
        return summary
    reason = error or "the launcher returned without a summary"
    return {**job.config.names, "run_id": job.run_id, "status": FAILED, "reason": reason}
