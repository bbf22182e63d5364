"""How long a sweep still takes, with a clock of the test's own."""

import pytest

from sgdlab.terminal.time_left import TimeLeft

STACKED, ALONE = [f"s{n}" for n in range(20)], ["a1", "a2", "a3"]


def sweep() -> TimeLeft[str]:
    time = TimeLeft([*STACKED, *ALONE], start=100.0)
    time.sort(dict.fromkeys(STACKED, "stacked") | dict.fromkeys(ALONE, "one by one"))
    return time


def test_nothing_is_said_until_a_run_of_every_kind_has_ended():
    time = sweep()
    assert time.left(100.0) is None
    time.ended(STACKED, 102.0)  # 0.1 s a run: an average over all would say 0.3 s for three more
    assert time.left(102.0) is None
    time.ended(["a1"], 152.0)
    assert time.left(152.0) == pytest.approx(100.0)


def test_each_kind_counts_with_its_own_speed():
    time = sweep()
    time.ended(STACKED[:10], 102.0)
    time.ended(["a1"], 152.0)
    assert time.left(152.0) == pytest.approx(10 * 0.2 + 2 * 50.0)
    assert time.left(162.0) == pytest.approx(10 * 0.2 + 2 * 50.0 - 10.0)
    assert time.left(999.0) == pytest.approx(10 * 0.2 + 50.0)  # of the run under way: none


def test_runs_of_one_kind_are_an_average():
    time = TimeLeft(range(4), start=0.0)
    time.ended([0], 1.0)
    time.ended([1], 4.0)
    assert time.left(4.0) == pytest.approx(4.0)
    time.ended([2, 3], 5.0)
    assert time.left(5.0) == 0.0


def test_runs_of_others_do_not_matter():
    time = TimeLeft(["a"], start=0.0)
    time.sort({"b": "stacked"})
    time.ended(["b"], 1.0)
    assert time.left(1.0) is None
