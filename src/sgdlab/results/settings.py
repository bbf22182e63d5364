"""The settings that determine a run: flat, and those that its summary does not tell."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from sgdlab.results.contract import Cell, as_meant, text

OTHER_SETTINGS = "other_settings"
"""Column of ``summary.csv``, after those of the settings: a short hash of every setting that
determines the result and has no column. Where two runs agree in it and in their columns, their
configs agree, so that a table of thousands of runs is read with a handful of configs."""

# What a run is called, where it goes, what it runs on and how it is watched is no setting.
_LABELS = (
    "defaults", "names", "study", "phase", "trial", "replicate", "contender", "resume",
    "checkpoint", "hydra", "lr", "device", "seed", "threads", "evaluate_test",
    "diagnostics", "logger", "engine", "stacked", "experiment", "lesson",
    "save_final", "stale", "continue_from", "relative_paths", "lock", "isolate",
    "compile",
)  # fmt: skip


def determining(config: Mapping[str, Any]) -> dict[str, Cell]:
    """Return the flat settings of a config that determine the result, the seeds excepted."""
    written: Mapping[str, str] = config.get("relative_paths") or {}
    own = {k: as_written(v, k, written) for k, v in config.items() if k not in _LABELS}
    if "import_from" in own:
        own["import_from"] = []  # where code lies is no setting; the key stays, for older hashes
    flat = flatten(without_later(without_watched(own)))
    flat.pop("scaling.candidates", None)  # which factors a sweep tries; each run has its own
    if flat.get("split.vary") is True:
        flat.pop("split.seed", None)  # of a split that varies it is a seed like any other
    if (candidate := flat.get("scaling.candidate")) is not None:
        flat["scaling.candidate"] = float(candidate)  # as its column has it
    return {key: v for key, v in flat.items() if "._traits_." not in key}  # said, not set


def as_written(section: Any, key: str, written: Mapping[str, str]) -> Any:
    """Return a section of a config with its paths as they were written.

    So a run has one id wherever the user's folder lies.

    Args:
        section: The section, or a value in it.
        key: Its dotted key.
        written: ``relative_paths`` of the config.
    """
    if isinstance(section, Mapping):
        items = cast("Mapping[str, Any]", section).items()
        return {name: as_written(value, f"{key}.{name}", written) for name, value in items}
    if isinstance(section, list):
        values = cast("list[Any]", section)
        return [as_written(value, f"{key}.{n}", written) for n, value in enumerate(values)]
    return written.get(key, section)


WATCHED = {"limits": ("seconds", "memory"), "distributed": ("backend", "timeout")}
"""Keys of sections that end a run as failed, and change nothing of the result of any other."""


def without_watched(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without the keys `WATCHED`."""
    return {
        name: {k: v for k, v in section.items() if k not in WATCHED[name]}
        if name in WATCHED
        else section
        for name, section in config.items()
    }


LATER: dict[str, Any] = {
    "zero_grad": True, "metric": {"_target_": "sgdlab.metrics.auto.auto"}, "task": "auto",
    "layout": "auto", "standardize": {"inputs": True, "targets": "auto"}, "last_batch": "keep",
    "split.by": "auto", "split.vary": False, "clip_value": None, "channels_last": False,
    "decay.embeddings": True, "half_life_tokens": None,
    "augment": {"crop": 0, "flip": 0.0, "cutout": 0, "mixup": 0.0},
    "weights": None, "weights_skip": [], "freeze": [], "callbacks": {},
    "stop": {"metric": "val_loss", "patience": None, "min_delta": 0.0},
    "distributed": {
        "world_size": None, "backend": "auto", "compression": "none", "powersgd_rank": 2,
        "sync_batchnorm": True, "timeout": 20.0,
    },
    "distributed.algorithm": "sync", "distributed.max_staleness": None,
    "distributed.strategy": "ddp", "local_sgd.start": 0,
}  # fmt: skip
"""Settings that came after runs had been made, with the value that those runs had."""

LATER_OF_MEMBERS: dict[str, dict[str, Any]] = {
    "sgdlab.datasets.text.text": {"vocabulary": None, "tokenizer": None, "windows": "contiguous"},
    "sgdlab.losses.cross_entropy.CrossEntropy": {"ignore_index": None},
    "sgdlab.optimizers.muon.Muon": {"adamw_weight_decay": None},
    "sgdlab.models.gpt.GPT": {"mup_base_width": 64, "mup_base_heads": None},
}
"""The same, of one member of a group, by its ``_target_``."""


def without_later(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without later keys that change nothing: it is the experiment it was."""
    kept = {key: v for key, v in config.items() if key not in LATER or v != LATER[key]}
    for key, value in LATER.items():
        section, _, own = key.rpartition(".")
        held = kept.get(section)
        if isinstance(held, Mapping) and own in held and held[own] == value:
            kept[section] = {k: v for k, v in cast("dict[str, Any]", held).items() if k != own}
    for key in ("dataset", "model", "loss", "optimizer"):
        if isinstance(held := kept.get(key), Mapping):
            kept[key] = _without_later_of_member(cast("Mapping[str, Any]", held))
    stop, average = kept.get("stop"), kept.get("average")
    together = kept.get("distributed")
    if isinstance(together, Mapping) and not _is_of_many(cast("Mapping[str, Any]", together)):
        del kept["distributed"]
    if isinstance(stop, Mapping) and cast("Mapping[str, Any]", stop).get("patience") is None:
        del kept["stop"]
    if isinstance(average, Mapping) and _has_decay(cast("Mapping[str, Any]", average)):
        own = cast("Mapping[str, Any]", average)
        kept["average"] = {key: value for key, value in own.items() if key != "horizon"}
    return kept


def _is_of_many(distributed: Mapping[str, Any]) -> bool:
    """Say whether several processes train together: only then the other keys count."""
    return (distributed.get("world_size") or 1) != 1


def _without_later_of_member(section: Mapping[str, Any]) -> Mapping[str, Any]:
    later = LATER_OF_MEMBERS.get(str(section.get("_target_")))
    if later is None:
        return section
    return {k: v for k, v in section.items() if k not in later or v != later[k]}


def _has_decay(average: Mapping[str, Any]) -> bool:
    """Say whether an exponential average is as long as it says, whatever its ``horizon``."""
    ours = average.get("_target_") == "sgdlab.averaging.Exponential"
    return ours and average.get("decay") is not None


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Cell]:
    """Return nested mappings as one, with dotted keys; lists become their JSON text."""
    flat: dict[str, Cell] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        elif value is None or isinstance(value, (str, int, float)):
            flat[f"{prefix}{key}"] = value
        else:
            flat[f"{prefix}{key}"] = text(value)
    return flat


def other_settings(config: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Return the cell `OTHER_SETTINGS` of the summary of a run.

    Args:
        config: The resolved config of the run.
        summary: The other cells of its summary.
    """
    settings = determining(config)
    told = columns_that_tell(settings, summary)
    rest = {key: text(value) for key, value in settings.items() if key not in told}
    return "o" + hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:9]


def columns_that_tell(settings: Mapping[str, Cell], summary: Mapping[str, Any]) -> dict[str, str]:
    """Return, per setting that a cell of the summary tells exactly, the column of that cell.

    A setting of None is told by an empty cell, and by a column that is not there.
    """
    told: dict[str, str] = {}
    for key, value in settings.items():
        column = "base_lr" if key == "optimizer.lr" else key
        written = text(value)
        if text(summary.get(column)) == written and typed(written) == value:
            told[key] = column
    return told


@lru_cache(maxsize=2**16)
def typed(cell: str) -> Cell:
    """Return the value of a CSV cell: empty is None, numbers and booleans have their own type."""
    if cell == "":
        return None
    if cell in ("true", "false"):
        return cell == "true"
    for kind in (float,) if "." in cell else (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return as_meant(cell)
