"""What ``study.yaml`` says was planned; older and edited files lack keys or have other shapes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from sgdlab.checks import is_number

Section = Mapping[str, Any]


class Range(NamedTuple):
    """Bounds of a setting that was searched, and whether its scale is logarithmic."""

    low: float
    high: float
    log: bool

    @property
    def decades(self) -> float:
        """``log10(high / low)``, of a logarithmic scale."""
        return math.log10(self.high / self.low)


class DeclaredPlan:
    """The content of ``study.yaml``, or of none.

    Args:
        content: The file as it was read; None for runs of no comparison.
        compared: Settings whose values are compared, whatever the file says.
        workload: ``dataset/model``, which may have search spaces of its own.
    """

    def __init__(
        self, content: Section | None, compared: Sequence[str] = (), workload: str = ""
    ) -> None:
        self._content = section(content)
        self._compared = compared
        self._search = section(self._content.get("search"))
        self._of_workload = section(section(self._search.get("of_workloads")).get(workload))
        self._budget = section(self._content.get("budget"))

    @property
    def known(self) -> bool:
        """Whether there is a ``study.yaml``."""
        return bool(self._content)

    @property
    def contenders(self) -> list[str]:
        """The names of what was to be compared."""
        named = self._content.get("contenders") or self._content.get("optimizers")
        return [str(name) for name in _items(named)]

    @property
    def workloads(self) -> list[str]:
        """The names ``dataset/model`` of what it was to be compared on."""
        entries = _items(self._content.get("workloads"))
        return [str(next(iter(section(entry)), entry)) for entry in entries]

    @property
    def tracks(self) -> list[str]:
        """The tracks: ``tuned``, ``defaults`` or both; older files have the first one only."""
        return [str(track) for track in _items(self._content.get("tracks"))] or ["tuned"]

    @property
    def select_by(self) -> str:
        """The column that chose the winners; empty when not told."""
        column = self._content.get("select_by")
        return column if isinstance(column, str) else ""

    @property
    def method(self) -> str:
        """The method of the search, such as ``sobol`` or ``tpe``; empty when not told."""
        return str(self._search.get("method") or "")

    @property
    def final_seeds(self) -> list[list[int]]:
        """Seeds of the final runs by replicate; older files list those of the only one."""
        seeds = _items(self._content.get("final_seeds"))
        if all(is_number(seed) for seed in seeds):
            return [[int(seed) for seed in seeds]]
        return [[int(seed) for seed in _items(one) if is_number(seed)] for one in seeds]

    @property
    def halving(self) -> bool:
        """Whether successive halving was to stop trials."""
        return bool(self._search.get("halving"))

    @property
    def in_seconds(self) -> bool:
        """Whether the budget is in seconds rather than in trials."""
        return self._budget.get("unit") == "seconds"

    def trials(self, workload: str, contender: str) -> int | None:
        """Return how many trials a search was to have; None when not told.

        Args:
            workload: ``dataset/model``.
            contender: What was tuned.
        """
        by_workload = section(self._budget.get("trials_of"))
        planned = section(by_workload.get(workload)).get(contender)
        if planned is None and not self.in_seconds:
            planned = self._budget.get("per_search", self._budget.get("per_optimizer"))
        return int(planned) if is_number(planned) else None

    def space(self, contender: str) -> dict[str, Section]:
        """Return what was searched for a contender, by key; empty when not told."""
        spaces = section(self._search.get("spaces")), section(self._of_workload.get("spaces"))
        every, mine = (s.get(contender) or s.get(contender.partition(" ")[0]) for s in spaces)
        own = section(mine or every)
        return {str(key): section(bounds) for key, bounds in own.items()}

    def bounds(self, contender: str, key: str) -> Range | None:
        """Return the range of a setting that was searched; None when it was not."""
        return range_of(self.space(contender).get(key))

    @property
    def declared(self) -> set[str]:
        """Keys in which contenders may differ: compared, searched, or fixed for one of them."""
        keys = {*self._compared, *section(self._search.get("scientific"))}
        keys |= set(section(self._content.get("scientific")))
        keys |= set(_items(section(self._content.get("ablation")).get("keys")))
        for holder in (self._search, self._of_workload, self._content):
            for name in ("spaces", "fixed"):
                for own in section(holder.get(name)).values():
                    keys |= set(section(own))
        if self._budget.get("candidates_per_draw"):
            keys.add("scaling.candidate")
        return {str(key) for key in keys}


def range_of(bounds: Section | None) -> Range | None:
    """Return the range that bounds or choices span; None where they are not numbers."""
    if not bounds:
        return None
    choices = [float(c) for c in _items(bounds.get("choices")) if is_number(c)]
    if choices:
        return Range(min(choices), max(choices), min(choices) > 0)
    low, high = bounds.get("low"), bounds.get("high")
    if not is_number(low) or not is_number(high):
        return None
    return Range(float(low), float(high), bounds.get("scale") == "log" and low > 0)


def section(value: object) -> Section:
    """Return a section, empty where the value is none."""
    return cast("Section", value) if isinstance(value, Mapping) else {}


def _items(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
