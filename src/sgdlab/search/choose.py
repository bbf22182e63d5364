"""One interface to all searches: ask for settings, run them, tell how they did."""

import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from sgdlab.checks import require_one_of, require_whole
from sgdlab.errors import InputError, suggest
from sgdlab.search.draw import POINTS, Settings, different, patience_for
from sgdlab.search.grid import grid
from sgdlab.search.recentre import recentred
from sgdlab.search.space import Space

METHODS = ("sobol", "random", "grid", "tpe")


class Search(Protocol):
    """Proposes the settings of trials, batch by batch."""

    def ask(self) -> list[Settings]:
        """Return the settings of the next trials, the fixed ones included; none at the end.

        A space with fewer settings than trials gives each of them once.
        """
        ...

    def tell(self, values: Sequence[float]) -> None:
        """Take the results of the last batch.

        Args:
            values: One number for each of its settings, the less the better, such as a
                validation loss; infinite where the run diverged or failed.
        """
        ...

    @property
    def recentred(self) -> dict[str, tuple[float, float]]:
        """Low and high of the dimensions that were moved to the best trial, by key."""
        ...


def search_of(
    method: str,
    space: Space,
    trials: int,
    seed: int,
    name: str,
    *,
    recentre: bool = False,
    batch: int = 8,
    storage: Path | None = None,
    study: str | None = None,
) -> Search:
    """Return a search with a budget of ``trials`` trials; nothing is drawn or written yet.

    The same arguments and results lead to the same trials: an interrupted search is resumed by
    asking for them again and telling what is known.

    Args:
        method: ``sobol`` (scrambled Sobol sequence, Owen 1998), ``random`` (Bergstra & Bengio
            2012), ``grid`` (the same for every seed) or ``tpe`` (tree-structured Parzen
            estimator, Bergstra et al. 2011, of Optuna).
        space: The settings that are searched, and those that are fixed.
        trials: Settings to try, at most.
        seed: Seed of the search.
        name: The name of what is tuned, which seeds the search, too.
        recentre: Draw the second half of the trials from a space moved to the best of the first,
            where that lies within 10 % of a bound; for ``sobol`` and ``random``.
        batch: Trials that ``tpe`` proposes at once; the others ask for all they can.
        storage: SQLite file in which ``tpe`` records its trials, for ``optuna-dashboard``.
        study: Name of the study in ``storage``; None: ``name``. What this search did not record
            under this name is replaced.

    Raises:
        InputError: No such method, a budget that is none, a grid that cannot have so many
            points, or ``recentre`` with a method that has no use for it.
    """
    require_one_of("search.method", method, METHODS)
    require_whole("trials", trials)
    require_whole("search.batch", batch)
    if recentre and method not in POINTS:
        raise InputError(
            f"search.recentre=true: search.method={method} has a plan of its own; "
            f"{suggest(method, POINTS)}"
        )
    if not space.dimensions:
        return _Planned([{}], space)
    if method == "grid":
        return _Planned(grid(space.dimensions, trials), space)
    if method == "tpe":
        from sgdlab.search.tpe import Tpe  # Optuna takes half a second to import

        return Tpe(space, trials, seed, name, batch, storage, study or name)
    return _Drawn(method, space, trials, seed, name, recentre)


class _Planned:
    """A search whose trials are all known from the start."""

    recentred: dict[str, tuple[float, float]]

    def __init__(self, plan: list[Settings], space: Space) -> None:
        self._plan = [space.fixed | settings for settings in plan]
        self._untold = 0
        self.recentred = {}

    def ask(self) -> list[Settings]:
        assert not self._untold, "tell the results of the last batch first"
        plan, self._plan = self._plan, []
        self._untold = len(plan)
        return plan

    def tell(self, values: Sequence[float]) -> None:
        assert len(values) == self._untold
        self._untold = 0


class _Drawn:
    """Trials drawn without looking at results, but for one re-centring half-way."""

    recentred: dict[str, tuple[float, float]]

    def __init__(
        self, method: str, space: Space, trials: int, seed: int, name: str, recentre: bool
    ) -> None:
        self._space = space
        self._dimensions = space.dimensions
        self._points = POINTS[method](len(space.dimensions), seed, name)
        self._seen: set[str] = set()
        self._patience = patience_for(trials)
        first = math.ceil(trials / 2) if recentre else trials
        self._batches = [first, trials - first]
        self._asked: list[Settings] = []
        self.recentred = {}

    def ask(self) -> list[Settings]:
        assert not self._asked, "tell the results of the last batch first"
        if not self._batches:
            return []
        fresh = different(self._dimensions, self._points, self._seen, self._patience)
        self._asked = list(islice(fresh, self._batches.pop(0)))
        return [self._space.fixed | settings for settings in self._asked]

    def tell(self, values: Sequence[float]) -> None:
        results = list(zip(values, self._asked, strict=True))
        self._asked = []
        finite = [(bad, settings) for bad, settings in results if math.isfinite(bad)]
        if not finite or not any(self._batches):
            return
        _, best = min(finite, key=lambda result: result[0])
        before, self._dimensions = self._dimensions, recentred(self._dimensions, best)
        self.recentred = {
            now.key: (now.low, now.high)
            for was, now in zip(before, self._dimensions, strict=True)
            if now != was
        }
