"""Groups runs by setting, and says a setting in short: one, or the range that searches found."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sgdlab.analysis import words
from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import Fingerprint, fingerprint, missing, text, varying
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED, STOPPED, Cell

SHARED = ("batch_size", "accumulate", "scaling", "schedule", "epochs")
"""Settings with a column of their own that any contender has."""

_ALWAYS_SHOWN = ("lr", "momentum", "weight_decay")


@dataclass
class Setting:
    """Runs of one setting.

    Attributes:
        rows: The rows of these runs.
        settings: All that determines them, the seed excepted.
        config: The part that their configs tell.
        key: What is equal for the same setting of another search.
    """

    rows: list[int]
    settings: dict[str, Cell]
    config: dict[str, Cell]
    key: Fingerprint

    def rank(self, runs: Runs) -> tuple[bool, float, str]:
        """Return the sort key of settings: those that completed first, then by mean loss."""
        members = [runs.rows[row] for row in self.rows]
        incomplete = any(run["status"] != COMPLETED for run in members)
        losses = [
            float(run["final_val_loss"]) for run in members if is_number(run["final_val_loss"])
        ]
        mean = sum(losses) / len(losses) if losses else math.inf
        return incomplete, mean, repr(sorted(self.settings.items()))


def group(runs: Runs, rows: Sequence[int]) -> list[Setting]:
    """Group runs by setting; those that did not complete join the only setting that they fit."""
    groups: list[Setting] = []
    by_config: dict[Fingerprint, list[Setting]] = {}
    fingerprints: dict[int, Fingerprint] = {}
    complete = [row for row in rows if runs.rows[row]["status"] == COMPLETED]
    done = set(complete)
    without_config = False
    for row in [*complete, *(row for row in rows if row not in done)]:
        config, ended = runs.configs[row], row in done
        if id(config) not in fingerprints:
            fingerprints[id(config)] = fingerprint(config)
        own = by_config.setdefault(fingerprints[id(config)], [])
        if config and not without_config:
            fits = own
        else:
            settings = _own_settings(runs, row, ended)
            fits = [g for g in groups if _same(g, config, settings, strict=ended)]
        if len(fits) == 1 or (fits and ended):
            fits[0].rows.append(row)
        else:
            own_settings = _own_settings(runs, row, ended)
            key = fingerprints[id(config)] if config else fingerprint(own_settings)
            setting = Setting([row], own_settings, config, key)
            groups.append(setting)
            own.append(setting)
            without_config = without_config or not config
    for setting in groups:
        setting.settings = {**setting.config, **setting.settings}
        setting.rows.sort()
    return groups


def _own_settings(runs: Runs, row: int, ended: bool) -> dict[str, Cell]:
    settings = summary_settings(runs, row)
    # Its summary says how many epochs it made, not how many it should have.
    if not ended or row in runs.stopped_early:
        settings.pop("epochs", None)
    return settings


def _same(
    setting: Setting, config: dict[str, Cell], settings: dict[str, Cell], strict: bool
) -> bool:
    if setting.config and config:
        return fingerprint(setting.config) == fingerprint(config)
    if strict:
        return not varying([setting.settings, settings])
    common = (set(setting.settings) & set(settings)) - {"epochs"}
    return not varying({k: s[k] for k in common} for s in (setting.settings, settings))


def summary_settings(runs: Runs, row: int, only: tuple[str, ...] | None = None) -> dict[str, Cell]:
    """Return the settings in a row of ``runs.csv``, empty cells left out."""
    found: dict[str, Cell] = {}
    run = runs.rows[row]
    for column in only or ("base_lr", *SHARED, *runs.setting_columns):
        cell = run[column]
        if not missing(cell):
            found["lr" if column == "base_lr" else column] = cell
    return found


def once_per_seed(runs: Runs, rows: Sequence[int]) -> list[int]:
    """Return rows by seed: a copy of a run counts once, and of several one that completed."""
    order = {COMPLETED: 0, DIVERGED: 1, STOPPED: 1}
    kept: dict[object, int] = {}
    for row in sorted(rows, key=lambda r: (order.get(text(runs.rows[r]["status"]), 2), r)):
        seed = runs.rows[row]["seed"]
        kept.setdefault(("no seed", row) if missing(seed) else seed, row)
    return sorted(kept.values(), key=lambda r: (seed_of(runs, r), r))


def seed_of(runs: Runs, row: int) -> float:
    """Return the seed of a run, unknown ones after all others."""
    seed = runs.rows[row]["seed"]
    return math.inf if missing(seed) else float(seed)


def together(found: Sequence[Mapping[str, Cell]]) -> dict[str, Cell]:
    """Return settings of several searches as one: common values plainly, others as text.

    Numbers that differ become ``0.03 (0.012–0.06 over 5 searches)``, the median and the range;
    other values ``cosine (3 of 5), constant (2 of 5)``.
    """
    whole = [dict(settings) for settings in found]
    different = set(varying(whole))
    keys = dict.fromkeys(key for settings in whole for key in settings)
    return {
        key: _range([settings.get(key) for settings in whole])
        if key in different
        else whole[0][key]
        for key in keys
    }


def _range(values: Sequence[Cell]) -> str:
    if all(is_number(value) for value in values):
        numbers = [float(value) for value in values if is_number(value)]
        middle, low, high = float(np.median(numbers)), min(numbers), max(numbers)
        shown = [words.setting(v) for v in (middle, low, high)]
        return f"{shown[0]} ({shown[1]}–{shown[2]} over {words.count(len(values), 'search')})"
    counts: dict[str, int] = {}
    for value in values:
        counts[words.setting(value)] = counts.get(words.setting(value), 0) + 1
    often = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{value} ({count} of {len(values)})" for value, count in often)


def short(settings: Mapping[str, Cell], more: Iterable[str]) -> str:
    """Return lr, momentum and weight decay, and what else is asked for, in one line."""
    parts: dict[str, str] = {}
    for key in (*_ALWAYS_SHOWN, *(f"optimizer.{name}" for name in _ALWAYS_SHOWN), *more):
        name = key.removeprefix("optimizer.")
        hidden = name.endswith("_target_") or (name in parts)
        if key in settings and not hidden:
            parts[name] = words.setting(settings[key])
    return " ".join(f"{name}={value}" for name, value in parts.items())
