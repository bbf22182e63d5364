"""Time and memory of runs that were trained in a stack, from short runs of the same kind alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import Fingerprint, contender, fingerprint, text
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, PILOT, TIMING

SOLO = (TIMING, PILOT)
"""Phases of short runs alone: those that time the winners, and those that turn a budget in seconds
into trials. They are neither trials nor units."""

STACKED = "stacked"
"""Engine of runs whose own time and memory are empty."""

# A timing run is shorter than the run whose time it tells, and is evaluated less often.
_LENGTH = ("max_steps", "eval.every")

# Numbers in the update of a step, and how long it goes on: they do not change what a step costs.
_FREE = ("optimizer.", "schedule.", "scaling.", "decay.", "lr_multipliers", "clip_", "epochs")


@dataclass(frozen=True)
class SoloTiming:
    """What runs of one kind cost, measured alone.

    Attributes:
        seconds_per_step: The median over the short runs of ``train_seconds / steps``.
        peak_memory_bytes: The largest of them; NaN when none tells.
        runs: How many short runs there are.
        steps: The steps of each; of several lengths the shortest.
        rows: The rows of the short runs.
    """

    seconds_per_step: float
    peak_memory_bytes: float
    runs: int
    steps: int
    rows: tuple[int, ...] = ()


_Study = tuple[str, str, str, str]


def with_times(runs: Runs) -> tuple[Runs, dict[int, SoloTiming]]:
    """Return the runs with a clock for those that were stacked, and what these cost, by row.

    The seconds of their evaluations become ``step · seconds_per_step``; their rows stay empty.
    Short runs alone tell it of the runs of their study, workload and contender, whatever the phase
    and the seed: those with the very settings of the run if there are any; else all that differ
    from it only in what does not change the cost of a step (settings of the optimizer and of the
    schedule, decay, clipping and the length), so that the winner of one replicate tells the cost
    of the trials and of the other winners. Timing runs come before pilot runs. Stacked runs
    without any are absent, and have no clock.
    """
    phases = {run["phase"] for run in runs.rows}
    kinds = _Kinds(runs)
    tables = [_costs(runs, kinds, phase) for phase in SOLO if phase in phases]
    if not any(tables):
        return runs, {}
    alone: dict[int, SoloTiming] = {}
    evals = dict(runs.evals)
    for row, run in enumerate(runs.rows):
        if run["engine"] != STACKED or not runs.configs[row]:
            continue
        study, keys = kinds.study(row), kinds.of(row)
        cost = next((t[study, k] for t in tables for k in keys if (study, k) in t), None)
        if cost is None:
            continue
        alone[row] = cost
        if row in evals:
            table = evals[row]
            evals[row] = table | {"train_seconds": table["step"] * cost.seconds_per_step}
    return replace(runs, evals=evals), alone


def seconds_of(runs: Runs, alone: Mapping[int, SoloTiming], row: int) -> float:
    """Return the training time of a run: its own, else its steps times the seconds of one alone.

    NaN where neither is known.
    """
    own, steps = runs.rows[row]["train_seconds"], runs.rows[row]["steps"]
    if is_number(own):
        return float(own)
    if not is_number(steps):
        return math.nan
    if steps == 0:
        return 0.0
    return float(steps) * alone[row].seconds_per_step if row in alone else math.nan


class _Kinds:
    """Says which short runs and which others belong together; looks at each config once."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._known: dict[int, tuple[Fingerprint, Fingerprint]] = {}

    def study(self, row: int) -> _Study:
        run = self._runs.rows[row]
        study, dataset, model = (text(run[column]) for column in ("study", "dataset", "model"))
        return study, dataset, model, contender(self._runs, row)

    def of(self, row: int) -> tuple[Fingerprint, Fingerprint]:
        """Return what is equal for runs of the same settings, and for those of the same cost."""
        config = self._runs.configs[row]
        if id(config) not in self._known:
            same = {key: cell for key, cell in config.items() if key not in _LENGTH}
            exact = fingerprint(same)
            self._known[id(config)] = exact, frozenset(filter(_costs_time, exact))
        return self._known[id(config)]


def _costs_time(setting: tuple[str, str]) -> bool:
    return not setting[0].startswith(_FREE) or setting[0].endswith("_target_")


def _costs(runs: Runs, kinds: _Kinds, phase: str) -> dict[tuple[_Study, Fingerprint], SoloTiming]:
    found: dict[tuple[_Study, Fingerprint], list[int]] = {}
    for row, run in enumerate(runs.rows):
        if run["phase"] == phase and run["status"] == COMPLETED and runs.configs[row]:
            study = kinds.study(row)
            for key in set(kinds.of(row)):
                found.setdefault((study, key), []).append(row)
    costs = {key: _cost(runs, rows) for key, rows in found.items()}
    return {key: cost for key, cost in costs.items() if cost is not None}


def _cost(runs: Runs, rows: Sequence[int]) -> SoloTiming | None:
    timed = [
        (float(seconds) / steps, int(steps), row)
        for row in rows
        if is_number(seconds := runs.rows[row]["train_seconds"])
        and is_number(steps := runs.rows[row]["steps"])
        and steps > 0
    ]
    if not timed:
        return None
    peaks = [runs.rows[row]["peak_memory_bytes"] for _, _, row in timed]
    return SoloTiming(
        seconds_per_step=median(pace for pace, _, _ in timed),
        peak_memory_bytes=max((float(peak) for peak in peaks if is_number(peak)), default=math.nan),
        runs=len(timed),
        steps=min(steps for _, steps, _ in timed),
        rows=tuple(row for _, _, row in timed),
    )
