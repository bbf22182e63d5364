"""Running averages of the runs of a stack, beside their rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sgdlab.diagnostics.running import COLUMNS, Running
from sgdlab.stacked.run import StackedRun

_EMPTY = "," * len(COLUMNS)


class RunningStats:
    """`Running` of the members of a stack, all at the same step.

    Args:
        members: In any order; members may leave later.
        every: Steps between two rows that have the columns.
    """

    def __init__(self, members: Sequence[StackedRun], every: int) -> None:
        self._members = list(members)
        states = [member.progress.running for member in members]
        known = [np.array(values) for values in zip(*states, strict=True)] if all(states) else None
        self._running = Running(every, known)

    def cells(
        self, start: int, members: Sequence[StackedRun], scalars: Sequence[NDArray[np.float64]]
    ) -> list[list[str]]:
        """Return the cells that a block of steps adds to the rows of each member, and its comma.

        Args:
            start: Steps made before the block.
            members: Those that are left, in the order of the columns of ``scalars``.
            scalars: ``loss``, ``grad_norm`` and ``clip_coef``, each ``[steps, members]``.
        """
        places = {id(member): place for place, member in enumerate(self._members)}
        kept = [places[id(member)] for member in members]
        if kept != list(range(len(self._members))):
            self._running.keep(kept)
            self._members = list(members)
        found: list[list[str]] = [[] for _ in members]
        for index, values in enumerate(zip(*scalars, strict=True)):
            with np.errstate(over="ignore", invalid="ignore"):  # a run that is about to diverge
                made = self._running.add(start + index + 1, *values)
            if made is None:
                for lines in found:
                    lines.append(_EMPTY)
                continue
            columns = [np.broadcast_to(column, len(members)).tolist() for column in made]
            for lines, row in zip(found, zip(*columns, strict=True), strict=True):
                lines.append("".join([f",{v!r}" if v == v else "," for v in row]))
        for place, member in enumerate(members):
            member.progress.running = self._running.state(place)
        return found
