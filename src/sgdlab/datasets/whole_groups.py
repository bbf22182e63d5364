"""Dealing rows out so that no group is in two parts."""

import itertools
from collections.abc import Iterator

import numpy as np

from sgdlab.datasets.draw_order import draw_order
from sgdlab.errors import InputError

_WORK = 2_000_000
"""Cells of the table of groups and classes that the search looks at, a bound on its time."""

_SIZE = 20
"""What the size of a part counts beside the count of one class."""


def deal_groups(
    group: np.ndarray,
    labels: np.ndarray,
    sizes: list[int],
    seed: int,
    where: str = "dataset",
) -> list[np.ndarray]:
    """Deal whole groups out at random, near to the sizes asked for, the classes in proportion.

    For a part of size ``s`` among ``n`` rows, ``t = s * n_k / n`` rows of class ``k`` would be in
    proportion. Minimised is the sum over parts of
    ``20 (rows - s)^2 / s + sum_k (rows_k - t)^2 / t``: sizes before classes, and those by the χ² of
    their counts. Groups in random order join the part where that falls most, as long as they fit,
    else stay in training; then single groups move, or two change places, while it falls. The
    groups that stay in training hold every class.

    Sums are made in a fixed order, so that all machines agree on every comparison.

    Args:
        group: Group of each row, ``[n]``, ``0..g-1``.
        labels: Class of each row, ``[n]``; one class where there are none.
        sizes: Rows asked for, of each part.
        seed: The seed of the order; see `sgdlab.datasets.draw_order`.
        where: The dataset, for messages.

    Returns:
        Row numbers of the training part, then of each part, each in random order.

    Raises:
        InputError: Too few groups, or classes that occur in too few of them.

    Twin: scikit-learn's StratifiedGroupKFold, greedy from the group of largest spread; its folds
    are of one size, and may hold all rows of a class.
    """
    order = draw_order(seed, len(group))
    number = int(group.max()) + 1
    parts = len(sizes) + 1
    if number < parts:
        found = f"{number} group" + "s" * (number > 1)
        raise InputError(
            f"{where}: split.by=group cannot deal {found} out to {parts} parts; "
            "bring more groups, or set another split.by"
        )
    # Groups in the order in which their first row is drawn.
    first = np.unique(group[order], return_index=True)[1]
    drawn = np.argsort(first, kind="stable")
    deal = _Deal(_table(group, labels, number)[drawn], sizes)
    if not deal.search(np.ones(number, bool)) and not deal.search(~deal.cover()):
        raise InputError(
            f"{where}: split.by=group cannot hold out {parts - 1} of {number} groups and train on "
            "every class, since classes occur in single groups; set another split.by"
        )
    part_of = np.empty(number, np.int64)
    part_of[drawn] = deal.part
    return [order[part_of[group[order]] == part] for part in range(parts)]


def _table(group: np.ndarray, labels: np.ndarray, number: int) -> np.ndarray:
    """Return the rows of each group, and those of each class in it, ``[groups, 1 + classes]``."""
    rows = np.bincount(group, minlength=number)[:, None]
    classes, code = np.unique(labels, return_inverse=True)
    cells = np.bincount(group * len(classes) + code, minlength=number * len(classes))
    return np.hstack([rows, cells.reshape(number, -1)])


class _Deal:
    """A deal of groups to parts, 0 for training; ``table`` is ``[groups, 1 + classes]``."""

    def __init__(self, table: np.ndarray, sizes: list[int]) -> None:
        self.table = table
        self.target = np.outer(sizes, table.sum(0) / table[:, 0].sum())
        self.weight = np.array([_SIZE, *np.ones(table.shape[1] - 1)])
        self.part = np.zeros(len(table), np.int64)

    def search(self, free: np.ndarray) -> bool:
        """Deal the groups that are ``free`` out; say whether every part has one."""
        self.free = free
        self.part[:] = 0
        self.have = np.zeros((len(self.target) + 1, self.table.shape[1]), np.int64)
        self.have[0] = self.table.sum(0)
        for index in np.flatnonzero(free):
            self._join(int(index))
        if not all(self._fill(part) for part in range(1, len(self.have))):
            return False
        for _ in range(max(10, _WORK // self.table.size)):
            if not self._improve():
                break
        return True

    def cover(self) -> np.ndarray:
        """Return groups that hold every class, few of them: first those with most new classes."""
        chosen = np.zeros(len(self.table), bool)
        lacking = np.ones(self.table.shape[1], bool)
        while lacking.any():
            best = int(((self.table > 0) & lacking).sum(1).argmax())
            chosen[best] = True
            lacking &= self.table[best] == 0
        return chosen

    def _misfit(self, part: int, change: np.ndarray) -> np.ndarray:
        """Return by how much the misfit of a part grows with ``change [..., 1 + classes]``."""
        if part == 0:
            return np.zeros(change.shape[:-1])
        target = self.target[part - 1]
        # cumsum adds one by one, in the order of the columns; sum may add in any order.
        terms = self.weight * change * (2 * (self.have[part] - target) + change) / target
        return terms.cumsum(-1)[..., -1]

    def _allowed(self, start: int, change: np.ndarray) -> np.ndarray:
        """Say whether a part may change so: no class leaves training, no part becomes empty."""
        after = self.have[start] + change
        return (after > 0).all(-1) if start == 0 else after[..., 0] > 0

    def _move(self, index: int, part: int) -> None:
        self.have[self.part[index]] -= self.table[index]
        self.have[part] += self.table[index]
        self.part[index] = part

    def _join(self, index: int) -> None:
        row = self.table[index]
        if self._allowed(0, -row):
            grows = [0.0] + [
                float(self._misfit(part, row)) if self._fits(part, row) else np.inf
                for part in range(1, len(self.have))
            ]
            self._move(index, int(np.argmin(grows)))

    def _fits(self, part: int, row: np.ndarray) -> bool:
        return self.have[part, 0] + row[0] <= self.target[part - 1, 0]

    def _fill(self, part: int) -> bool:
        """Give a part that is empty the group that fits best."""
        if self.have[part, 0]:
            return True
        rows, source = np.flatnonzero(self.free), self.part[self.free]
        cost = np.full(len(rows), np.inf)
        for start in range(len(self.have)):
            here = source == start
            change = self.table[rows[here]]
            total = self._misfit(part, change) + self._misfit(start, -change)
            cost[here] = np.where(self._allowed(start, -change), total, np.inf)
        if not np.isfinite(cost).any():
            return False
        self._move(int(rows[cost.argmin()]), part)
        return True

    def _improve(self) -> bool:
        """Make the best move of one group, or exchange of two; say whether there was one."""
        growth, moves = min(self._options(), key=lambda option: option[0], default=(0.0, []))
        if growth > -1e-9:
            return False
        for index, part in moves:
            self._move(index, part)
        return True

    def _options(self) -> Iterator[tuple[float, list[tuple[int, int]]]]:
        """Yield by how much the misfit grows with the best moves between each two parts."""
        most = max(4, int((_WORK / 10 / self.table.shape[1]) ** 0.5))
        members = [np.flatnonzero(self.free & (self.part == p)) for p in range(len(self.have))]
        for start, end in itertools.permutations(range(len(self.have)), 2):
            ours, theirs = members[start], members[end]
            if len(ours):
                growth, place = self._best(start, end, self.table[ours])
                yield growth, [(int(ours[place[0]]), end)]
            if start < end and len(ours) and len(theirs):
                ours, theirs = ours[:most], theirs[:most]
                growth, place = self._best(
                    start, end, self.table[ours][:, None] - self.table[theirs]
                )
                yield growth, [(int(ours[place[0]]), end), (int(theirs[place[1]]), start)]

    def _best(self, start: int, end: int, change: np.ndarray) -> tuple[float, tuple[np.intp, ...]]:
        """Return the least growth of the misfit, and which ``change`` from part to part has it."""
        grows = self._misfit(start, -change) + self._misfit(end, change)
        allowed = self._allowed(start, -change) & self._allowed(end, change)
        grows = np.where(allowed, grows, np.inf)
        place = np.unravel_index(grows.argmin(), grows.shape)
        return float(grows[place]), place
