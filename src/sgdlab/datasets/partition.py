"""Which rows are for training, validation and test: at random, by class, by group or by time."""

from typing import Any, Literal, get_args

import numpy as np

from sgdlab.checks import require_one_of
from sgdlab.datasets.draw_order import draw_order
from sgdlab.datasets.split_keys import groups_of, times_of
from sgdlab.datasets.whole_groups import deal_groups
from sgdlab.errors import InputError

By = Literal["auto", "random", "stratified", "group", "time"]


def partition(
    labels: np.ndarray,
    group: Any,
    time: Any,
    *,
    sizes: list[int],
    seed: int,
    by: By = "auto",
    where: str = "dataset",
) -> list[np.ndarray]:
    """Deal the rows of a dataset out to training and the parts that are held out.

    | ``by`` | a part gets |
    |---|---|
    | ``random`` | rows at random |
    | ``stratified`` | the same, the classes in proportion; see `assign` |
    | ``group`` | whole groups; see `sgdlab.datasets.whole_groups.deal_groups` |
    | ``time`` | the latest rows: the last part the very latest, the one before it the next |
    | ``auto`` | by groups or times where the dataset has them, else stratified, else random |

    Args:
        labels: Class of each row, ``[n]``, from 0; one class where there are none.
        group: What rows of one group have in common, ``[n]``: numbers or text; or None.
        time: What the rows are ordered by, ``[n]``: numbers, dates, or text in ISO 8601; or None.
        sizes: Rows of each part, which with the number of classes are at most ``n`` together; the
            remaining rows are for training.
        seed: The seed of the order; see `sgdlab.datasets.draw_order`.
        by: See above.
        where: The dataset, for messages.

    Returns:
        Row numbers of the training part, then of each part in ``sizes``, each in random order.
        Every class has a row for training.

    Raises:
        InputError: Groups or times that are missing or too few, or a class that would not be
            trained on.
    """
    count = len(labels)
    by = _chosen(by, group, time, where)
    if by == "group":
        return deal_groups(groups_of(group, count, where), labels, sizes, seed, where)
    if by == "time":
        parts = _latest(times_of(time, count, where), sizes, seed, where)
    else:
        parts = assign(np.zeros_like(labels) if by == "random" else labels, sizes, seed)
    _all_trained_on(labels, parts[0], by, where)
    return parts


def _chosen(by: By, group: Any, time: Any, where: str) -> By:
    require_one_of("split.by", by, get_args(By))
    if by == "auto":
        if group is not None and time is not None:
            raise InputError(f"{where} has groups and times: set split.by=group or split.by=time")
        return "group" if group is not None else "time" if time is not None else "stratified"
    for name, values in {"group": group, "time": time}.items():
        if by == name and values is None:
            has = f"{where} has no {name}s, Examples({name}=…)"
            raise InputError(f"split.by={name}: {has}; give them, or use split.by=auto")
    return by


def _all_trained_on(labels: np.ndarray, train: np.ndarray, by: str, where: str) -> None:
    untrained = np.setdiff1d(labels, labels[train])
    if len(untrained):
        some = ", ".join(map(str, untrained[:6])) + (", …" if len(untrained) > 6 else "")
        what = f"class {some} has" if len(untrained) == 1 else f"classes {some} have"
        early = " among the earliest, which are trained on" if by == "time" else " for training"
        raise InputError(
            f"{where}: {what} no row{early}, with split.by={by}; use split.by=stratified, lower "
            "the fractions, or leave them out"
        )


def assign(labels: np.ndarray, sizes: list[int], seed: int) -> list[np.ndarray]:
    """Deal the rows out at random, the classes in proportion.

    A class of ``c`` among ``n`` rows gives ``size * c / n`` rows to a part, rounded by largest
    remainder, so that every part has exactly its size. Every class keeps a row for training.

    Args:
        labels: Class of each row, ``[n]``.
        sizes: Rows of each part, at most ``n`` less the number of classes together; the remaining
            rows are for training.
        seed: The seed of the order; see `sgdlab.datasets.draw_order`.

    Returns:
        Row numbers of the training part, then of each part in ``sizes``, each in random order.
    """
    order = draw_order(seed, len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    rows = [order[labels[order] == label] for label in classes]
    part_of = np.zeros(len(labels), np.int64)
    taken = np.zeros_like(counts)
    for part, size in enumerate(sizes, start=1):
        given = _apportion(size * counts / len(labels), counts - 1 - taken, size)
        for members, start, count in zip(rows, taken, given, strict=True):
            part_of[members[start : start + count]] = part
        taken = taken + given
    return [order[part_of[order] == part] for part in range(len(sizes) + 1)]


def _apportion(quotas: np.ndarray, free: np.ndarray, total: int) -> np.ndarray:
    """Round ``quotas`` to whole numbers, none above ``free``, that add up to ``total``."""
    given = np.minimum(np.floor(quotas).astype(np.int64), free)
    while given.sum() < total:
        lack = np.where(given < free, quotas - given, -np.inf)
        given[lack.argmax()] += 1
    return given


def _latest(rank: np.ndarray, sizes: list[int], seed: int, where: str) -> list[np.ndarray]:
    """Cut the rows by their time's rank; rows of the same time are never divided.

    From the latest to the earliest, each part is as near to its size as such cuts allow.
    """
    before = np.cumsum(np.bincount(rank))  # rows up to and with each time
    if len(before) <= len(sizes):
        parts, times = len(sizes) + 1, f"{len(before)} time" + "s" * (len(before) > 1)
        raise InputError(
            f"{where}: split.by=time cannot cut {times} into {parts} parts, since rows of the same "
            "time stay together; use split.by=auto without times, or finer ones"
        )
    cuts: list[int] = []
    end = len(before) - 1
    for later, size in enumerate(reversed(sizes), start=1):
        # A cut after time i; one time must remain for each earlier part and for training.
        options = before[len(sizes) - later : end]
        end = len(sizes) - later + int(np.abs(before[end] - size - options).argmin())
        cuts.insert(0, end)
    part_of = np.searchsorted(cuts, rank, side="left")
    order = draw_order(seed, len(rank))
    return [order[part_of[order] == part] for part in range(len(sizes) + 1)]
