"""Runs experiments, in this process or in several."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import torch

from sgdlab.verify.case import VerifyCheck
from sgdlab.verify.catalogue import CATALOGUE, row_of


@dataclass(frozen=True)
class VerifyResult:
    """A check and what it took.

    Attributes:
        check: The check with its measurement.
        family: The family of its experiment.
        seconds: Time since the check before it, or since the start of its experiment.
    """

    check: VerifyCheck
    family: str
    seconds: float

    @property
    def row(self) -> str:
        """Row of the theory's table, without letters."""
        return row_of(self.check.row)


def run_one(place: int) -> list[VerifyResult]:
    """Run an experiment of the catalogue.

    One that raises, or that leaves out a row, has a failed check for each row that is missing.
    """
    entry = CATALOGUE[place]
    found: list[VerifyResult] = []
    reason = "no check of this row"
    began = time.perf_counter()
    try:
        for check in entry.run():
            now = time.perf_counter()
            found.append(VerifyResult(check, entry.family, now - began))
            began = now
    except Exception as error:  # whatever it was: this row does not hold, others may
        reason = " ".join(f"{type(error).__name__}: {error}".split())
    missing = [row for row in entry.rows if row not in {result.row for result in found}]
    if not missing and reason != "no check of this row":
        missing = list(entry.rows[-1:])
    for row in missing:
        nothing = float("nan")
        name = f"{entry.run.__name__}: {reason}"
        failed = VerifyCheck(row, name, nothing, nothing, 0.0)
        found.append(VerifyResult(failed, entry.family, time.perf_counter() - began))
    return found


def run_all(places: Sequence[int], processes: int) -> Iterator[VerifyResult]:
    """Yield the results in the order of ``places``, as soon as they are there.

    Every run has one thread, whatever the environment says: results then do not depend on it, and
    two processes do not wait for each other.

    Args:
        places: Positions in the catalogue.
        processes: With 1 all run in this process; with more, none does.
    """
    if processes == 1 or len(places) <= 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for place in places:
                yield from run_one(place)
        finally:
            torch.set_num_threads(threads)
        return
    context = multiprocessing.get_context("spawn")
    with _one_thread_each():
        pool = ProcessPoolExecutor(min(processes, len(places)), context, _start)
        try:
            for results in pool.map(run_one, places):
                yield from results
        except KeyboardInterrupt:
            for child in multiprocessing.active_children():
                child.terminate()  # or the pool would wait for what they are at
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Set what workers read when they load their libraries, and restore it."""
    before = {key: os.environ.get(key) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    os.environ.update(dict.fromkeys(before, "1"))
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


def _start() -> None:
    """Let an interrupt end a worker without a traceback: the parent reports it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    torch.set_num_threads(1)
