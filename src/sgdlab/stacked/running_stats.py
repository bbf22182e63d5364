"""Running averages of the runs of a stack, beside their rows."""

from collections.abc import Sequence

import numpy as np

from sgdlab.diagnostics.running import COLUMNS, Running
from sgdlab.results import StepRecord
from sgdlab.stacked.run import StackedRun

_EMPTY = "," * len(COLUMNS)


class RunningStats:
    """`Running` of the runs of a stack, all at the same step.

    Args:
        runs: The runs, in any order; some may leave later.
        every: Steps between two rows that have the columns.
    """

    def __init__(self, runs: Sequence[StackedRun], every: int) -> None:
        self._runs = list(runs)
        states = [run.progress.running for run in runs]
        known = [np.array(values) for values in zip(*states, strict=True)] if all(states) else None
        self._running = Running(every, known)

    def cells(self, record: StepRecord, runs: dict[int, StackedRun]) -> dict[int, list[str]]:
        """Return the cells that a block of steps adds to the lines of each run, comma first.

        Args:
            record: The steps of the block.
            runs: The runs that are left, by their column in the record.
        """
        self._keep(list(runs.values()))
        found: dict[int, list[str]] = {column: [] for column in runs}
        columns = list(runs)
        scalars = [values[:, columns] for values in record[4:]]
        for step, *values in zip(record.step, *scalars, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):  # a run that is about to diverge
                made = self._running.add(step, *values)
            if made is None:
                for lines in found.values():
                    lines.append(_EMPTY)
                continue
            rows = zip(*(np.broadcast_to(c, len(runs)).tolist() for c in made), strict=True)
            for lines, row in zip(found.values(), rows, strict=True):
                lines.append("".join([f",{v!r}" if v == v else "," for v in row]))
        for place, run in enumerate(runs.values()):
            run.progress.running = self._running.state(place)
        return found

    def _keep(self, runs: list[StackedRun]) -> None:
        places = {id(run): place for place, run in enumerate(self._runs)}
        kept = [places[id(run)] for run in runs]
        if kept != list(range(len(self._runs))):
            self._running.keep(kept)
            self._runs = runs
