"""The range tests of ``lr-find -m``: in this process, or by the workers of a launcher."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hydra.types import HydraContext
from omegaconf import DictConfig

from sgdlab import signals
from sgdlab.range_test.job import RangeJob
from sgdlab.range_test.result import RangeResult
from sgdlab.range_test.run import make_test
from sgdlab.range_test.table import replacing
from sgdlab.sweeps.gather import taken, write_files
from sgdlab.sweeps.jobs import WORKERS
from sgdlab.sweeps.pool import pool_of
from sgdlab.terminal.notices import warn


@dataclass(frozen=True)
class RangePiece:
    """One range test, to be made by a worker.

    Attributes:
        job: The range test.
        place: Its folder.
        name: What tells it from the others.
    """

    job: RangeJob
    place: Path
    name: str

    def __call__(self, folder: Path | None) -> tuple[RangeResult | None, bytes | None]:
        """Make the test; return its result, and its files where the folder is not shared."""
        place = self.place if folder is None else folder / "test"
        with signals.handled():
            result = made(self.job, place, self.name)
        return result, None if folder is None else taken(place)


def made(job: RangeJob, folder: Path, name: str) -> RangeResult | None:
    """Make a range test; None: it failed, and has said so."""
    try:
        with replacing(folder):
            return make_test(job, folder, name)
    except SystemExit:
        return None


def tested(
    master: DictConfig,
    context: HydraContext,
    jobs: Mapping[str, RangeJob],
    folders: Mapping[str, Path],
    study: Path,
) -> list[RangeResult | None]:
    """Make range tests; return their results in order, None for each that failed.

    Args:
        master: The config of all.
        context: What Hydra hands to launchers.
        jobs: The tests by name.
        folders: Their folders by name.
        study: The folder of all.
    """
    if master.hydra.launcher._target_ != WORKERS:
        return [made(job, folders[name], name) for name, job in jobs.items()]
    pool = pool_of(master, context)
    pieces = [RangePiece(job, folders[name], name) for name, job in jobs.items()]
    with signals.at_a_step_of_children():
        answers = pool.map(pieces, study)
    results: list[RangeResult | None] = []
    for piece, answer in zip(pieces, answers, strict=True):
        if isinstance(answer, BaseException):
            warn(f"{piece.name}: {answer}")
            results.append(None)
            continue
        result, files = answer
        if files is not None:
            with replacing(piece.place):
                write_files(piece.place, files)
        results.append(result)
    return results
