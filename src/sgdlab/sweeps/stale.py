"""Runs of a study that were made from other data, code or files than are there now."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from sgdlab.config.job import Job
from sgdlab.config.resolve import run_config_of
from sgdlab.config.schema import KEEP, REFUSE, RERUN
from sgdlab.errors import InputError
from sgdlab.results import ENDED, ConfigReader, find_runs, read_summary
from sgdlab.results.lock import each_held
from sgdlab.terminal.display import shown
from sgdlab.terminal.notices import warn
from sgdlab.training.aside import set_aside
from sgdlab.training.evidence import evidence_now, recorded_in
from sgdlab.training.folder import RunFolder, finished

Stale = dict[Path, str]
"""What is other than it was, by run directory."""


def unfinished(jobs: Sequence[Job], title: str) -> list[Job]:
    """Return the jobs that are to run, those that are stale set aside; say which and why.

    Args:
        jobs: All jobs of a sweep.
        title: The word before the lines.

    Raises:
        InputError: One is stale, and is to be refused; nothing has been touched.
    """
    lines: dict[str, int] = {}
    todo = set[Path]()
    stale: list[Job] = []
    for job in in_reading_order(jobs):
        said: list[str] = []
        done = finished(job.directory, job.config, job.run_id, said.append)
        for line in said:
            own = line.removeprefix(f"{shown(job.directory)} ")
            lines[own] = lines.get(own, 0) + 1
        if done is None:
            todo.add(job.directory)
            if said:
                stale.append(job)
            elif job.config.stale == REFUSE and job.config.resume:
                _refuse_checkpoint(job)
    for line, count in lines.items():
        warn(f"{title}: {count} of {len(jobs)} runs: {line}")
    with each_held([job.directory for job in stale]) as others:  # or one makes it anew already
        for job in stale:
            if job.directory not in others and not _is_made(job):
                set_aside(job.directory)
    return [job for job in jobs if job.directory in todo]


def in_reading_order(jobs: Sequence[Job]) -> list[Job]:
    """Return jobs by their folders, as they lie packed: runs that are read at once follow."""
    return sorted(jobs, key=lambda job: str(job.directory))


def _is_made(job: Job) -> bool:
    """Say whether another process has made a run in the meantime; what is to be told has been."""
    return finished(job.directory, job.config, job.run_id, say=lambda _: None) is not None


def _refuse_checkpoint(job: Job) -> None:
    folder = RunFolder(job.directory, job.run_id, "sequential")
    folder.evidence = evidence_now(job.config)
    folder.load(REFUSE, any_engine=True)


def stale_runs(study: Path, but: Collection[Path] = ()) -> Stale:
    """Return the finished runs of a study that are stale.

    Args:
        study: Its folder.
        but: Run directories to leave out.
    """
    reader, found = ConfigReader(), Stale()
    known = {directory.resolve() for directory in but}
    for directory in find_runs([study]):
        if directory.resolve() in known:
            continue
        try:
            summary = read_summary(directory)
            if summary is None or summary["status"] not in ENDED:
                continue
            changes = evidence_now(run_config_of(reader.read(directory))).changes(
                recorded_in(directory)
            )
        except (InputError, KeyError, TypeError):
            continue  # no run of ours, or one whose data are gone
        if changes:
            found[directory] = ", ".join(changes)
    return found


def refuse_stale(found: Stale, study: Path, stale: str) -> None:
    """Refuse a study with stale runs, where it asks for that.

    Raises:
        InputError: It does; says what is other.
    """
    if found and stale == REFUSE:
        raise InputError(
            f"{_several(found, study)}: stale=rerun makes them anew, stale=keep takes them as they "
            "are"
        )


def clear(found: Stale, study: Path, stale: str) -> None:
    """Set the stale runs of a study aside, so that its tables hold none, and say so.

    With ``stale=keep`` they stay, and are told.
    """
    if not found:
        return
    if stale == KEEP:
        warn(f"{_several(found, study)}: they count all the same (stale=keep)")
        return
    for directory in found:
        set_aside(directory)
    warn(f"{_several(found, study)}: they are made anew (stale=keep takes them as they are)")


def tell_others(found: Stale, study: Path, stale: str) -> None:
    """Say that a study holds stale runs that this sweep does not list."""
    if found and stale == RERUN:
        warn(f"{_several(found, study)}, not listed here: sweep them again, or set study=NAME")


def _several(found: Stale, study: Path) -> str:
    reasons: Iterable[str] = dict.fromkeys(found.values())
    return f"{shown(study)}: {len(found)} finished runs are of {'; of '.join(reasons)}"
