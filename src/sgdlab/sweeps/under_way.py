"""Runs of a sweep that were under way when a process ended."""

from collections.abc import Sequence

from sgdlab.config.job import Job
from sgdlab.results.lock import holders_of
from sgdlab.terminal.notices import warn


def last(jobs: Sequence[Job], title: str) -> list[Job]:
    """Return jobs in their order, those last that an earlier process has begun and not ended.

    One of them may be what ended it: the others are made first, whatever it does this time.

    Args:
        jobs: The jobs that are to run.
        title: The word before the line that names them.
    """
    begun = [job for job in jobs if _begun(job)]
    others = holders_of([job.directory for job in begun]) if begun else {}
    begun = [job for job in begun if job.directory not in others]  # those train them now
    if not begun:
        return list(jobs)
    names = ", ".join(job.run_id for job in begun[:3])
    more = f" and {len(begun) - 3} more" if len(begun) > 3 else ""
    were = "were" if len(begun) > 1 else "was"
    warn(
        f"{title}: {names}{more} {were} under way when an earlier process ended: tried last; with "
        "isolate=true a run that ends its process ends alone"
    )
    return [*(job for job in jobs if job not in begun), *begun]


def _begun(job: Job) -> bool:
    files = (job.directory / "config.yaml", job.directory / "summary.csv")
    return [file.is_file() for file in files] == [True, False]
