"""Which experiment proves which rows."""

import re
from dataclasses import dataclass

from sgdlab.verify import (
    adam_limits,
    adaptive,
    bounds,
    convergence,
    descent,
    equivalence,
    estimators,
    noise,
    parallel,
    robbins_monro,
)
from sgdlab.verify.case import Experiment


@dataclass(frozen=True)
class Entry:
    """An experiment and what it covers.

    Attributes:
        family: Of all its checks.
        rows: Of the theory's table, without letters; or the name of a real problem.
        run: Yields the checks.
    """

    family: str
    rows: tuple[str, ...]
    run: Experiment


def row_of(label: str) -> str:
    """Return the row of a check's label: ``"24b"`` is a check of row 24."""
    found = re.match(r"\d+", label)
    return found.group() if found else label


# In the order of the table; the two long ones last, which two processes then share.
CATALOGUE: tuple[Entry, ...] = (
    Entry("descent", ("1", "2"), descent.gradient_descent),
    Entry("descent", ("3",), descent.heavy_ball),
    Entry("descent", ("4",), descent.nesterov),
    Entry("descent", ("5",), descent.steps_to_target),
    Entry("descent", ("6",), descent.stability),
    Entry("descent", ("7",), bounds.smooth_convex),
    Entry("noise", ("8",), noise.floor),
    Entry("noise", ("9",), noise.heavy_ball_floor),
    Entry("noise", ("10",), noise.inverse_time),
    Entry("noise", ("11",), noise.averaging),
    Entry("noise", ("12",), noise.convex_lipschitz),
    Entry("adaptive", ("13",), adaptive.adagrad),
    Entry("adaptive", ("14",), adaptive.rmsprop),
    Entry("adaptive", ("15",), adaptive.adam),
    Entry("adaptive", ("16",), adaptive.decay_only),
    Entry("adaptive", ("17",), adaptive.scale_free),
    Entry("adaptive", ("18",), adaptive.huge_eps),
    Entry("adaptive", ("19",), adam_limits.reddi),
    Entry("equivalence", ("20",), equivalence.swats),
    Entry("adaptive", ("21",), adam_limits.batch_scaling),
    Entry("estimators", ("22",), estimators.noise_scale),
    Entry("equivalence", ("23",), equivalence.nesterov_forms),
    Entry("equivalence", ("24",), equivalence.heavy_ball_forms),
    Entry("step_sizes", ("25",), robbins_monro.step_sizes),
    Entry("parallel", ("26",), parallel.staleness),
    Entry("parallel", ("27",), parallel.synchronous),
    Entry("parallel", ("28",), parallel.local),
    Entry("equivalence", ("29",), equivalence.kiefer_wolfowitz),
    Entry("estimators", ("30",), estimators.best_of_k),
    Entry("descent", ("31",), bounds.accelerated),
    Entry("descent", ("32",), bounds.polyak_lojasiewicz),
    Entry("noise", ("33",), noise.non_convex),
    Entry("estimators", ("34",), estimators.mini_batches),
    Entry("equivalence", ("35",), equivalence.penalty_and_decay),
    Entry("adaptive", ("36",), adam_limits.frozen),
    Entry("logistic", ("logistic",), convergence.logistic),
    Entry("ridge", ("ridge",), convergence.ridge),
)


def families() -> list[str]:
    """Return the families in their order."""
    return list(dict.fromkeys(entry.family for entry in CATALOGUE))


def rows() -> list[str]:
    """Return all rows, numbers first."""
    found = {row for entry in CATALOGUE for row in entry.rows}
    return sorted(found, key=lambda row: (not row.isdigit(), int(row) if row.isdigit() else 0, row))


def chosen(only_families: list[str], only_rows: list[str]) -> list[int]:
    """Return the places in the catalogue of what is chosen; an empty list chooses all."""
    return [
        place
        for place, entry in enumerate(CATALOGUE)
        if (not only_families or entry.family in only_families)
        and (not only_rows or set(only_rows) & set(entry.rows))
    ]
