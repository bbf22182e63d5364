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
class CatalogueEntry:
    """An experiment and what it covers.

    Attributes:
        family: The family of all its checks, which share a plot.
        rows: Rows of the theory's table, without letters; or the name of a real problem.
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
CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry("descent", ("1", "2"), descent.gradient_descent),
    CatalogueEntry("descent", ("3",), descent.heavy_ball),
    CatalogueEntry("descent", ("4",), descent.nesterov),
    CatalogueEntry("descent", ("5",), descent.steps_to_target),
    CatalogueEntry("descent", ("6",), descent.stability),
    CatalogueEntry("descent", ("7",), bounds.smooth_convex),
    CatalogueEntry("noise", ("8",), noise.floor),
    CatalogueEntry("noise", ("9",), noise.heavy_ball_floor),
    CatalogueEntry("noise", ("10",), noise.inverse_time),
    CatalogueEntry("noise", ("11",), noise.averaging),
    CatalogueEntry("noise", ("12",), noise.convex_lipschitz),
    CatalogueEntry("adaptive", ("13",), adaptive.adagrad),
    CatalogueEntry("adaptive", ("14",), adaptive.rmsprop),
    CatalogueEntry("adaptive", ("15",), adaptive.adam),
    CatalogueEntry("adaptive", ("16",), adaptive.decay_only),
    CatalogueEntry("adaptive", ("17",), adaptive.scale_free),
    CatalogueEntry("adaptive", ("18",), adaptive.huge_eps),
    CatalogueEntry("adaptive", ("19",), adam_limits.reddi),
    CatalogueEntry("equivalence", ("20",), equivalence.swats),
    CatalogueEntry("adaptive", ("21",), adam_limits.batch_scaling),
    CatalogueEntry("estimators", ("22",), estimators.noise_scale),
    CatalogueEntry("equivalence", ("23",), equivalence.nesterov_forms),
    CatalogueEntry("equivalence", ("24",), equivalence.heavy_ball_forms),
    CatalogueEntry("step_sizes", ("25",), robbins_monro.step_sizes),
    CatalogueEntry("parallel", ("26",), parallel.staleness),
    CatalogueEntry("parallel", ("27",), parallel.synchronous),
    CatalogueEntry("parallel", ("28",), parallel.local),
    CatalogueEntry("equivalence", ("29",), equivalence.kiefer_wolfowitz),
    CatalogueEntry("estimators", ("30",), estimators.best_of_k),
    CatalogueEntry("descent", ("31",), bounds.accelerated),
    CatalogueEntry("descent", ("32",), bounds.polyak_lojasiewicz),
    CatalogueEntry("noise", ("33",), noise.non_convex),
    CatalogueEntry("estimators", ("34",), estimators.mini_batches),
    CatalogueEntry("equivalence", ("35",), equivalence.penalty_and_decay),
    CatalogueEntry("adaptive", ("36",), adam_limits.frozen),
    CatalogueEntry("logistic", ("logistic",), convergence.logistic),
    CatalogueEntry("ridge", ("ridge",), convergence.ridge),
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
