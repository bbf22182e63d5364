"""The performance profile of the contenders over several workloads."""

import math
from collections.abc import Sequence
from typing import Literal

from sgdlab.analysis.entries import TUNED
from sgdlab.analysis.result import Result
from sgdlab.analysis.statistics import Profile, performance_profile


def profile_of(results: Sequence[Result], clock: Literal["steps", "seconds"]) -> Profile | None:
    """Return the profile of the median steps or seconds to target over workloads.

    It is of the tuned contenders that every workload with a target has; None where that leaves
    fewer than two of either, where nobody reached a target, or where a contender that did was not
    timed.
    """
    cases = [result for result in results if result.track == TUNED and result.target.value]
    tuned = [{entry.optimizer for entry in r.entries if entry.tuned} for r in cases]
    common = set[str].intersection(*tuned) if tuned else set[str]()
    if len(cases) < 2 or len(common) < 2:
        return None
    cost: dict[str, dict[str, float]] = {name: {} for name in sorted(common)}
    for case in cases:
        for row in (row for row in case.rows if row["optimizer"] in common):
            value = row[f"median_{clock}_to_target"]
            reached, timed = math.isfinite(row["median_steps_to_target"]), math.isfinite(value)
            if reached and not timed:
                return None
            cost[row["optimizer"]][case.workload.name] = value if timed else math.inf
    if not any(math.isfinite(value) for costs in cost.values() for value in costs.values()):
        return None
    return performance_profile(cost)
