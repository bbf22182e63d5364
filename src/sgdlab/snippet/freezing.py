"""Source of ``freeze``, and what is said of the weights that a run started from."""

from collections.abc import Mapping
from typing import Any

from sgdlab.snippet.source import Part, inlined
from sgdlab.snippet.values import literal


def freezing_part(config: Mapping[str, Any]) -> Part:
    """Return the definition of ``freeze``; empty for a run that trains all parameters.

    Args:
        config: The config of a run.
    """
    if not config.get("freeze"):
        return Part()
    return inlined([("sgdlab.training.freezing", "freeze")])


def start(config: Mapping[str, Any]) -> dict[str, str]:
    """Return what the settings of a snippet say of frozen parameters and of loaded weights."""
    found: dict[str, str] = {}
    if (weights := config.get("weights")) is not None:
        written = (config.get("relative_paths") or {}).get("weights", weights).removeprefix("$PWD/")
        skip = config.get("weights_skip")
        without = f", without {literal(list(map(str, skip)))}" if skip else ""
        found["weights"] = f"started from {written}{without}; load them into the model first"
    if patterns := config.get("freeze"):
        found["frozen"] = ", ".join(map(str, patterns))
    return found
