"""The arithmetic of successive halving."""

import itertools
import math
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.errors import InputError
from sgdlab.results import RunWriter, write_summary
from sgdlab.search.halving import Halving, counting, halving_of, order, ordinal, saved
from sgdlab.stacked.halving import standing

FACTORS = st.integers(2, 6)
TRIALS = st.integers(1, 300)


@pytest.mark.parametrize(
    ("factor", "trials", "epochs", "every", "fewest", "rungs", "places"),
    [
        (3, 16, 20, 1, 1, (3, 7), (6, 2)),
        (4, 16, 20, 1, 1, (2, 5), (4, 1)),
        (3, 81, 81, 1, 1, (1, 3, 9, 27), (27, 9, 3, 1)),
        (3, 81, 81, 1, 4, (9, 27), (27, 9)),
        (3, 4, 81, 1, 1, (27,), (2,)),  # the latest ones that the trials allow
        (2, 8, 3, 1, 1, (2,), (4,)),
        (3, 16, 20, 5, 1, (5, 10), (6, 2)),
        (3, 16, 20, 10, 1, (10,), (6,)),  # both fall on one evaluation
        (3, 16, 20, 20, 1, (), ()),
        (3, 2, 20, 1, 1, (), ()),
        (3, 16, 2, 1, 1, (), ()),
        (3, 16, 20, 1, 7, (), ()),
    ],
)
def test_rungs_and_places_by_hand(factor, trials, epochs, every, fewest, rungs, places) -> None:
    halving = Halving(factor, fewest)
    assert halving.rungs(trials, epochs * 17, 17, every) == rungs
    assert tuple(halving.places(trials, k + 1) for k in range(len(rungs))) == places


def test_rungs_of_a_run_that_ends_within_an_epoch() -> None:
    # 45 of 10 steps an epoch are 4.5 epochs: 4.5 / 2 and 4.5 / 4, rounded up.
    assert Halving(2, 1).rungs(4, 45, 10, 1) == (2, 3)


@given(FACTORS, TRIALS, st.integers(1, 200), st.integers(1, 9), st.integers(1, 9))
def test_rungs_rise_and_someone_survives(factor, trials, epochs, every, fewest) -> None:
    halving = Halving(factor, fewest)
    rungs = halving.rungs(trials, epochs * 3, 3, every)
    assert all(a < b for a, b in itertools.pairwise(rungs))
    assert all(fewest <= rung < epochs and rung % every == 0 for rung in rungs)
    left = [trials, *(halving.places(trials, k + 1) for k in range(len(rungs)))]
    assert all(0 < b < a for a, b in itertools.pairwise(left))
    # Halving again and again is halving at once: nobody's luck depends on the number of rungs.
    for before, after in itertools.pairwise(left):
        assert after == math.ceil(Fraction(before, factor))


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, math.inf, -math.inf, math.nan]), max_size=9))
def test_order_is_by_value_then_by_number(values: list[float]) -> None:
    numbers = list(range(len(values)))[::-1]
    places = order(values, numbers)
    assert sorted(places) == sorted(range(len(values)))
    keys = [values[p] if math.isfinite(values[p]) else math.inf for p in places]
    assert keys == sorted(keys)
    for a, b in itertools.pairwise(places):
        same = values[a] == values[b] or not (math.isfinite(values[a]) or math.isfinite(values[b]))
        assert not same or numbers[a] < numbers[b]


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"),
     (21, "21st"), (22, "22nd"), (111, "111th"), (103, "103rd")],
)  # fmt: skip
def test_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text


def _trial(status: str, steps: int, done: int, /, **config: int | None):
    return {"status": status, "steps": steps, "epochs": done}, config


def test_what_is_saved_by_hand() -> None:
    trials = [
        _trial("completed", 200, 20, epochs=20, max_steps=None),
        _trial("stopped", 30, 3, epochs=20, max_steps=None),  # 170 spared
        _trial("stopped", 70, 7, epochs=20, max_steps=150),  # 80 spared
        _trial("diverged", 20, 2, epochs=20, max_steps=None),
    ]
    found = saved(trials)
    assert (found.stopped, found.trials) == (2, 4)
    assert found.share == pytest.approx(250 / (200 + 30 + 70 + 20 + 250))
    assert found.sentence("sgd") == (
        "successive halving stopped 2 of 4 trials of sgd early: 44 % of the tuning steps were saved"
    )


def test_nothing_is_said_of_a_share_that_the_files_do_not_tell() -> None:
    found = saved([_trial("stopped", 30, 3), _trial("completed", 200, 20, epochs=20)])
    assert math.isnan(found.share)
    assert found.sentence("sgd") == "successive halving stopped 1 of 2 trials of sgd early"


def test_settings_are_checked_even_where_halving_is_off() -> None:
    assert halving_of({}) is None
    assert halving_of({"halving": False, "sgd": {}}) is None
    assert halving_of({"halving": True}) == Halving(3, 1)
    assert halving_of({"halving": True, "reduction_factor": 2, "min_epochs": 4}) == Halving(2, 4)
    for key, value in [
        ("halving", "maybe"), ("halving", 1), ("reduction_factor", 1), ("reduction_factor", 2.5),
        ("reduction_factor", True), ("min_epochs", 0), ("min_epochs", None),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=f"search.{key}={value}: must be"):
            halving_of({key: value})


def test_settings_that_have_no_effect_do_not_count() -> None:
    bounds = {"sgd": {"lr": {"low": 0.1}}}
    assert counting({**bounds, "halving": False, "reduction_factor": 5, "min_epochs": 1}) == bounds
    on = {**bounds, "halving": True, "reduction_factor": 5}
    assert counting(on) == on


def _run(folder: Path, status: str | None, steps: int) -> SimpleNamespace:
    """Write a run of 4 steps an epoch, whose validation was best after 1 of its 3 evaluations."""
    writer = RunWriter(folder, "accuracy")
    for step, loss, accuracy in ((0, 3.0, 0.1), (4, 1.0, 0.7), (8, 2.0, 0.9), (12, math.nan, 1.0)):
        if step <= steps:
            writer.evaluation((step, step // 4, 64 * step, None, "raw", "train", 0.01, 1.0))
            writer.evaluation((step, step // 4, 64 * step, None, "raw", "val", loss, accuracy))
    writer.close()
    if status is not None:
        write_summary(folder, {"run_id": folder.name, "status": status, "steps": steps})
    return SimpleNamespace(directory=folder, run_id=folder.name, settled={})


def _group(direction: str = "max") -> SimpleNamespace:
    metric = SimpleNamespace(name="accuracy", direction=direction)
    return SimpleNamespace(plan=SimpleNamespace(steps_per_epoch=4), metric=metric)


@pytest.mark.parametrize(
    ("select_by", "rung", "direction", "value"),
    [
        ("final_val_loss", 1, "max", 1.0),
        ("final_val_loss", 2, "max", 2.0),
        ("best_val_loss", 2, "max", 1.0),
        ("final_val_metric", 1, "max", -0.7),
        ("best_val_metric", 2, "max", -0.9),
        ("final_val_metric", 2, "min", 0.9),
        ("best_val_metric", 2, "min", 0.1),
        ("final_val_loss", 3, "max", math.inf),  # not finite
        ("best_val_metric", 3, "max", -0.9),  # as a summary takes it
    ],
)
@pytest.mark.parametrize("status", [None, "completed", "stopped"])
def test_a_trial_stands_at_a_rung_as_its_files_say(
    select_by: str, rung: int, direction: str, value: float, status: str | None, tmp_path: Path
) -> None:
    job = _run(tmp_path, status, 12)
    assert standing(job, _group(direction), rung, select_by) == value  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["diverged", "failed"])
@pytest.mark.parametrize(("steps", "alive"), [(7, False), (8, False), (9, True)])
def test_a_trial_that_diverged_later_was_alive_at_the_rung(
    status: str, steps: int, alive: bool, tmp_path: Path
) -> None:
    job = _run(tmp_path, status, steps)
    value = standing(job, _group(), 2, "final_val_loss")  # type: ignore[arg-type]
    assert value == (2.0 if alive else None)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    job = _run(tmp_path, "completed", 12)
    (tmp_path / "evals.csv").write_text("step,epoch\n")
    with pytest.raises(InputError, match=r"evals\.csv"):
        standing(job, _group(), 1, "final_val_loss")  # type: ignore[arg-type]
