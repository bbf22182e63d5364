"""Runs handed out to workers until all have ended, whatever dies on the way."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sgdlab import signals
from sgdlab.config.job import Job
from sgdlab.errors import InputError, one_line
from sgdlab.results.lock import HeldError
from sgdlab.sweeps.chunks import Ended
from sgdlab.sweeps.gather import put
from sgdlab.sweeps.pool import Pool
from sgdlab.sweeps.worker import Piece
from sgdlab.terminal.notices import warn
from sgdlab.training.folder import finished

MOST_FRUITLESS = 2
"""How often in a row what is left is handed out again without a run coming to its end."""

Cut = Callable[[Mapping[int, Job]], Sequence[tuple[Sequence[int], Piece]]]
"""Cuts runs, given by number, into pieces of work, each with the numbers of its runs; a piece
returns an `Ended` for each."""


class Unanswered(Exception):
    """The worker that had a run has not said what came of it."""


def hand_out(pool: Pool, jobs: Sequence[Job], cut: Cut) -> dict[int, BaseException]:
    """Hand runs out, and again what a worker that died has not done; return what went wrong.

    Args:
        pool: The workers.
        jobs: The runs, none of which is finished.
        cut: Makes the pieces.

    Raises:
        InputError: The pool cannot be had.
    """
    todo, errors, fruitless = dict(enumerate(jobs)), dict[int, BaseException](), 0
    while todo:
        said = _round(pool, todo, cut)
        errors = {n: e for n, e in errors.items() if n not in todo} | said
        lost = {n: job for n, job in todo.items() if isinstance(said.get(n), Unanswered)}
        left = {n: job for n, job in lost.items() if not has_ended(job)}
        for number in lost.keys() - left.keys():
            del errors[number]
        fruitless = fruitless + 1 if len(left) == len(todo) else 0
        if not left or fruitless >= MOST_FRUITLESS:
            break
        reason = one_line(errors[next(iter(left))])
        several = f"{len(left)} runs have" if len(left) > 1 else "1 run has"
        warn(f"{several} not come back ({reason}): handed out again")
        todo = left
    return errors


def has_ended(job: Job) -> bool:
    """Say whether a run has its result."""
    return finished(job.directory, job.config, job.run_id, say=lambda _: None) is not None


def _round(pool: Pool, todo: Mapping[int, Job], cut: Cut) -> dict[int, BaseException]:
    """Hand the runs out once; return what went wrong with which."""
    pieces = cut(todo)
    try:
        answers = pool.map([piece for _, piece in pieces], _study([*todo.values()]))
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as error:  # one worker has died, and the launcher has given up
        signals.stop_if_asked()
        answers = [error] * len(pieces)
    errors: dict[int, BaseException] = {}
    for (numbers, _), answer in zip(pieces, answers, strict=True):
        if isinstance(answer, BaseException):
            kept = answer if isinstance(answer, InputError) else Unanswered(_line_of(answer))
            errors |= dict.fromkeys(numbers, kept)
            continue
        for number, ended in zip(numbers, answer, strict=True):
            if (error := _taken(todo[number], ended)) is not None:
                errors[number] = error
    return errors


def _study(jobs: Sequence[Job]) -> Path:
    """Return the folder in which all runs lie: that of their sweep, or one in it."""
    folder = jobs[0].directory.parent
    while not all(job.directory.is_relative_to(folder) for job in jobs):
        folder = folder.parent
    return folder


def _line_of(error: BaseException) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _taken(job: Job, ended: Ended) -> BaseException | None:
    """Write what a worker returned of a run, unless it is here already; return what is wrong."""
    if ended.error is None and ended.files is not None and not has_ended(job):
        try:
            put(job.directory, ended.files)
        except (HeldError, InputError) as error:
            return error
    return ended.error
