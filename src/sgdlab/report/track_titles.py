"""What stands above the results of a track, in the report and in the terminal."""

from sgdlab.analysis import Result
from sgdlab.report.ablation_table import ablation_table
from sgdlab.results import DEFAULTS, ONE


def track_title(result: Result) -> str:
    """Return the title of the track of a result; empty for runs without phases."""
    if result.track == ONE:
        return "One setting for all workloads"
    if result.track == DEFAULTS:
        is_ablation = ablation_table(result) is not None
        return "Variants of the recipe, untuned" if is_ablation else "Default settings, untuned"
    return "Tuned" if result.track else ""
