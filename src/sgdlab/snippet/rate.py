"""The learning rate that a run used before scheduling."""

from collections.abc import Mapping
from typing import Any

from sgdlab import scaling
from sgdlab.checks import require_number
from sgdlab.errors import InputError, one_line
from sgdlab.snippet.values import section, settings, target, whole


def rate_of(config: Mapping[str, Any]) -> float:
    """Return the learning rate of a run before scheduling, scaled by its batch.

    Raises:
        InputError: It has none, or only the run itself knows it.
    """
    lr = config.get("lr")
    if lr is None:
        lr = section(config, "optimizer").get("lr")
    lr = require_number("lr", lr, open_low=True)
    if not section(config, "scaling"):
        return lr
    module, name = target(config, "scaling")
    rule = getattr(scaling, name, None) if module == "sgdlab.scaling" else None
    if rule is None:
        raise InputError(
            f"scaling={module}.{name}: give the lr of summary.csv, since only the run knows it"
        )
    batch, accumulate = config.get("batch_size"), whole(config, "accumulate", 1)
    if rule is scaling.Unscaled:
        batch = 1  # any will do
    if not isinstance(batch, int):
        raise InputError(
            f"batch_size={batch}: give the lr of summary.csv, since scaling needs the size"
        )
    try:
        return float(rule(**settings(config, "scaling"))(lr, batch * accumulate))
    except TypeError as error:
        raise InputError(f"scaling: {one_line(error)}") from error
