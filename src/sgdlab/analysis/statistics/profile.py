"""The performance profile of several contenders on several workloads, and its integral."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sgdlab.analysis.statistics.levels import NAN


@dataclass(frozen=True)
class Profile:
    """Shares of the workloads by contender, at each factor of ``tau``.

    The curves are steps: between two factors the share is that of the smaller one. ``score`` is
    the area under a curve divided by the largest possible, hence from 0 to 1.
    """

    tau: list[float]
    shares: dict[str, list[float]]
    score: dict[str, float]


def performance_profile(cost: Mapping[str, Mapping[str, float]], most: float = 4.0) -> Profile:
    """Return the performance profile of the contenders (Dolan and Moré 2002) and its score.

    With ``t_{s,w}`` the cost of contender s on workload w and ``r_{s,w} = t_{s,w} / min_s t_{s,w}``
    the profile is ``ρ_s(τ) = (number of workloads with r_{s,w} ≤ τ) / (number of workloads)``: the
    share on which s needs at most τ times what the best needs. The score is AlgoPerf's
    (Dahl et al. 2023, "Benchmarking neural network training algorithms"),

        ``B_s = 1 / (most − 1) ∫ from 1 to most of ρ_s(τ) dτ``,  with ``most = 4``,

    here in closed form, ``Σ_w max(0, most − r_{s,w}) / (number of workloads · (most − 1))``;
    AlgoPerf's programme takes the trapezoidal rule at 100 points, which is within 0.0051 of it.

    A workload whose target nobody reaches counts for nobody, and among the workloads. Shares and
    scores are relative to those compared: another contender may change the order of two others
    (Gould and Scott 2016), so two of them are compared by a profile of these two alone.

    Args:
        cost: The cost by contender and workload, say the median seconds to the target; inf or NaN
            where it was not reached, and for a workload that a contender lacks and another has.
        most: The factor at which the integral ends, above 1.

    Raises:
        ValueError: A cost is negative, or ``most`` is not above 1.
    """
    if not 1 < most < math.inf:
        raise ValueError(f"most={most}: must be a number above 1")
    workloads = list(dict.fromkeys(name for costs in cost.values() for name in costs))
    ratios: dict[str, list[float]] = {contender: [] for contender in cost}
    for workload in workloads:
        reached = {who: _finite(costs.get(workload, math.inf)) for who, costs in cost.items()}
        best = min(reached.values())
        if best < 0:
            raise ValueError(f"{workload}: a cost of {best} is negative")
        for contender, value in reached.items():
            ratios[contender].append(_ratio(value, best))
    inner = {r for of_one in ratios.values() for r in of_one if 1 < r < most}
    tau = [1.0, *sorted(inner), float(most)]
    shares = {
        contender: [_share(sum(r <= t for r in of_one), len(workloads)) for t in tau]
        for contender, of_one in ratios.items()
    }
    score = {
        contender: _share(math.fsum(max(0.0, most - r) for r in of_one), len(workloads))
        / (most - 1)
        for contender, of_one in ratios.items()
    }
    return Profile(tau, shares, score)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.inf


def _ratio(value: float, best: float) -> float:
    if not math.isfinite(value):
        return math.inf
    if value == best:
        return 1.0
    return value / best if best > 0 else math.inf


def _share(part: float, whole: int) -> float:
    return part / whole if whole else NAN
