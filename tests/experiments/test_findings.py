"""Experiments: what their figures are, that the page is what was recorded, and that they repeat."""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bound import constant_of
from experiment import Figure, Seen, experiments, read, read_records
from measures import (
    MEASURES,
    best,
    best_setting,
    crossing,
    speed_up,
    table,
    trend_of_best,
    trend_of_time,
)
from page import PAGE, page
from run import main, run

EACH = pytest.mark.parametrize("name", experiments())
QUICK = [name for name in experiments() if read_records(name) and read(name).quick]


class Made:
    """A study whose tables are given."""

    def __init__(self, runs: pd.DataFrame, steps: pd.DataFrame | None = None) -> None:
        self.runs = runs
        self.steps = steps


def losses(cells: dict[tuple[float, float, int], float], **more: object) -> dict[str, Made]:
    """Return a study with the losses of runs by rate, decay and seed."""
    rows = [
        {"run_id": f"r{i}", "status": "completed", "base_lr": lr, "decay": decay, "seed": seed,
         "final_train_loss": loss, **more}
        for i, ((lr, decay, seed), loss) in enumerate(cells.items())
    ]  # fmt: skip
    return {"study": Made(pd.DataFrame(rows))}


def test_best_takes_one_setting_for_all_seeds() -> None:
    made = losses({(1.0, 0.0, 0): 1.0, (2.0, 0.0, 0): 3.0, (1.0, 0.0, 1): 5.0, (2.0, 0.0, 1): 2.0})
    # Means over seeds: 3 at rate 1, 2.5 at rate 2, whatever is best for seed 0.
    assert best(made, "study").to_dict() == {0: 3.0, 1: 2.0}


def test_a_run_that_diverged_is_never_the_best() -> None:
    made = losses({(1.0, 0.0, 0): 1.0, (2.0, 0.0, 0): 0.1})
    made["study"].runs.loc[1, "status"] = "diverged"
    assert best(made, "study").to_dict() == {0: 1.0}


def test_a_failed_run_is_refused() -> None:
    made = losses({(1.0, 0.0, 0): 1.0})
    made["study"].runs.loc[0, "status"] = "failed"
    with pytest.raises(LookupError, match="failed"):
        table(made, "study")


def test_the_best_setting_lies_between_grid_points() -> None:
    rates = [0.01, 0.04, 0.16, 0.64]
    at = math.log(0.1)
    made = losses({(lr, 0.0, 0): 1 + (math.log(lr) - at) ** 2 for lr in rates})
    assert best_setting(made, "study", "base_lr").to_list() == pytest.approx([0.1])


@pytest.mark.parametrize("power", [0.0, -1.0, 0.5])
def test_the_trend_of_the_best_setting_is_its_power(power: float) -> None:
    grid = np.geomspace(1e-4, 1e2, 25)
    made = losses(
        {(lr, decay, seed): 1 + (math.log(decay) - power * math.log(lr)) ** 2
         for lr in (0.1, 0.2, 0.4) for decay in grid for seed in (0, 1)}
    )  # fmt: skip
    found = trend_of_best(made, "study", "decay", "base_lr")
    assert found.to_list() == pytest.approx([power, power], abs=1e-6)


def test_the_crossing_is_where_the_line_between_grid_points_is() -> None:
    made = losses({(1.0, 0.0, 0): 1.0, (4.0, 0.0, 0): 1.0, (16.0, 0.0, 0): 4.0})
    # Doubled half-way, in logarithms, between 4 and 16.
    assert crossing(made, "study", "base_lr", 2.0).to_list() == pytest.approx([8.0])


def test_a_speed_up_is_in_steps_of_the_other_for_the_same_loss() -> None:
    def ran(power: float, horizons: list[int]) -> Made:
        rows = [
            {"run_id": f"r{steps}{lr}", "status": "completed", "base_lr": lr, "seed": 0,
             "steps": steps, "final_val_loss": steps ** -power + abs(lr - 1)}
            for steps in horizons for lr in (0.5, 1.0)
        ]  # fmt: skip
        return Made(pd.DataFrame(rows))

    made: dict[str, Any] = {"slow": ran(0.5, [100, 200, 400, 800]), "fast": ran(0.55, [100, 200])}
    # x^-0.5 = 100^-0.55 at x = 100^1.1.
    found = speed_up(made, "fast", "slow", 100)
    assert found.to_list() == pytest.approx([100**0.1], rel=0.03)
    assert speed_up(made, "slow", "slow", 400).to_list() == pytest.approx([1.0])
    beyond = {"slow": ran(0.5, [100, 200]), "fast": ran(1.0, [100])}
    assert speed_up(beyond, "fast", "slow", 100).to_list() == pytest.approx([2.0])


def test_the_trend_of_times_is_one_where_the_time_is_in_proportion() -> None:
    steps = pd.DataFrame({"run_id": "r0", "step": range(1, 101)})
    for k in (1, 2, 4, 8):
        steps[f"class_loss.{k}"] = np.where(steps["step"] < 10 * k, 2.0, 0.5)
    made = losses({(1.0, 0.0, 0): 1.0})
    made["study"].steps = steps
    assert trend_of_time(made, "study", 1.0).to_list() == pytest.approx([1.0])


@pytest.mark.slow
def test_the_bound_is_that_of_the_sums_written_out() -> None:
    steps = 40
    s = np.array([1.0] * 32 + [1 - i / 8 for i in range(8)])

    def bound(rate: float) -> float:
        eta = rate * s
        value = 1 / (2 * eta.sum()) + (eta**2).sum() / (2 * eta.sum())
        for k in range(steps - 1):
            value += 0.5 * eta[k] / eta[k + 1 :].sum() * (eta[k:] ** 2).sum() / eta[k:].sum()
        return value

    least = min(bound(rate) for rate in np.geomspace(1e-3, 10, 20001))
    assert constant_of("wsd", steps) == pytest.approx(least, rel=1e-6)


def test_the_mean_of_seeds_has_the_t_interval() -> None:
    figure = Figure("f", "it", {}, (0.0, 3.0), 0.1)
    seen = Seen.of(figure, pd.Series([1.0, 2.0, 4.0]))
    low, high = stats.t.interval(0.95, 2, np.mean([1, 2, 4]), stats.sem([1, 2, 4]))
    assert (seen.low, seen.high) == pytest.approx((low, high))
    assert seen.verdict == "undecided"


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [((0.5, 1.5), "seen"), ((None, 1.05), "undecided"), ((1.2, None), "not seen")],
)
def test_a_verdict_is_by_the_whole_interval(
    claim: tuple[float | None, float | None], verdict: str
) -> None:
    assert Seen(Figure("f", "it", {}, claim, 0.1), 1.0, 0.9, 1.1, 5).verdict == verdict


def test_a_figure_is_compared_with_the_recorded_one_by_its_tolerance() -> None:
    share, unit = (Figure("f", "it", {}, (0, 1), 0.1, absolute=a) for a in (False, True))
    assert not Seen(share, 2.1, 0, 0, 5).differs_from(Seen(share, 2.0, 0, 0, 5))
    assert Seen(unit, 2.11, 0, 0, 5).differs_from(Seen(unit, 2.0, 0, 0, 5))


@EACH
def test_an_experiment_asks_for_what_there_is(name: str) -> None:
    experiment = read(name)
    assert all((experiment.title, experiment.source, experiment.remark))
    assert experiment.figures
    assert set(experiment.larger) <= set(experiment.studies)
    for figure in experiment.figures:
        assert figure.measure["of"] in MEASURES
        assert figure.tolerance > 0


def test_the_page_is_what_the_experiments_and_their_records_give() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_an_experiment_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edge_of_stabilty"]) == 2
    said = capsys.readouterr().err
    assert "edge_of_stability" in said
    assert len(said.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_quick_experiment_gives_what_was_recorded(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = argparse.Namespace(out=tmp_path, larger=False, as_is=False, record=False)
    assert run(read(name), options) == 0, capsys.readouterr().out
