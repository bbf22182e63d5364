"""Rows of many runs at once: text made by columns, files opened only while they are written."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sgdlab.errors import writing
from sgdlab.results.contract import Cell, StepRecord, text
from sgdlab.results.rows import TablesBegun


def float_texts(values: NDArray[np.float64]) -> list[str]:
    """Return floats as `repr` writes them, four times as fast."""
    import polars as pl  # slow to import, and a single run writes no blocks

    if len(values) and (values == values[0]).all():
        return [repr(float(values[0]))] * len(values)
    texts = pl.Series(values).cast(pl.String).to_list()
    size = np.abs(values)
    # Here Python and polars differ in when they write an exponent, and how, and in nan's case.
    with np.errstate(invalid="ignore"):
        plain = (values == 0) | ((size >= 1e-4) & (size < 1e16))
    for index in np.flatnonzero(~plain):
        texts[index] = repr(float(values[index]))
    return texts


def step_lines(
    record: StepRecord, counts: Sequence[int], further: Mapping[int, Sequence[str]]
) -> list[str]:
    """Return the lines of ``steps.csv`` that a block of steps adds, for each run.

    Args:
        record: The steps: the first three fields by step, the others ``[steps, runs]``.
        counts: How many of the steps belong to each run.
        further: The cells after those by run and step, each with the comma before it.
    """
    # Made at once for all runs: a call for each costs more than its numbers.
    cells = [float_texts(column.T.ravel()) for column in record[3:]]
    prefixes = [",".join(map(str, made)) for made in zip(*record[:3], strict=True)]
    steps = len(prefixes)
    lines: list[str] = []
    for run, count in enumerate(counts):
        own = (column[run * steps : run * steps + count] for column in cells)
        ends = further.get(run, [""] * count)[:count]
        rows = zip(prefixes[:count], *own, ends, strict=True)
        lines.append(
            "".join([f"{p},{lr},{loss},{g},{c}{end}\n" for p, lr, loss, g, c, end in rows])
        )
    return lines


# Blocks of a run held back before they are written: thousands of runs fit into memory.
_BLOCKS = 16


class BlockWriter(TablesBegun):
    """Writes the tables of one of many runs; no file stays open, so a thousand runs can."""

    def _prepare(self) -> None:
        self._steps: list[str] = []
        self._evals: list[str] = []

    def steps(self, lines: str) -> None:
        """Take lines of ``steps.csv``."""
        self._steps.append(lines)
        if len(self._steps) >= _BLOCKS:
            self.flush()

    def evaluation(self, row: Sequence[Cell]) -> None:
        """Take a row of ``evals.csv``."""
        self._evals.append(f"{','.join(map(text, row))}\n")

    def flush(self, durable: bool = False) -> None:
        """Append all rows so far to the files.

        Args:
            durable: Wait until they are on disk: a checkpoint must never be ahead of its rows.
        """
        for (name, sum_), lines in zip(self._sums.items(), (self._steps, self._evals), strict=True):
            if not lines:
                continue
            content = "".join(lines).encode()
            lines.clear()  # a failed write may have left a part of them: never twice
            path = self._directory / name
            with writing(path), path.open("ab") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            sum_.add(content)
