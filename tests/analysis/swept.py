"""Sweeps by hand: a run for every combination of settings and seed."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from run_folders import make_run

Result = float | None
"""The final validation metric of a run; None: it diverged."""


def make_sweep(
    root: Path,
    grid: Mapping[str, Sequence[Any]],
    value: Callable[[Mapping[str, Any], int], Result],
    *,
    seeds: int = 3,
    **more: Any,
) -> Path:
    """Write a run of each combination of ``grid`` and seed, with the metric of ``value``."""
    for number, values in enumerate(product(*grid.values())):
        settings = dict(zip(grid, values, strict=True))
        for seed in range(seeds):
            found = value(settings, seed)
            level = 0.5 if found is None else found
            config, summary = told(settings)
            make_run(
                root / f"run{number}-{seed}", settings.get("optimizer", "adamw"), seed=seed,
                lr=settings.get("lr", 0.1), val=(0.1, level / 2, level), test=None,
                dataset=settings.get("dataset", "digits"),
                status="diverged" if found is None else "completed",
                config=config, summary=summary, **more,
            )  # fmt: skip
    return root


def told(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return settings as a config and a summary have them."""
    config: dict[str, Any] = {"schedule": {"_target_": "sgdlab.schedules.constant.Constant"}}
    summary: dict[str, Any] = {}
    for key, cell in settings.items():
        group, _, name = key.partition(".")
        if name:
            config[group] = {**config.get(group, {"_target_": f"a.{group}"}), name: cell}
            summary[key] = cell
        elif key == "schedule":
            kind = str(cell).capitalize()
            config[key] = {"_target_": f"sgdlab.schedules.{cell}.{kind}", "final": len(kind)}
            summary |= {key: cell, "schedule.final": len(kind)}
        elif key == "batch_size":
            config[key] = summary[key] = cell
    if "model.width" in settings:
        summary["num_parameters"] = 100 * settings["model.width"]
    return config, summary
