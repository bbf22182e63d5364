"""Rows dealt out at random, by class, by group and by time; groups also against scikit-learn."""

import datetime as dt
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

from sgdlab.datasets.draw_order import draw_order
from sgdlab.datasets.partition import assign, partition
from sgdlab.errors import InputError


def deal(n: int, seed: int, labels: np.ndarray | None = None, **settings: Any) -> list[np.ndarray]:
    """Hold a fifth out twice, for validation and for testing."""
    sizes = settings.pop("sizes", [round(0.2 * n)] * 2)
    group, time = settings.pop("group", None), settings.pop("time", None)
    classes = np.zeros(n, int) if labels is None else labels
    return partition(classes, group, time, sizes=sizes, seed=seed, **settings)


def complete(parts: list[np.ndarray], n: int) -> bool:
    return sorted(np.concatenate(parts).tolist()) == list(range(n))


def misfit(labels: np.ndarray, held: list[np.ndarray], sizes: list[int]) -> float:
    """What groups are dealt by, written out in loops: sizes count twenty times a class."""
    total = 0.0
    for rows, size in zip(held, sizes, strict=True):
        total += 20 * (len(rows) - size) ** 2 / size
        for label in np.unique(labels):
            target = size * np.sum(labels == label) / len(labels)
            total += (np.sum(labels[rows] == label) - target) ** 2 / target
    return total


def test_auto_is_stratified_where_there_are_classes_and_random_elsewhere() -> None:
    labels = np.arange(50) % 3
    for by in ("auto", "stratified"):
        parts = deal(50, 4, by=by, labels=labels)
        for ours, today in zip(parts, assign(labels, [10, 10], 4), strict=True):
            assert np.array_equal(ours, today)
    order = draw_order(4, 50).tolist()
    for by in ("auto", "random"):
        train, val, test = deal(50, 4, by=by)
        assert (val.tolist(), test.tolist()) == (order[:10], order[10:20])
        assert train.tolist() == order[20:]


def test_auto_keeps_the_groups_and_times_that_the_data_have() -> None:
    group, time = np.arange(60) // 6, np.arange(60)
    labels = np.arange(60) % 2
    for key, values in (("group", group), ("time", time)):
        auto = deal(60, 1, labels=labels, **{key: values})
        asked = deal(60, 1, by=key, labels=labels, **{key: values})
        assert all(np.array_equal(one, other) for one, other in zip(auto, asked, strict=True))
    with pytest.raises(InputError, match=r"set split\.by=group or split\.by=time"):
        deal(60, 1, group=group, time=time)


groups_and_classes = st.integers(0, 10**6).map(np.random.default_rng)


@given(
    rng=groups_and_classes,
    n=st.integers(30, 200),
    number=st.integers(5, 30),
    classes=st.integers(1, 4),
    seed=st.integers(0, 3),
)
def test_no_group_is_in_two_parts_and_every_class_is_trained_on(
    rng: np.random.Generator, n: int, number: int, classes: int, seed: int
) -> None:
    group = np.concatenate([np.arange(number), rng.integers(0, number, n)])
    labels = np.concatenate([np.arange(number), rng.integers(0, 9, n)]) % classes
    rows = np.arange(len(group))
    parts = deal(len(rows), seed, by="group", labels=labels, group=group)
    assert complete(parts, len(rows))
    assert sum(len(np.unique(group[part])) for part in parts) == number
    assert all(len(part) > 0 for part in parts)
    assert set(labels[parts[0]]) == set(range(classes))


@given(rng=groups_and_classes, seed=st.integers(0, 3))
def test_no_move_of_a_group_and_no_exchange_of_two_comes_nearer(
    rng: np.random.Generator, seed: int
) -> None:
    group = np.concatenate([np.arange(9), rng.integers(0, 9, 80)])
    labels = rng.integers(0, 3, len(group))
    parts = deal(len(group), seed, by="group", labels=labels, group=group)
    sizes = [round(0.2 * len(group))] * 2
    part_of = np.zeros(9, int)
    for part, rows in enumerate(parts):
        part_of[group[rows]] = part

    def of(dealt: np.ndarray) -> float:
        rows = [np.flatnonzero(dealt[group] == part) for part in range(3)]
        whole = all(len(part) for part in rows) and len(set(labels[rows[0]])) == 3
        return misfit(labels, rows[1:], sizes) if whole else np.inf

    reached = of(part_of)
    for one, part in itertools.product(range(9), range(3)):
        other = part_of.copy()
        other[one] = part
        assert of(other) > reached - 1e-6
    for one, two in itertools.combinations(range(9), 2):
        other = part_of.copy()
        other[[one, two]] = part_of[[two, one]]
        assert of(other) > reached - 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_nearer_to_the_proportions_than_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.minimum(rng.zipf(1.7, 600), 90)
    labels = (group % 5 + rng.integers(0, 3, 600)) % 4
    x = np.zeros((600, 1))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(x, labels, group)
    held = [rows for _, rows in itertools.islice(folds, 2)]
    ours = deal(600, seed, by="group", labels=labels, group=group)[1:]
    assert misfit(labels, ours, [120, 120]) <= misfit(labels, held, [120, 120])
    shuffled = GroupShuffleSplit(1, test_size=0.2, random_state=seed).split(x, labels, group)
    (_, drawn) = next(shuffled)
    assert abs(len(ours[1]) - 120) <= abs(len(drawn) - 120)


def test_small_groups_are_dealt_to_exactly_the_sizes_asked_for() -> None:
    group = np.repeat(np.arange(200), 3 + np.arange(200) % 4)
    n = len(group)
    parts = deal(n, 0, by="group", group=group)
    assert [len(part) for part in parts[1:]] == [round(0.2 * n)] * 2


def test_groups_of_one_row_are_as_good_as_a_stratified_split() -> None:
    labels = np.repeat(np.arange(4), [100, 60, 30, 10])
    parts = deal(200, 0, by="group", labels=labels, group=np.arange(200))
    for part in parts[1:]:
        assert np.bincount(labels[part]).tolist() == [20, 12, 6, 2]


def test_groups_depend_on_the_seed_and_neither_on_their_names_nor_on_global_state() -> None:
    group = np.random.default_rng(0).integers(0, 40, 300)
    names = np.array([f"patient {number}" for number in range(40)])[group]
    one = deal(300, 0, by="group", group=group)
    np.random.seed(1)  # noqa: NPY002 - the legacy global state must not matter
    named = deal(300, 0, by="group", group=pd.Series(names))
    assert all(np.array_equal(ours, other) for ours, other in zip(one, named, strict=True))
    tensors = deal(300, 0, by="group", group=torch.from_numpy(group))
    assert all(np.array_equal(ours, other) for ours, other in zip(one, tensors, strict=True))
    tested = [deal(300, seed, by="group", group=group)[2].tolist() for seed in range(10)]
    assert len({tuple(sorted(set(group[rows]))) for rows in tested}) == 10


def test_rows_of_a_part_are_in_random_order_by_group_and_time() -> None:
    for keys in ({"group": np.arange(1000) // 5}, {"time": np.arange(1000)}):
        for part in deal(1000, 0, **keys):
            first = part[: len(part) // 2]
            assert 0.35 < np.mean(first < np.median(part)) < 0.65


def test_classes_that_only_single_groups_have_stay_in_training() -> None:
    # Whichever of the first groups left training, no other could follow: the search starts anew.
    group = np.array([0, 0, 1, 2, 3])
    labels = np.array([0, 1, 0, 1, 1])
    for seed in range(10):
        train, val, test = deal(5, seed, by="group", labels=labels, group=group)
        assert set(labels[train]) == {0, 1}
        assert min(len(val), len(test)) >= 1
    with pytest.raises(InputError, match=r"cannot hold out 2 of 3 groups and train on every class"):
        deal(9, 0, by="group", labels=np.arange(9) % 3, group=np.arange(9) % 3)


def test_time_tests_on_the_latest_rows_and_validates_on_those_before() -> None:
    order = np.random.default_rng(0).permutation(100)
    train, val, test = deal(100, 0, sizes=[10, 20], by="time", time=order * 3.5)
    assert sorted(order[test]) == list(range(80, 100))
    assert sorted(order[val]) == list(range(70, 80))
    assert sorted(order[train]) == list(range(70))
    train, val = deal(100, 0, sizes=[10], by="time", time=order)
    assert sorted(order[val]) == list(range(90, 100))


@given(
    times=st.lists(st.integers(0, 12), min_size=12, max_size=80).filter(lambda t: len(set(t)) >= 3),
    val=st.floats(0.1, 0.4),
    test=st.floats(0.1, 0.4),
)
def test_rows_of_one_time_stay_together_and_cuts_are_the_nearest(
    times: list[int], val: float, test: float
) -> None:
    at = np.array(times)
    parts = deal(
        len(at), 0, sizes=[round(val * len(at)), round(test * len(at))], by="time", time=at
    )
    assert complete(parts, len(at))
    assert all(len(part) > 0 for part in parts)
    assert at[parts[0]].max() < at[parts[1]].min()
    assert at[parts[1]].max() < at[parts[2]].min()
    different = sorted(set(times))
    # The test split may begin with any time but the two earliest.
    sizes = [sum(t >= start for t in times) for start in different[2:]]
    nearest = min(abs(size - round(test * len(at))) for size in sizes)
    assert abs(len(parts[2]) - round(test * len(at))) == nearest


STAMPS = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=7 * hour) for hour in range(30)]


@pytest.mark.parametrize(
    "times",
    [
        STAMPS,
        np.array(STAMPS, "datetime64[ms]"),
        pd.Series(STAMPS),
        pd.Series(STAMPS).dt.tz_localize("Asia/Tokyo"),
        [stamp.isoformat() for stamp in STAMPS],
        [stamp.timestamp() for stamp in STAMPS],
        torch.arange(30) + 2**53,  # float64 could not tell these apart
    ],
    ids=["datetime", "numpy", "pandas", "zoned", "iso", "seconds", "int64"],
)
def test_times_are_dates_numbers_or_iso_text(times: Any) -> None:
    _, val, test = deal(30, 0, by="time", time=times)
    assert sorted(test) == list(range(24, 30))
    assert sorted(val) == list(range(18, 24))


LABELS = np.repeat([0, 1], [19, 1])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"by": "grop"}, r"split\.by=grop: did you mean group\?"),
        ({"by": "group"}, r"split\.by=group: dataset=own has no groups"),
        ({"by": "time"}, r"split\.by=time: dataset=own has no times"),
        ({"group": np.arange(20) % 2}, r"cannot deal 2 groups out to 3 parts; bring more"),
        ({"group": ["a"] * 20}, r"cannot deal 1 group out"),
        ({"group": np.arange(19)}, r"group has shape \[19\]: expected \[20\]"),
        ({"group": ["a", None, "b", ""] * 5}, "group is missing in 10 of 20 rows, the first is"),
        ({"group": pd.Series(["a", pd.NA] * 10)}, "missing in 10 of 20 rows, the first is row 1"),
        ({"time": np.zeros(20)}, "split.by=time cannot cut 1 time into 3 parts"),
        ({"time": np.arange(20) % 2}, "split.by=time cannot cut 2 times into 3 parts"),
        ({"time": np.r_[np.nan, np.arange(19)]}, "missing in 1 of 20 rows, the first is row 0"),
        ({"time": np.r_[np.datetime64("NaT"), np.arange(19).astype("datetime64[D]")]},
         "time is missing in 1 of 20 rows, the first is row 0"),
        ({"time": ["3/1/2024"] * 20}, "not all of it ISO 8601"),
        ({"time": ["2024-03-01T10:00+02:00"] * 20}, "ISO 8601 without time zone"),
        ({"time": [STAMPS[0], 3] * 10}, "no common order"),
        ({"time": np.arange(20), "labels": LABELS},
         r"class 1 has no row among the earliest, which are trained on, with split\.by=time"),
        ({"by": "random", "labels": np.eye(20, dtype=int)[0]}, "class 1 has no row for training"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)  # fmt: skip
def test_a_split_that_cannot_be_is_refused_in_a_line(settings: dict[str, Any], says: str) -> None:
    holds_row_0_out = next(seed for seed in range(99) if 0 in draw_order(seed, 20)[:8])
    with pytest.raises(InputError, match=says) as caught:
        deal(20, holds_row_0_out, where="dataset=own", **settings)
    assert "\n" not in str(caught.value)
