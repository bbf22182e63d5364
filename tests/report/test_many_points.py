"""Figures and lists of thousands of runs: as small as those of a few, and no run hidden."""

import re
from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from run_folders import make_run

from sgdlab.analysis.statistics import describe
from sgdlab.report import build, content
from sgdlab.report.figures import points, seeds
from sgdlab.report.figures.style import looks

LOOKS = looks(["adam", "sgd"])


def sample(optimizer: str, count: int) -> seeds.Sample:
    values = np.random.default_rng(0).normal(0.9, 0.01, count).tolist()
    return seeds.Sample(optimizer, dict(enumerate(values)), describe(values))


def test_few_points_stay_as_they_are() -> None:
    few = [(0.1, 0.9), (0.1, 0.9), (1.0, 0.8)]
    assert points.thinned(few, 3, log=False) == few
    assert points.thinned([], 3, log=False) == []


@pytest.mark.parametrize("log", [False, True])
def test_thinned_points_are_of_the_points_and_reach_as_far(log: bool) -> None:
    rng = np.random.default_rng(0)
    many = list(zip(*(10 ** rng.uniform(-3, 0, (2, 5000))).tolist(), strict=True))
    kept = points.thinned(many, 400, log)
    assert 100 < len(kept) <= 400
    assert set(kept) <= set(many)
    spans = [np.ptp(np.log(np.array(side)), axis=0) for side in (kept, many)]
    assert spans[0] == pytest.approx(spans[1], rel=0.15)


def test_thinning_ends_where_all_points_are_one() -> None:
    assert points.thinned([(0.1, 0.5)] * 1000, 10, log=False) == [(0.1, 0.5)]


def test_a_crowd_of_seeds_is_no_larger_a_figure_than_a_few() -> None:
    few, many = (
        seeds.seeds([sample("adam", n), sample("sgd", n)], LOOKS, "accuracy", percent=True)
        for n in (seeds.CROWD, 5000)
    )
    assert few is not None
    assert many is not None
    assert len(many) < len(few)
    assert few.count("<use") > seeds.CROWD > many.count("<use")


def test_a_crowd_without_spread_is_drawn() -> None:
    equal = seeds.Sample("adam", dict.fromkeys(map(float, range(100)), 0.0), describe([0.0] * 100))
    assert seeds.seeds([equal], LOOKS, "accuracy", percent=False)


def test_thousands_of_trials_make_a_figure_of_hundreds_of_points() -> None:
    rng = np.random.default_rng(0)
    rates = 10 ** rng.uniform(-3, 0, 5000)
    values = 0.9 - 0.1 * np.log10(rates + 0.01) ** 2 + 0.01 * rng.normal(size=5000)
    pairs = list(zip(rates.tolist(), values.tolist(), strict=True))
    trials = [points.Trials(name, pairs, rates[:500].tolist(), 0.01) for name in ("adam", "sgd")]
    assert points.many_rates(trials)
    drawn = points.learning_rates(trials, LOOKS, "accuracy", maximise=True, percent=True)
    assert drawn is not None
    assert 200 < drawn.count("<use") < points.SPOTS + 500


def test_long_lists_end_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LISTED", 3)
    for seed in range(8):
        make_run(tmp_path / f"c{seed}", seed=seed)
        lost = make_run(tmp_path / f"d{seed}", seed=seed + 20, status="diverged")
        if seed < 5:
            (lost / "evals.csv").write_text("")
    report = build([tmp_path], tmp_path / "report")
    text = Page(report.html.read_text()).content.replace("\u00a0", " ")
    assert "The first 3 of 8 runs; runs.csv has all" in text
    assert "3 of the other 15 runs of the comparison" in text
    assert "And 2 more" in text
    assert len(re.findall("sgdlab train --config-dir", text)) == 4
    assert len(report.problems) == 5
