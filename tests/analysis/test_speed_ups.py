"""Speed-up: ratios and intervals are SciPy's, censored ones are open, coverage is as promised."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from guarded import guarded
from sgdlab.analysis import Analysis, Hypothesis, analyse, analyse_runs
from sgdlab.analysis.logs import LogOptions, read_logs
from sgdlab.analysis.speed_ups import first_passage
from sgdlab.analysis.statistics import speed_up

STEPS = np.arange(0.0, 201.0, 10.0)


def losses(speed: float, noise: float = 0.0, rng: np.random.Generator | None = None):
    """Return a power law of steps that a faster optimizer runs through at a higher speed."""
    smooth = 1 / (1 + speed * STEPS / 20) + 0.2
    return smooth if rng is None else smooth * np.exp(noise * rng.normal(size=len(STEPS)))


def judged(folder: Path, curves: dict[tuple[str, int], np.ndarray], **claim: object) -> Analysis:
    lines = ["optimizer,seed,step,val_loss,train_seconds"]
    for (name, seed), values in curves.items():
        pace = 0.5 if name == "slow" else 1.0
        lines += [
            f"{name},{seed},{step:g},{value!r},{pace * step:g}"
            for step, value in zip(STEPS, values.tolist(), strict=True)
        ]
    (folder / "a.csv").write_text("\n".join(lines))
    found = read_logs([folder / "a.csv"], LogOptions())
    return analyse_runs(found.runs, found.parts, {}, hypothesis=Hypothesis(**claim))


def crossing(values: np.ndarray, goal: float) -> float:
    """Return by NumPy's interpolation where a falling curve is at a goal."""
    return float(np.interp(goal, values[::-1], STEPS[::-1]))


def test_ratio_and_interval_are_recomputed_by_scipy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    speeds = {s: (float(np.exp(0.1 * rng.normal())), float(np.exp(0.2 * rng.normal())))
              for s in range(6)}  # fmt: skip
    curves = {("slow", s): losses(a) for s, (a, _) in speeds.items()}
    curves |= {("fast", s): losses(1.8 * a * b) for s, (a, b) in speeds.items()}
    (result,) = judged(tmp_path, curves).results
    found = {row["clock"]: row for row in result.speed_ups}
    assert list(found) == ["step", "train_seconds"]  # no column counts examples
    goals = [curves["slow", s][-1] for s in range(6)]
    slow = np.full(6, 200.0)
    fast = np.array([crossing(curves["fast", s], goal) for s, goal in enumerate(goals)])
    test = guarded(np.log(slow), np.log(fast))
    low, high = np.exp([test.low, test.high])
    row = found["step"]
    assert (row["optimizer"], row["reference"], row["reached"]) == ("fast", "slow", 6)
    assert row["ratio"] == pytest.approx(stats.gmean(slow / fast))
    assert (row["low"], row["high"], row["p"]) == pytest.approx((low, high, test.p))
    assert found["train_seconds"]["ratio"] == pytest.approx(row["ratio"] / 2)


def test_the_reference_is_the_baseline_where_there_is_one(tmp_path: Path) -> None:
    curves = {(n, s): losses(v) for n, v in (("a", 3.0), ("b", 2.0), ("c", 1.0)) for s in range(3)}
    (result,) = judged(tmp_path, curves, better_than="b").results
    assert {(r["optimizer"], r["reference"]) for r in result.speed_ups} == {("a", "b"), ("c", "b")}
    censored = next(r for r in result.speed_ups if r["optimizer"] == "c")
    assert (censored["reached"], censored["note"]) == (0, "never arrives in 3")
    assert math.isnan(censored["ratio"])


def test_where_some_never_arrive_the_interval_is_open(tmp_path: Path) -> None:
    curves = {("slow", s): losses(1.0 + 0.1 * s) for s in range(5)}
    curves |= {("fast", s): losses(2.0 + 0.2 * s) for s in range(4)}
    curves |= {("fast", 4): losses(1.0)}  # beaten in this one, over all that slow runs came to
    (result,) = judged(tmp_path, curves).results
    row = result.speed_ups[0]
    assert (row["reached"], row["n"], row["low"]) == (4, 5, 0.0)
    assert row["note"] == "never arrives in 1 of 5: open below"
    assert math.isnan(row["p"])
    whole = speed_up([200.0] * 5, [100.0, 100.0, 100.0, 100.0, 200.0], [True] * 5)
    assert row["high"] == pytest.approx(whole.high, rel=0.05)


def test_runs_that_are_no_pairs_have_none(tmp_path: Path) -> None:
    curves = {("slow", s): losses(1.0) for s in range(3)}
    curves |= {("fast", 10 + s): losses(2.0) for s in range(3)}
    assert judged(tmp_path, curves).results[0].speed_ups == []


def test_first_passage_is_linear_between_points() -> None:
    clock, values = np.array([0.0, 10.0, 20.0]), np.array([4.0, 2.0, 1.0])
    assert first_passage(clock, values, 3.0) == (5.0, True)
    assert first_passage(clock, values, 1.0) == (20.0, True)
    assert first_passage(clock, values, 0.5) == (20.0, False)
    assert first_passage(clock, values, 9.0) == (10.0, True)  # at once: the first time there is
    assert first_passage(clock, np.array([np.inf, 2.0, 1.0]), 3.0) == (10.0, True)


def test_times_are_positive_numbers() -> None:
    with pytest.raises(ValueError, match="positive"):
        speed_up([0.0, 1.0], [1.0, 1.0], [True, True])


def test_own_studies_have_it_too(tmp_path: Path) -> None:
    from run_folders import make_pair

    make_pair(tmp_path / "final", [0.91, 0.93, 0.95], [0.90, 0.90, 0.93])
    (result,) = analyse([tmp_path]).results
    assert {row["clock"] for row in result.speed_ups} <= {"step", "examples", "train_seconds"}
    assert {row["reference"] for row in result.speed_ups} == {"sgd"}


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 10])
def test_intervals_cover_the_true_speed_up(n: int) -> None:
    """Both drawn to a speed per pair and one of their own, and to noise of each evaluation."""
    rng, covered, times = np.random.default_rng(n), 0, 2000
    for _ in range(times):
        reference, one = [], []
        for _ in range(n):
            shared = math.exp(0.2 * rng.normal())
            slow = losses(shared * math.exp(0.1 * rng.normal()), 0.002, rng)
            fast = losses(1.5 * shared * math.exp(0.1 * rng.normal()), 0.002, rng)
            reference.append(first_passage(STEPS, slow, slow[-1])[0])
            one.append(first_passage(STEPS, fast, slow[-1])[0])
        found = speed_up(reference, one, [True] * n)
        covered += found.low <= 1.5 <= found.high
    print(n, covered / times)
    assert 0.94 <= covered / times <= 0.98, covered / times


@pytest.mark.slow
def test_the_upper_end_holds_where_some_never_arrive() -> None:
    rng, covered, censored, times, n = np.random.default_rng(3), 0, 0, 4000, 8
    for _ in range(times):
        log_ratio = math.log(1.2) + 0.25 * rng.normal(size=n)
        one = 200 / np.exp(log_ratio)
        there = one <= 200
        found = speed_up([200.0] * n, list(np.minimum(one, 200.0)), list(there))
        censored += n - there.sum()
        covered += found.high >= 1.2
    assert censored / (times * n) > 0.2
    assert covered / times >= 0.965, covered / times
