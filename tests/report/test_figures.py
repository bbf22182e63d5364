"""What the figures show, against the numbers of the analysis."""

import math
from pathlib import Path

import numpy as np
import pytest
from studies import make_study

from sgdlab.analysis import Analysis, analyse
from sgdlab.report.charts.model import Chart, Line, Points, ReferenceLine
from sgdlab.report.figures.forest import forest
from sgdlab.report.figures.profiles import profile
from sgdlab.report.figures.scene import Scene
from sgdlab.report.figures.workload import Figures, figures, prefixes

NAMES = ["adam", "sgd"]


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    workloads = (("digits", "mlp"), ("wine", "linear"))
    return analyse([make_study(tmp_path_factory.mktemp("figures"), NAMES, workloads=workloads)])


@pytest.fixture(scope="module")
def drawn(analysis: Analysis) -> Figures:
    return figures(analysis.runs, analysis.results[0], "p")


def named(charts: list[Chart], end: str) -> Chart:
    (chart,) = (chart for chart in charts if chart.name.endswith(end))
    return chart


def test_prefixes_differ(analysis: Analysis) -> None:
    found = prefixes(analysis.results)
    assert found == ["digits-mlp", "digits-mlp-defaults", "wine-linear", "wine-linear-defaults"]
    assert len(set(prefixes([*analysis.results, *analysis.results]))) == 8


def test_curves_are_medians_in_percent(analysis: Analysis, drawn: Figures) -> None:
    entry = analysis.results[0].entries[0]
    runs = analysis.runs
    values = []
    for row in entry.chosen:
        table = runs.evals[row]
        values.append(table["accuracy"][table["split"] == "val"])
    chart = named(drawn.curves, "validation-steps")
    line = next(s for s in chart.series if isinstance(s, Line) and s.name == entry.optimizer)
    np.testing.assert_allclose(line.y, 100 * np.median(values, axis=0))
    np.testing.assert_allclose(line.low or [], 100 * np.min(values, axis=0))
    np.testing.assert_allclose(line.high or [], 100 * np.max(values, axis=0))
    examples = named(drawn.curves, "validation-examples")
    assert examples.series[0].x == pytest.approx([64 * x for x in line.x])  # type: ignore[union-attr]
    rule = next(s for s in chart.series if isinstance(s, ReferenceLine))
    assert rule.at == pytest.approx(100 * analysis.results[0].target.value)  # type: ignore[operator]


def test_the_forest_has_a_row_per_pair_with_its_interval(
    analysis: Analysis, drawn: Figures
) -> None:
    (chart,) = drawn.forest
    (pair,) = analysis.results[0].primary
    (points,) = (s for s in chart.series if isinstance(s, Points))
    assert chart.y.categories == (f"{pair['first']} − {pair['second']}",)
    assert points.x == pytest.approx([100 * pair["mean_difference"]])
    assert points.low == pytest.approx([100 * pair["ci_low"]], nan_ok=True)
    assert points.high == pytest.approx([100 * pair["ci_high"]], nan_ok=True)
    better = {"first better": pair["first"], "second better": pair["second"]}
    assert points.name == better.get(pair["verdict"], "")
    rules = sorted(s.at for s in chart.series if isinstance(s, ReferenceLine))
    assert rules == [-1.0, 0.0, 1.0]  # the margin is one point


def test_a_forest_of_many_pairs_is_that_of_the_best_one(tmp_path: Path) -> None:
    names = [f"o{i:02}" for i in range(11)]
    found = analyse([make_study(tmp_path / "s", names, replicates=2, trials=3, defaults=False)])
    result = found.results[0]
    (chart,) = forest(Scene(found.runs, result, "p"))
    assert len(chart.y.categories) == 10
    assert all(result.entries[0].optimizer in row for row in chart.y.categories)
    assert "pairwise.csv has all 55" in chart.caption


def test_every_trial_is_a_point_and_winners_are_ringed(analysis: Analysis, drawn: Figures) -> None:
    result = analysis.results[0]
    for entry, chart in zip(result.entries, drawn.tuning, strict=True):
        points = [s for s in chart.series if isinstance(s, Points)]
        assert sum(len(s.x) for s in points) == len(entry.trials) == 18
        rings = next(s for s in points if s.marker == "ring")
        assert sorted(rings.x) == sorted(
            float(settings["lr"])  # type: ignore[arg-type]
            for settings in entry.settings_of.values()
        )
        lost = [s for s in points if s.edge]
        assert all(x > 0.5 for s in lost for x in s.x)


def test_basins_and_budgets_are_those_of_the_analysis(analysis: Analysis, drawn: Figures) -> None:
    result = analysis.results[0]
    (chart,) = drawn.rates
    bars = {s.name: s for s in chart.series if isinstance(s, Points) and s.marker == "bar"}
    for item in result.sensitivity:
        assert item.basin is not None
        bar = bars[item.optimizer]
        assert (bar.low, bar.high) == ([item.basin.low], [item.basin.high])
        assert bar.y == pytest.approx([100 * (item.basin.best - item.tolerance)])
    trials = named(drawn.budgets, "budget-trials")
    for line, curve in zip(trials.series, result.budgets, strict=True):
        assert isinstance(line, Line)
        known = [100 * best for best in curve.best if math.isfinite(best)]
        assert list(line.y) == pytest.approx(known)


def test_profiles_are_in_percent_of_the_workloads(analysis: Analysis) -> None:
    charts = profile(analysis)
    assert charts[0].name == "performance-profile-steps"
    assert analysis.profile is not None
    for line in charts[0].series:
        assert isinstance(line, Line)
        assert list(line.y) == [100 * s for s in analysis.profile.shares[line.name]]
