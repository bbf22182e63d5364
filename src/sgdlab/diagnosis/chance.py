"""What a run has at least that knows nothing, by its loss: a yardstick beside its start."""

import math
from collections.abc import Mapping
from typing import Any

_LEAST = {
    ("sgdlab.losses.cross_entropy.CrossEntropy", "accuracy"): math.log(2),  # two classes or more
    ("sgdlab.losses.mse.MeanSquaredError", "accuracy"): 0.25,
    ("sgdlab.losses.mse.MeanSquaredError", "rmse"): 1.0,  # targets are standardised
}
_AUTO = {"accuracy": "cross_entropy.CrossEntropy", "rmse": "mse.MeanSquaredError"}


def harmless(config: Mapping[str, Any], metric: str) -> float:
    """Return half the loss of a constant prediction at the least; 0 where it is not known.

    A run that starts below it was trained before, or is lucky: its start is no measure of what is
    much. Half, as in `sgdlab.training.limit`: random starts are not below it.

    Args:
        config: The content of ``config.yaml``.
        metric: The name of the metric.
    """
    target = str((config.get("loss") or {}).get("_target_"))
    if target == "sgdlab.losses.auto.auto":
        target = f"sgdlab.losses.{_AUTO.get(metric)}"
    if metric == "rmse" and (config.get("standardize") or {}).get("targets") is False:
        return 0.0
    return _LEAST.get((target, metric), 0.0) / 2
