"""Early stopping: when a run ends, and that it is the run it would have been up to there."""

import math

import pytest

from sgdlab.config.run_id import run_id
from sgdlab.config.sections import StopConfig
from sgdlab.results import COMPLETED, STOPPED
from sgdlab.sweeps.preflight import check
from sgdlab.training.state import TrainState
from sgdlab.training.stopping import why_stop
from trainer_runs import Rows, built, config_of, fit_from_checkpoint, train

# Overfits from its second epoch on.
HOT = ("dataset=diabetes", "lr=0.1", "schedule=constant", "epochs=30")


def ends_after(values, direction="min", **settings):
    """Return at which of a series of evaluations a run ends, counted from 1; None: never."""
    stop = StopConfig(**{"metric": "val_metric", "patience": 2, "min_delta": 0.0, **settings})
    at = TrainState()
    for number, value in enumerate(values, start=1):
        at.val_metric = at.val_loss = at.train_loss = value
        if why_stop(stop, at, direction) is not None:
            return number
    return None


@pytest.mark.parametrize(
    ("values", "settings", "end"),
    [
        ([3, 2, 1, 1, 1], {}, 5),
        ([3, 2, 1, 1.5, 0.9, 1, 1], {}, 7),
        ([3, 2, 1, 1, 1], {"patience": 3}, None),
        ([3, 2, 1, 1, 1], {"patience": 1}, 4),
        ([3, 2.95, 2.92, 2.8], {"min_delta": 0.1}, 3),  # 2.92 is not more than .1 below 3
        ([3, 2.95, 2.85, 2.8, 2.7], {"min_delta": 0.1}, None),
        ([1, 2, 3], {"direction": "max"}, None),
        ([3, 2, 1], {"direction": "max"}, 3),
        ([3, 2, 1], {"direction": "max", "metric": "val_loss"}, None),  # losses fall
        ([math.nan, math.nan], {}, 2),
        ([math.nan, 2, math.inf, math.nan], {}, 4),
        ([3, 3, 3, 3], {"patience": None}, None),
    ],
)
def test_when_it_ends(values, settings, end):
    assert ends_after(values, **settings) == end


def test_the_run_up_to_its_end_is_that_of_one_without_the_rule():
    outcome, rows, _ = train(*HOT, "stop.patience=3")
    _, whole, _ = train(*HOT)
    assert outcome.status == STOPPED
    assert outcome.reason.startswith("stop.patience=3: val_loss was not better than ")
    assert 0 < len(rows.step_rows) < len(whole.step_rows)
    assert rows.step_rows == whole.step_rows[: len(rows.step_rows)]
    losses = [row[6] for row in whole.evaluations if row[5] == "val"][1:]
    best = losses.index(min(losses[: outcome.progress.epoch]))
    assert outcome.progress.epoch == best + 1 + 3
    assert outcome.has_result


def test_the_start_does_not_count_however_good_it_is():
    """Against a start that is better than all that follows, every evaluation would be waited."""
    assert ends_after([5, 4, 3, 2]) is None
    at = TrainState(val_loss=0.1)
    assert why_stop(StopConfig("val_loss", 1, 0.0), at, "min") is None
    assert at.stop_best == 0.1


def test_the_last_evaluation_ends_a_run_as_completed():
    outcome, _, _ = train(*HOT, "stop.patience=1", "epochs=2")
    assert outcome.status == COMPLETED


def test_it_goes_on_after_a_kill_as_if_there_had_been_none(tmp_path):
    settings = (*HOT, "stop.patience=3", "checkpoint.every=7")
    _, whole, _ = train(*settings)
    rows = Rows()
    for _ in range(3):
        fit_from_checkpoint(built(*settings), rows, tmp_path, stop=True)
    fit_from_checkpoint(built(*settings), rows, tmp_path, stop=False)
    by_step = {row[0]: row for row in rows.step_rows}
    assert [by_step[row[0]] for row in whole.step_rows] == whole.step_rows
    assert max(by_step) == whole.step_rows[-1][0]


def test_the_test_split_is_evaluated_where_it_is_asked_for():
    outcome, rows, _ = train(*HOT, "stop.patience=3", "evaluate_test=true", "average=ema")
    assert outcome.status == STOPPED
    assert outcome.test is not None
    assert outcome.average_test is not None
    assert [row[5] for row in rows.evaluations[-2:]] == ["test", "test"]


def test_what_changes_nothing_is_no_other_run():
    plain = run_id(config_of("device=cpu"))
    assert run_id(config_of("device=cpu", "stop.min_delta=0.1")) == plain
    assert run_id(config_of("device=cpu", "stop.patience=5")) != plain


def test_a_patience_longer_than_the_run_is_said():
    assert any("stop.patience=20" in line for line in check(config_of("stop.patience=20")))
    assert not any("stop.patience" in line for line in check(config_of("stop.patience=5")))
