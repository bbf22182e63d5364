"""Which keys of a config the runs of a stack have in common."""

import json
from collections.abc import Sequence

from sgdlab.config.schema import RunConfig

ALIKE = (
    "dataset", "split", "model", "loss", "batch_size", "accumulate", "epochs", "max_steps", "eval",
    "device", "dtype", "parametrization", "threads", "checkpoint", "import_from", "stacked", "task",
    "diagnostics", "metric", "layout", "standardize", "save_final", "weights", "weights_skip",
    "average",
)  # fmt: skip
"""Root keys that all runs of a stack have in common; the rest are numbers, or keep runs out."""

OF_MODEL = (
    "dataset", "split", "model", "loss", "parametrization", "dtype", "import_from", "task",
    "layout", "standardize", "weights", "weights_skip", "freeze",
)  # fmt: skip
"""Those that a model and its data follow from, the seed apart."""

OF_OPTIMIZER = ("optimizer", "decay", "lr_multipliers")
"""Those that an optimizer follows from."""


def text_of(config: RunConfig, keys: Sequence[str]) -> str:
    """Return what a config has under some keys, as text to be compared."""
    plain = config.plain()
    return json.dumps({key: plain[key] for key in keys}, sort_keys=True)
