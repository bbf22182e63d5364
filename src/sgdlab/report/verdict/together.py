"""What several workloads say together, in sentences: the mean effect, and what to expect next."""

import math
from collections.abc import Sequence

from sgdlab.analysis import words
from sgdlab.analysis.joint import DIFFERENCE, SPEED_UP, JointPair
from sgdlab.analysis.statistics import FIRST_BETTER, SECOND_BETTER
from sgdlab.report.verdict.phrases import p_equals

WINNERS = (FIRST_BETTER, SECOND_BETTER)
"""Verdicts with a winner."""

FEW = 3
"""Fewer workloads than these say nothing of a further one."""


def leader(pairs: Sequence[JointPair]) -> str:
    """Return the contender with most wins over the workloads; of equal ones the larger mean."""
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))

    def place(name: str) -> tuple[int, float]:
        own = [pair for pair in pairs if name in (pair.first, pair.second)]
        ahead = [_ahead(pair, name) for pair in own]
        won = sum(p.verdict in WINNERS and a > 0 for p, a in zip(own, ahead, strict=True))
        return won, math.fsum(ahead) / len(ahead)

    return max(names, key=place)


def _ahead(pair: JointPair, name: str) -> float:
    return pair.whole.mean if pair.first == name else -pair.whole.mean


def headline_of(pairs: Sequence[JointPair]) -> str:
    """Return who is better than all others over the workloads; empty where nobody is."""
    if not pairs:
        return ""
    name = leader(pairs)
    own = [pair for pair in pairs if name in (pair.first, pair.second)]
    if not all(pair.verdict in WINNERS and _ahead(pair, name) > 0 for pair in own):
        return ""
    others = [pair.second if pair.first == name else pair.first for pair in own]
    whom = others[0] if len(others) == 1 else "both others" if len(others) == 2 else "all others"
    return f"{name} is better than {whom} over {workloads_of(own)}"


def workloads_of(pairs: Sequence[JointPair]) -> str:
    """Return over how many workloads some pairs are: ``5 workloads``, ``4 to 6 workloads``."""
    counts = sorted({pair.whole.k for pair in pairs})
    if len(counts) == 1:
        return f"{counts[0]} workloads"
    return f"{counts[0]} to {counts[-1]} workloads"


def sentences(pairs: Sequence[JointPair], unit: str) -> list[str]:
    """Return what is said of the leader and of the one that comes nearest to it.

    Args:
        pairs: The pairs of one track, of both effects.
        unit: What a unit is: ``replicate``, ``seed`` or ``run``.
    """
    judged = [pair for pair in pairs if pair.effect == DIFFERENCE]
    if not judged:
        return []
    name = leader(judged)
    own = [pair for pair in judged if name in (pair.first, pair.second)]
    closest = min(own, key=lambda pair: _ahead(pair, name))
    said = [f"Over {workloads_of([closest])}: {difference(closest, unit, len(judged))}"]
    said.append(expectation(closest))
    twin = {closest.first, closest.second}
    twins = [pair for pair in pairs if {pair.first, pair.second} == twin]
    return [*said, *(sooner(pair) for pair in twins if pair.effect == SPEED_UP)]


def difference(pair: JointPair, unit: str, many: int) -> str:
    """Return the mean standardised difference of a pair, with its interval and its test."""
    first, second = ordered(pair)
    mean, low, high, *_ = ends(pair)
    holm = f", Holm over {words.count(many, 'pair')}" if many > 1 else ""
    decided = pair.verdict in WINNERS
    what = f"{first} is better than {second}" if decided else f"{first} − {second}: no winner"
    note = f"; {pair.note}" if pair.note else ""
    return (
        f"{what}, mean difference {words.number(mean, 2)} standard deviations of a {unit} "
        f"(95 % CI {words.number(low, 2)} to {words.number(high, 2)}; {p_equals(pair.p_adjusted)}"
        f"{holm}{note})"
    )


def expectation(pair: JointPair) -> str:
    """Say how much workloads differ, and between what the next one is expected."""
    whole, (first, _) = pair.whole, ordered(pair)
    spread = (
        f"τ = {words.number(whole.tau, 2)}, I² = {100 * whole.i2:.0f} %, "
        f"{p_equals(whole.p_q)} for workloads that are all alike"
    )
    if whole.k < FEW:
        return f"Two workloads say nothing of another one ({spread})"
    _, _, _, low, high = ends(pair)
    sure = "" if low <= 0 <= high else f", so {first} ahead"
    return (
        f"On another workload like these expect {words.number(low, 2)} to {words.number(high, 2)}"
        f"{sure} (95 % prediction interval; {spread})"
    )


def sooner(pair: JointPair) -> str:
    """Return the mean speed-up of a pair as a ratio, and what to expect of another workload."""
    first, second = ordered(pair)
    mean, low, high, ahead, behind = map(times, ends(pair))
    said = (
        f"Speed-up of {first} over {second}, in steps to the loss that both reach: {mean} × "
        f"(95 % CI {low} to {high}"
    )
    return f"{said}; another workload: {ahead} to {behind})" if pair.whole.k >= FEW else f"{said})"


def times(log_ratio: float) -> str:
    """Return a log ratio as a factor."""
    return words.number(math.exp(log_ratio), 3) if log_ratio < 50 else "∞"


def ordered(pair: JointPair) -> tuple[str, str]:
    """Return the names of a pair, the one with the positive mean first."""
    return (pair.first, pair.second) if pair.whole.mean >= 0 else (pair.second, pair.first)


def ends(pair: JointPair) -> tuple[float, float, float, float, float]:
    """Return mean, interval and prediction interval of a pair, for `ordered` names."""
    whole = pair.whole
    if whole.mean >= 0:
        return whole.mean, whole.low, whole.high, whole.next_low, whole.next_high
    return -whole.mean, -whole.high, -whole.low, -whole.next_high, -whole.next_low
