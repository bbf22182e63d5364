"""Time and memory of runs that were trained in a stack, from short runs of their settings alone."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median

from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import Fingerprint, fingerprint, text
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED

TIMING = "timing"
"""Phase of the short runs alone; they are neither trials nor replicates."""

STACKED = "stacked"
"""Engine of runs whose own time and memory are empty."""

# A timing run is shorter than the run whose time it tells, and is evaluated less often.
_LENGTH = ("max_steps", "eval.every")


@dataclass(frozen=True)
class Alone:
    """What runs of one setting cost, measured alone.

    Attributes:
        seconds_per_step: The median over the timing runs of ``train_seconds / steps``.
        peak_memory_bytes: The largest of them; NaN when none tells.
        runs: How many timing runs there are.
        steps: The steps of each; of several lengths the shortest.
    """

    seconds_per_step: float
    peak_memory_bytes: float
    runs: int
    steps: int


def with_times(runs: Runs) -> tuple[Runs, dict[int, Alone]]:
    """Return the runs with a clock for those that were stacked, and what these cost, by row.

    The seconds of their evaluations become ``step · seconds_per_step``; their rows stay empty.
    Timing runs tell it of the runs of their study, optimizer and setting, the seed excepted;
    stacked runs without any are absent, and have no clock.
    """
    setting = _Settings(runs)
    timing: dict[tuple[str, str, Fingerprint], list[int]] = {}
    for row, run in enumerate(runs.rows):
        if run["phase"] == TIMING and run["status"] == COMPLETED and (key := setting.of(row)):
            timing.setdefault(key, []).append(row)
    if not timing:
        return runs, {}
    costs = {key: cost for key, rows in timing.items() if (cost := _cost(runs, rows)) is not None}
    alone: dict[int, Alone] = {}
    evals = dict(runs.evals)
    for row, run in enumerate(runs.rows):
        key = setting.of(row) if run["engine"] == STACKED else None
        if key is None or key not in costs:
            continue
        alone[row] = costs[key]
        if row in evals:
            table = evals[row]
            evals[row] = table | {"train_seconds": table["step"] * costs[key].seconds_per_step}
    return replace(runs, evals=evals), alone


class _Settings:
    """Says which timing runs and which others belong together; looks at each config once."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._known: dict[int, Fingerprint] = {}

    def of(self, row: int) -> tuple[str, str, Fingerprint] | None:
        config, run = self._runs.configs[row], self._runs.rows[row]
        if not config:
            return None
        if id(config) not in self._known:
            same = {key: cell for key, cell in config.items() if key not in _LENGTH}
            self._known[id(config)] = fingerprint(same)
        return text(run["study"]), text(run["optimizer"]), self._known[id(config)]


def _cost(runs: Runs, rows: Iterable[int]) -> Alone | None:
    timed = [
        (float(seconds) / steps, int(steps), runs.rows[row]["peak_memory_bytes"])
        for row in rows
        if is_number(seconds := runs.rows[row]["train_seconds"])
        and is_number(steps := runs.rows[row]["steps"])
        and steps > 0
    ]
    if not timed:
        return None
    memory = [float(peak) for _, _, peak in timed if is_number(peak)]
    return Alone(
        seconds_per_step=median(pace for pace, _, _ in timed),
        peak_memory_bytes=max(memory, default=math.nan),
        runs=len(timed),
        steps=min(steps for _, steps, _ in timed),
    )
