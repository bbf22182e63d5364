"""All figures of one workload, by the part of the report in which they stand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sgdlab.analysis import Result
from sgdlab.analysis.load import Runs
from sgdlab.report.charts.model import Chart
from sgdlab.report.figures.budgets import budgets
from sgdlab.report.figures.curves import FigureCurves
from sgdlab.report.figures.forest import forest
from sgdlab.report.figures.heat import heat
from sgdlab.report.figures.rates import learning_rates
from sgdlab.report.figures.scene import Scene
from sgdlab.report.figures.seeds import seeds
from sgdlab.report.figures.slug import slug
from sgdlab.report.figures.tuning import scatters
from sgdlab.results import APART


@dataclass(frozen=True)
class Figures:
    """Charts of a workload; a part without any has nothing to show.

    Attributes:
        heat: The maps of the two settings compared.
        units: The figure of the metric of every replicate or seed.
        curves: The figures of validation metric and loss against steps, examples and seconds.
        gradient: The figure of the gradient norm.
        forest: The figure of pairwise differences.
        rates: The figure of the sensitivity to the learning rate.
        budgets: The figures of what so many trials buy.
        tuning: The figures of every trial, one per optimizer.
    """

    heat: list[Chart] = field(default_factory=list[Chart])
    units: list[Chart] = field(default_factory=list[Chart])
    curves: list[Chart] = field(default_factory=list[Chart])
    gradient: list[Chart] = field(default_factory=list[Chart])
    forest: list[Chart] = field(default_factory=list[Chart])
    rates: list[Chart] = field(default_factory=list[Chart])
    budgets: list[Chart] = field(default_factory=list[Chart])
    tuning: list[Chart] = field(default_factory=list[Chart])


def figures(runs: Runs, result: Result, prefix: str) -> Figures:
    """Return the figures of a workload; of a track of defaults those of its runs alone."""
    scene = Scene(runs, result, prefix)
    if result.track in APART:
        return Figures(units=seeds(scene), forest=forest(scene))
    curves = FigureCurves(scene)
    return Figures(
        heat=heat(scene),
        units=seeds(scene),
        curves=curves.all(),
        gradient=curves.gradient(),
        forest=forest(scene),
        rates=learning_rates(scene),
        budgets=budgets(scene),
        tuning=scatters(scene),
    )


def prefixes(results: Sequence[Result]) -> list[str]:
    """Return what begins the file names of the figures of each result, no two the same."""
    found: list[str] = []
    for result in results:
        prefix = slug(result.workload.name)
        if result.track in APART:
            prefix += f"-{result.track}"
        while prefix in found:
            prefix += "-x"
        found.append(prefix)
    return found
