# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""One answer over several workloads: every pair's effects combined, as a sample of workloads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdlab.analysis.load import Runs
from sgdlab.analysis.result import Result, Row
from sgdlab.analysis.speed_ups import mutual_log_ratios
from sgdlab.analysis.splits import overlap_of
from sgdlab.analysis.statistics import (
    NAN,
    UNDECIDED,
    RandomEffects,
    joined,
    not_corrected,
    of_attempts,
    random_effects,
    shared,
    standardised,
)
from sgdlab.analysis.statistics.family import holm_within, verdict_of
from sgdlab.analysis.units import RUN
from sgdlab.checks import is_number

DIFFERENCE, SPEED_UP = "standardised difference", "log speed-up"
"""The effects: of the metric of the verdicts in standard deviations of a unit, which the verdict is
by, and of the steps to the loss that both reach; positive where the first is better."""

JOINT_COLUMNS = (
    "first", "second", "effect", "track", "workloads", "mean", "ci_low", "ci_high", "p_value",
    "p_adjusted", "verdict", "tau", "i2", "q", "p_heterogeneity", "prediction_low",
    "prediction_high", "note", "family",
)  # fmt: skip
"""``joint.csv``: a row per pair and effect.
Columns:
    effect: The standardised difference, or the log speed-up; positive where the first is better.
    workloads: Those that are combined.
    ci_low, ci_high, p_value, p_adjusted: The mean's 95 % interval, its p of 0, Holm's of a family.
    p_heterogeneity: That of ``q`` where all workloads have the same effect.
    prediction_low, prediction_high: Where the effect on another workload would be measured (95 %).
"""

EFFECT_COLUMNS = (
    "first", "second", "effect", "track", "dataset", "model", "n", "value", "error", "weight",
)  # fmt: skip
"""``effects.csv``: what ``joint.csv`` combines, a row per pair, effect and workload.
Columns:
    weight: The share of the workload in the mean, by the inverse of ``error²``.
"""


@dataclass(frozen=True)
class Effect:
    """What one workload says of a pair.

    Attributes:
        result: The workload.
        n: The units of the pair.
        value: The effect, positive where the first is better.
        error: The standard error by which it is weighed.
    """

    result: Result
    n: int
    value: float
    error: float = NAN


@dataclass(frozen=True)
class JointPair:
    """What several workloads say of a pair.

    Attributes:
        first: The one contender.
        second: The other one.
        effect: `DIFFERENCE` or `SPEED_UP`.
        track: The track.
        family: The question that the pair answers.
        effects: The workloads.
        whole: Their combination.
        p_adjusted: Holm's over the pairs of the family, corrected for attempts.
        verdict: ``first better``, ``second better`` or ``undecided``.
        note: Which workloads are left out, and whether it is of one look of several alone.
    """

    first: str
    second: str
    effect: str
    track: str
    family: str
    effects: list[Effect]
    whole: RandomEffects
    p_adjusted: float = NAN
    verdict: str = UNDECIDED
    note: str = ""

    def row(self) -> dict[str, Any]:
        """Return the row of ``joint.csv``."""
        whole = self.whole
        return {
            "first": self.first, "second": self.second, "effect": self.effect,
            "track": self.track, "workloads": whole.k, "mean": whole.mean, "ci_low": whole.low,
            "ci_high": whole.high, "p_value": whole.p, "p_adjusted": self.p_adjusted,
            "verdict": self.verdict, "tau": whole.tau, "i2": whole.i2, "q": whole.q,
            "p_heterogeneity": whole.p_q, "prediction_low": whole.next_low,
            "prediction_high": whole.next_high, "note": self.note, "family": self.family,
        }  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of ``effects.csv``."""
        return [
            {
                "first": self.first, "second": self.second, "effect": self.effect,
                "track": self.track, "dataset": effect.result.workload.dataset,
                "model": effect.result.workload.model, "n": effect.n, "value": effect.value,
                "error": effect.error, "weight": weight,
            }
            for effect, weight in zip(self.effects, self.whole.weights, strict=True)
        ]  # fmt: skip


def joint_pairs(runs: Runs, results: Sequence[Result]) -> list[JointPair]:
    """Return what the workloads of each track say of every pair together.

    Workloads that are settings of one and the same (``held``) are no sample of workloads, and are
    not combined. One on which the pair has fewer than two units in common says nothing of its
    spread, and is left out, and named: where a contender completed no run there, that flatters it.

    Args:
        runs: Every run.
        results: All tracks of all workloads.
    """
    ordered = sorted(results, key=lambda result: result.track)
    found: list[JointPair] = []
    for _, own in groupby(ordered, key=lambda result: result.track):
        alike = [result for result in own if not result.workload.held]
        if len({result.workload.name for result in alike}) > 1:
            found += _of_track(runs, alike)
    # The tuned track first, as everywhere.
    order = list(dict.fromkeys(result.track for result in results))
    return sorted(found, key=lambda pair: order.index(pair.track))


def _of_track(runs: Runs, results: Sequence[Result]) -> list[JointPair]:
    names = list(dict.fromkeys(entry.optimizer for r in results for entry in r.entries))
    pairs = [
        (first, second)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
        if sum(result.asks(first, second) for result in results) > 1
    ]
    found: list[JointPair] = []
    for effect, of in ((DIFFERENCE, _differences), (SPEED_UP, _speed_ups)):
        own = [_joined(runs, results, *pair, effect, of) for pair in pairs]
        found += _judged([pair for pair in own if pair.whole.k > 1], results)
    return found


def _joined(
    runs: Runs, results: Sequence[Result], first: str, second: str, effect: str, of: Any
) -> JointPair:
    effects: list[Effect] = of(runs, results, first, second)
    known = {id(effect.result) for effect in effects}
    missing = [result.workload.name for result in results if id(result) not in known]
    lacks = next(filter(None, (not_corrected(e.result.design) for e in effects)), "")
    note = joined([f"left out: {', '.join(missing)}" if missing else "", lacks])
    values, variances = [e.value for e in effects], [e.error**2 for e in effects]
    # Where no unit differs from another on any workload there is no error to compare with.
    spread = all(variance > 0 for variance in variances)
    whole = random_effects(values, variances) if spread else RandomEffects(0)
    asked = next(r for r in results if r.asks(first, second))
    family = str(asked.pair(first, second)["family"])
    return JointPair(first, second, effect, asked.track, family, effects, whole, note=note)


def _judged(pairs: Sequence[JointPair], results: Sequence[Result]) -> list[JointPair]:
    attempts = max(result.workload.attempts for result in results)
    ps = holm_within([pair.whole.p for pair in pairs], [pair.family for pair in pairs])
    ps = [of_attempts(p, attempts) for p in ps]
    return [
        replace(pair, p_adjusted=p, verdict=verdict_of(p, NAN, first_ahead=pair.whole.mean > 0))
        for pair, p in zip(pairs, ps, strict=True)
    ]


def _differences(runs: Runs, results: Sequence[Result], first: str, second: str) -> list[Effect]:
    """Return the standardised differences of the workloads that can tell one."""
    told: list[tuple[Result, Row, float]] = []
    for result in results:
        if not result.asks(first, second):
            continue
        pair = result.pair(first, second)
        if pair["n_pairs"] > 1 and is_number(pair["error"]):
            told.append((result, pair, _deviation(result, pair)))
    if not told:
        return []
    counts = [int(pair["n_pairs"]) for _, pair, _ in told]
    values, variances = standardised(
        [_sign(result, pair, first) * pair["mean_difference"] for result, pair, _ in told],
        [pair["error"] for _, pair, _ in told],
        [deviation or 1.0 for _, _, deviation in told],
        counts,
    )
    both = zip(told, counts, values, variances, strict=True)
    return [Effect(t[0], n, value, math.sqrt(v)) for t, n, value, v in both]


def _sign(result: Result, pair: Row, first: str) -> float:
    sign = 1.0 if pair["first"] == first else -1.0
    return sign if result.workload.maximise else -sign


def _deviation(result: Result, pair: Row) -> float:
    """Return the standard deviation of a unit of either: the root of the mean of both variances.

    Where neither has any, that of rounding, which the test of the pair goes by.
    """
    own = [row for row in result.rows if row["optimizer"] in (pair["first"], pair["second"])]
    squares = [float(row[f"{result.prefix}_sd"]) ** 2 for row in own]
    known = [square for square in squares if math.isfinite(square)]
    deviation = math.sqrt(math.fsum(known) / len(known)) if known else 0.0
    pairs = 1.0 if result.unit != RUN else 0.5
    return deviation or float(pair["error"]) * math.sqrt(pairs * pair["n_pairs"])


def _speed_ups(runs: Runs, results: Sequence[Result], first: str, second: str) -> list[Effect]:
    """Return the mean log speed-ups; none where a workload's runs are no pairs."""
    told: list[tuple[Result, NDArray[np.float64], float]] = []
    for result in results:
        entries = {entry.optimizer: entry for entry in result.entries}
        if result.unit == RUN or first not in entries or second not in entries:
            continue
        pair = entries[first], entries[second]
        logs = mutual_log_ratios(runs, result.workload, *pair)
        if len(logs) > 1:
            told.append((result, np.asarray(logs), overlap_of(runs, pair, "val_loss")))
    if not told:
        return []
    counts = [len(logs) for _, logs, _ in told]
    own = [float(np.var(logs, ddof=1)) * (1 + len(logs) * overlap) for _, logs, overlap in told]
    variances = shared(own, counts)
    both = zip(told, variances, strict=True)
    return [Effect(t[0], len(t[1]), float(t[1].mean()), math.sqrt(v)) for t, v in both]
