"""What samples of runs say: descriptions, paired verdicts, times to a target, profiles, basins.

One unit is one number: the mean of a replicate's final runs, or a run of one seed. Nothing here
knows of runs or files, and nothing here loads SciPy's statistics until a time to target is asked.
"""

from sgdlab.analysis.statistics.adjusted import holm
from sgdlab.analysis.statistics.anytime import anytime_p, anytime_quantile
from sgdlab.analysis.statistics.attempts import expected_maximum, of_attempts
from sgdlab.analysis.statistics.basin import Basin, basin
from sgdlab.analysis.statistics.cdf_band import best_of_band, covered, order_bounds
from sgdlab.analysis.statistics.describe import Description, describe
from sgdlab.analysis.statistics.family import (
    ALL_PAIRS,
    Families,
    Judgement,
    joined,
    judge,
    one_family,
)
from sgdlab.analysis.statistics.fixed_target import (
    HOLDS,
    REFUTED,
    TargetClaim,
    target_claims,
)
from sgdlab.analysis.statistics.guard import guard
from sgdlab.analysis.statistics.johnson import johnson_t
from sgdlab.analysis.statistics.levels import (
    ALPHA,
    ANYTIME,
    EQUIVALENT,
    FIRST_BETTER,
    FIXED,
    LEVEL,
    NAN,
    PLANNED,
    POWER,
    SECOND_BETTER,
    UNDECIDED,
)
from sgdlab.analysis.statistics.looks import ONE_LOOK, SKEWED, Looks, not_corrected, over_looks
from sgdlab.analysis.statistics.paired import PairedTest, paired_t
from sgdlab.analysis.statistics.power import seeds_needed
from sgdlab.analysis.statistics.profile import Profile, performance_profile
from sgdlab.analysis.statistics.random_effects import (
    RandomEffects,
    hedges,
    random_effects,
    shared,
    standardised,
)
from sgdlab.analysis.statistics.signed_rank import signed_rank, smallest_signed_rank
from sgdlab.analysis.statistics.speed_up import SpeedUp, speed_up
from sgdlab.analysis.statistics.spending import nominal_level, overall_p
from sgdlab.analysis.statistics.survival import (
    LogRank,
    censored_median,
    judge_times,
    kaplan_meier_median,
    log_rank,
)
from sgdlab.analysis.statistics.welch import welch

__all__ = [
    "ALL_PAIRS",
    "ALPHA",
    "ANYTIME",
    "EQUIVALENT",
    "FIRST_BETTER",
    "FIXED",
    "HOLDS",
    "LEVEL",
    "NAN",
    "ONE_LOOK",
    "PLANNED",
    "POWER",
    "REFUTED",
    "SECOND_BETTER",
    "SKEWED",
    "UNDECIDED",
    "Basin",
    "Description",
    "Families",
    "Judgement",
    "LogRank",
    "Looks",
    "PairedTest",
    "Profile",
    "RandomEffects",
    "SpeedUp",
    "TargetClaim",
    "anytime_p",
    "anytime_quantile",
    "basin",
    "best_of_band",
    "censored_median",
    "covered",
    "describe",
    "expected_maximum",
    "guard",
    "hedges",
    "holm",
    "johnson_t",
    "joined",
    "judge",
    "judge_times",
    "kaplan_meier_median",
    "log_rank",
    "nominal_level",
    "not_corrected",
    "of_attempts",
    "one_family",
    "order_bounds",
    "over_looks",
    "overall_p",
    "paired_t",
    "performance_profile",
    "random_effects",
    "seeds_needed",
    "shared",
    "signed_rank",
    "smallest_signed_rank",
    "speed_up",
    "standardised",
    "target_claims",
    "welch",
]  # fmt: skip
