"""Successive halving of tuning trials: its settings, who goes on at a rung, and what it saves.

Jamieson & Talwalkar (2016): all trials train to a first rung, the best ``1 / η`` of them go on to
the next one, ``η`` times as far, and so on; the last survivors train to the end. No torch here:
reports say what was saved, too.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgdlab.checks import is_number, require_flag, require_whole
from sgdlab.results import STOPPED, Cell

SETTINGS = ("halving", "reduction_factor", "min_epochs")
"""Keys of ``search`` in the config of a comparison that are no optimizers."""


@dataclass(frozen=True)
class Halving:
    """How trials are thinned out.

    Args:
        reduction_factor: ``η``: one in so many goes on at each rung, and trains so many times as
            long.
        min_epochs: Fewest epochs before the first rung.
    """

    reduction_factor: int
    min_epochs: int

    def rungs(
        self, trials: int, total_steps: int, steps_per_epoch: int, every: int
    ) -> tuple[int, ...]:
        """Return the epochs after which trials are ranked, in order; none where none fits.

        ``E / η^k`` for ``k = K, …, 1`` of ``E`` epochs, rounded up to an epoch that is evaluated,
        the last epoch excepted. ``K`` is the largest number with ``η^K <= trials`` and
        ``E / η^K >= min_epochs``: rungs are as late as the trials allow.

        Args:
            trials: The trials of an optimizer.
            total_steps: The steps of a trial that is not stopped.
            steps_per_epoch: The steps of an epoch.
            every: The epochs between evaluations.
        """
        found: set[int] = set()
        divisor = self.reduction_factor
        while divisor <= trials and divisor * self.min_epochs * steps_per_epoch <= total_steps:
            epoch = every * -(-total_steps // (divisor * steps_per_epoch * every))
            if epoch * steps_per_epoch < total_steps:
                found.add(epoch)
            divisor *= self.reduction_factor
        return tuple(sorted(found))

    def places(self, trials: int, rung: int) -> int:
        """Return how many of a search's trials go on at a rung: ``ceil(trials / η^rung)``.

        The same for every optimizer, however many of its trials have diverged by then.

        Args:
            trials: The trials at the start.
            rung: The number of the rung, counted from 1.
        """
        return -(-trials // self.reduction_factor**rung)


def halving_of(search: Mapping[Any, Any]) -> Halving | None:
    """Return how ``search`` of a comparison thins out its trials; None: it does not.

    Raises:
        InputError: A value is impossible.
    """
    on = search.get("halving", False)
    require_flag("search.halving", on)
    factor = require_whole("search.reduction_factor", search.get("reduction_factor", 3), 2)
    epochs = require_whole("search.min_epochs", search.get("min_epochs", 1))
    return Halving(factor, epochs) if on else None


def counting(search: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return ``search`` without settings of halving that have no effect, since it is off."""
    off = not search.get("halving", False)
    return {key: value for key, value in search.items() if not (off and key in SETTINGS)}


def order(values: Sequence[float], numbers: Sequence[int]) -> list[int]:
    """Return the positions of trials, best first.

    Args:
        values: The values of the trials, the less the better; one that is not finite is last.
        numbers: The numbers of the trials: of equal ones the first is the better one.
    """
    known = [value if math.isfinite(value) else math.inf for value in values]
    return sorted(range(len(values)), key=lambda place: (known[place], numbers[place]))


def ordinal(number: int) -> str:
    """Return ``1st``, ``2nd``, ``3rd``, ``4th``, …, ``11th``, …, ``21st``."""
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


@dataclass(frozen=True)
class Saved:
    """What halving saved of an optimizer's tuning.

    Attributes:
        stopped: The trials that were stopped.
        trials: All trials.
        share: The steps that the stopped ones did not make, of those and all that were made; NaN
            when the files do not tell.
    """

    stopped: int
    trials: int
    share: float

    def sentence(self, optimizer: str) -> str:
        """Return what was saved in words."""
        text = f"successive halving stopped {self.stopped} of {self.trials} trials of {optimizer}"
        if math.isnan(self.share):
            return f"{text} early"
        return f"{text} early: {100 * self.share:.0f} % of the tuning steps were saved"


def saved(trials: Iterable[tuple[Mapping[str, Cell], Mapping[str, Any]]]) -> Saved:
    """Return what halving saved.

    A stopped trial might have diverged later, so the share is the most that can have been saved.

    Args:
        trials: The summary and the config of each trial of an optimizer; a config may be flat.
    """
    stopped = count = made = spared = 0
    known = True
    for summary, config in trials:
        count += 1
        steps = summary.get("steps")
        made += int(steps) if is_number(steps) else 0
        if summary["status"] == STOPPED:
            stopped += 1
            total = _planned_steps(summary, config)
            if total is not None and is_number(steps):
                spared += int(total - steps)
            else:
                known = False
    share = spared / (made + spared) if known and made + spared else math.nan
    return Saved(stopped, count, share)


def _planned_steps(summary: Mapping[str, Cell], config: Mapping[str, Any]) -> float | None:
    """Return the steps that a stopped trial should have made, by the steps of its epochs."""
    if is_number(most := config.get("max_steps")):
        return most
    epochs, steps, done = config.get("epochs"), summary.get("steps"), summary.get("epochs")
    if is_number(epochs) and is_number(steps) and is_number(done) and done:
        return epochs * steps / done
    return None
