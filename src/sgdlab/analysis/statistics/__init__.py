"""What samples of runs say: descriptions, paired verdicts, times to a target, profiles, basins.

One unit is one number: the mean of a replicate's final runs, or a run of one seed. Nothing here
knows of runs or files, and nothing here loads SciPy's statistics until a time to target is asked.
"""

from sgdlab.analysis.statistics.basin import Basin, basin
from sgdlab.analysis.statistics.describe import Description, describe
from sgdlab.analysis.statistics.family import Judgement, holm, judge
from sgdlab.analysis.statistics.levels import (
    ALPHA,
    EQUIVALENT,
    FIRST_BETTER,
    LEVEL,
    NAN,
    POWER,
    SECOND_BETTER,
    UNDECIDED,
)
from sgdlab.analysis.statistics.paired import PairedTest, paired_t
from sgdlab.analysis.statistics.power import seeds_needed
from sgdlab.analysis.statistics.profile import Profile, performance_profile
from sgdlab.analysis.statistics.signed_rank import signed_rank, smallest_signed_rank
from sgdlab.analysis.statistics.survival import (
    LogRank,
    censored_median,
    judge_times,
    kaplan_meier_median,
    log_rank,
)

__all__ = [
    "ALPHA", "EQUIVALENT", "FIRST_BETTER", "LEVEL", "NAN", "POWER", "SECOND_BETTER", "UNDECIDED",
    "Basin", "Description", "Judgement", "LogRank", "PairedTest", "Profile", "basin",
    "censored_median", "describe", "holm", "judge", "judge_times", "kaplan_meier_median",
    "log_rank", "paired_t", "performance_profile", "seeds_needed", "signed_rank",
    "smallest_signed_rank",
]  # fmt: skip
