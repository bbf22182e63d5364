"""When a run ends before its last step, since it no longer improves."""

import math

from sgdlab.config.sections import StopConfig
from sgdlab.results import STOPPED_EARLY
from sgdlab.training.state import TrainState


def why_stop(stop: StopConfig, at: TrainState, direction: str) -> str | None:
    """Take the latest evaluation into account; return why the run ends with it, if it does.

    It ends once ``stop.patience`` evaluations in a row were not better than the best one before by
    more than ``stop.min_delta``. The evaluation of the initial weights does not count: they may be
    good by luck. What is not finite is no improvement.

    Args:
        stop: The settings.
        at: How far the run is, with the evaluation; the best so far is kept in it.
        direction: Whether more or less of the metric is better, ``max`` or ``min``.
    """
    if stop.patience is None:
        return None
    value = getattr(at, stop.metric)
    sign = -1 if stop.metric == "val_metric" and direction == "max" else 1
    best = at.stop_best
    if math.isfinite(value) and (best is None or sign * (best - value) > stop.min_delta):
        at.stop_best, at.stop_waited = value, 0
        return None
    at.stop_waited += 1
    if at.stop_waited < stop.patience:
        return None
    than = f"better than {best:.6g}" if best is not None else "finite"
    return f"{STOPPED_EARLY}={stop.patience}: {stop.metric} was not {than} in {at.stop_waited} " + (
        "evaluations" if at.stop_waited > 1 else "evaluation"
    )
