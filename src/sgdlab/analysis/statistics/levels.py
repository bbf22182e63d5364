"""The levels that every interval, test and verdict shares, and the words of a verdict."""

import math

LEVEL = 0.95
"""The confidence level of every interval."""

ALPHA = 0.05
"""Family-wise error rate of the verdicts of a workload."""

POWER = 0.8
"""The power of the comparison that ``seeds_needed`` plans."""

NAN = math.nan

FIRST_BETTER = "first better"
SECOND_BETTER = "second better"
EQUIVALENT = "equivalent"
UNDECIDED = "undecided"

ROUNDINGS = 8 * 2.0**-52
"""What is below this share of the largest value is rounding, not a difference."""

FIXED = "fixed"
"""One look, at a number of units that was settled before."""

PLANNED = "planned"
"""Looks at numbers of units that were settled before the first one."""

ANYTIME = "anytime"
"""Looks whenever one wants."""
