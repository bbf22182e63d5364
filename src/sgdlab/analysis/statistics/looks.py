# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Tests of a pair that was looked at several times, or will be: `Looks`, `over_looks`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.special import stdtr, stdtrit

from sgdlab.analysis.statistics.anytime import (
    anytime_apart,
    anytime_p,
    anytime_quantile,
    anytime_reach,
)
from sgdlab.analysis.statistics.guard import guard
from sgdlab.analysis.statistics.johnson import johnson_t
from sgdlab.analysis.statistics.levels import ALPHA, ANYTIME, FIXED, NAN, PLANNED
from sgdlab.analysis.statistics.paired import PairedTest
from sgdlab.analysis.statistics.spending import nominal_level, overall_p


@dataclass(frozen=True)
class Looks:
    """When a question was looked at, and by what plan.

    Attributes:
        design: ``fixed`` (once), ``planned`` or ``anytime``.
        made: The units that there were at each look so far, this one included.
        planned: Those of all looks of the plan.
    """

    design: str = FIXED
    made: tuple[int, ...] = ()
    planned: tuple[int, ...] = ()

    @property
    def note(self) -> str:
        """What a reader has to know beside a p-value; empty for one look."""
        if self.design == FIXED:
            return ""
        which = f"look {len(self.made)}"
        if self.design == PLANNED:
            return f"{which} of {len(self.planned)} planned"
        return f"{which}, not planned" if self.made else "valid at any time"


def not_corrected(design: str) -> str:
    """Say of a p-value or an interval that it is of one look alone; empty where there is one."""
    return "" if design == FIXED else "not corrected for looks"


ONE_LOOK = Looks()

SKEWED = "doubtful: the differences are skewed, and corrected for that undecided"
"""The note of a winner that may be one since rare large errors have not yet been drawn."""


def over_looks(
    tests: Sequence[PairedTest],
    looks: Looks,
    margin: float | None = None,
    apart: Sequence[tuple[tuple[float, float], tuple[int, int]]] = (),
) -> PairedTest:
    """Return the test of the last look, with p-values and interval that hold over all looks.

    - ``planned``: the least `overall_p` of the looks so far, so that what was decided stays
      decided; the interval is the repeated one (Jennison & Turnbull 1989), of the t quantile at
      the `nominal_level` of this look.
    - ``anytime``: the least `anytime_p` of the looks so far, and the confidence sequence.

    Equivalence is that of two one-sided tests in the same way; with ``anytime`` that the confidence
    sequence at that level lies within the margin. Signed ranks have no such p-value: it is left
    out.

    A winner ``anytime`` that Johnson's t would not name has the note `SKEWED`: where the errors of
    one optimizer are skewed and the other's not, these are 53 % of the winners without a
    difference, and 21 % of true ones with normal errors, from which more units take it away
    (docs/comparisons.md).

    Args:
        tests: The test of the pair at every look that was made, this one last.
        looks: When that was.
        margin: Largest difference that does not matter; None: equivalence is not tested.
        apart: The standard errors and counts of either sample at each look, where they are
            independent; empty for pairs.
    """
    last = tests[-1]
    if looks.design == FIXED or last.n < 2 or last.equal:
        return last
    known = [place for place, test in enumerate(tests) if test.n > 1 and not test.equal]
    p = equivalence = math.inf
    for place in known:
        test = tests[place]
        sides = apart[place] if apart else None
        p = min(p, _p(test, looks, place, sides, 0.0))
        if margin is not None:
            equivalence = min(equivalence, _within(test, looks, place, sides, margin))
    half = _half_width(last, looks, apart[-1] if apart else None)
    return replace(
        last,
        p=p,
        p_wilcoxon=NAN,
        p_equivalence=equivalence if margin is not None else NAN,
        ci_low=last.mean - half,
        ci_high=last.mean + half,
        note=last.note or ("" if apart else _doubt(last, looks)),
    )


def _doubt(test: PairedTest, looks: Looks) -> str:
    """Return `SKEWED` where this look names a winner, and by Johnson's t none; else nothing."""
    t = test.mean / _error(test, looks)
    if looks.design != ANYTIME or anytime_p(t, test.n) >= ALPHA:
        return ""
    corrected = johnson_t(t, test.skewness, test.n)
    stays = corrected * t > 0 and anytime_p(corrected, test.n) < ALPHA
    return "" if stays else SKEWED


_Sides = tuple[tuple[float, float], tuple[int, int]] | None


def _p(test: PairedTest, looks: Looks, place: int, sides: _Sides, value: float) -> float:
    """Return the p-value of a look of a difference of ``value``."""
    gap = test.mean - value
    if looks.design == ANYTIME:
        if sides is not None:
            return anytime_apart(gap, *sides)
        return anytime_p(gap / _error(test, looks), test.n)
    alone = 2 * float(stdtr(test.n - 1, -abs(gap) / _error(test, looks)))
    return overall_p(alone, _fractions(looks), place)


def _within(test: PairedTest, looks: Looks, place: int, sides: _Sides, margin: float) -> float:
    """Return the p-value of a look of a difference beyond the margin, by its nearer end."""
    if abs(test.mean) >= margin:
        return 1.0
    p = _p(test, looks, place, sides, math.copysign(margin, test.mean))
    return p if looks.design == ANYTIME else p / 2


def _half_width(test: PairedTest, looks: Looks, sides: _Sides) -> float:
    if looks.design == ANYTIME:
        if sides is not None:
            return anytime_reach(*sides)
        return anytime_quantile(test.n) * _error(test, looks)
    level = nominal_level(ALPHA, _fractions(looks), len(looks.made) - 1)
    return float(stdtrit(test.n - 1, 1 - level / 2)) * _error(test, looks)


def _error(test: PairedTest, looks: Looks) -> float:
    return test.error * guard(test.n, looks.design)


def _fractions(looks: Looks) -> tuple[float, ...]:
    return tuple(count / looks.planned[-1] for count in looks.planned)
