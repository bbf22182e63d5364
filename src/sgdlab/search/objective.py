"""How good a trial is: the one measure of searches, of rungs of halving, and of winners."""

import math


def objective_value(value: object, select_by: str, direction: object) -> float:
    """Return what a search minimises; ``inf``, the worst, for what is no finite number.

    Args:
        value: The cell of the column that selects; None where a run did not get that far.
        select_by: The name of the column, such as ``final_val_loss`` or ``best_val_metric``.
        direction: ``max`` or ``min``: which value of the metric is the better one.
    """
    if not isinstance(value, int | float) or not math.isfinite(value):
        return math.inf
    return -float(value) if select_by.endswith("metric") and direction == "max" else float(value)
