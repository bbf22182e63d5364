"""Chooses, per optimizer, the setting and the runs that enter the comparison."""

import math
from dataclasses import dataclass, field

from sgdlab.analysis import words
from sgdlab.analysis.alone import TIMING
from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import (
    Fingerprint,
    Workload,
    fingerprint,
    missing,
    text,
    varying,
)
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED, STOPPED, Cell

_ALWAYS_SHOWN = ("lr", "momentum", "weight_decay")
_SHARED = ("batch_size", "accumulate", "scaling", "schedule", "epochs")


@dataclass(frozen=True)
class Entry:
    """One optimizer in the comparison of a workload.

    Attributes:
        optimizer: Its name.
        tuned: Whether its setting was found by tuning trials (phases ``tune`` and ``final``).
        chosen: Rows of the runs compared: one setting, one row per seed.
        trials: Rows of the tuning trials.
        others: Rows of settings of a sweep that were not chosen.
        settings: All that determines the chosen runs, the seed excepted.
        setting: The part of it that varies or matters, as short text.
        settings_tried: How many settings were run.
        picked_from: How many settings the reported seeds themselves chose from.
        notes: What a reader has to know about the choice.
    """

    optimizer: str
    tuned: bool
    chosen: list[int]
    trials: list[int]
    others: list[int]
    settings: dict[str, Cell]
    setting: str
    settings_tried: int
    picked_from: int
    notes: list[str] = field(default_factory=list[str])


@dataclass
class _Setting:
    rows: list[int]
    settings: dict[str, Cell]
    config: dict[str, Cell]

    def rank(self, runs: Runs) -> tuple[bool, float, str]:
        """Return the sort key of settings: those that completed first, then by mean loss."""
        members = [runs.rows[row] for row in self.rows]
        incomplete = any(run["status"] != COMPLETED for run in members)
        losses = [
            float(run["final_val_loss"]) for run in members if is_number(run["final_val_loss"])
        ]
        mean = sum(losses) / len(losses) if losses else math.inf
        return incomplete, mean, repr(sorted(self.settings.items()))


def entries(runs: Runs, workload: Workload) -> list[Entry]:
    """Return the optimizers of a workload, by name."""
    names = sorted({text(runs.rows[row]["optimizer"]) for row in workload.rows})
    compared = [row for row in workload.rows if runs.rows[row]["phase"] != TIMING]
    members = {
        name: [row for row in compared if runs.rows[row]["optimizer"] == name] for name in names
    }
    common = [summary_settings(runs, row, _SHARED) for row in compared]
    shared = [key for key in varying(common) if key != "epochs"]
    return [_entry(runs, name, rows, shared) for name, rows in members.items()]


def _entry(runs: Runs, optimizer: str, rows: list[int], shared: list[str]) -> Entry:
    notes: list[str] = []
    phases = {row: text(runs.rows[row]["phase"]) for row in rows}
    trials = [row for row in rows if phases[row] == "tune"]
    final = [row for row in rows if phases[row] == "final"]
    plain = [row for row in rows if phases[row] == ""]
    tuned = bool(trials or final)
    aside = len(rows) - len(trials) - len(final) - (0 if tuned else len(plain))
    if aside:
        notes.append(
            f"{optimizer}: {words.count(aside, 'run')} outside the phases tune and final "
            f"{'is' if aside == 1 else 'are'} listed in runs.csv only."
        )
    candidates = _group(runs, final if tuned else plain)
    tried = _group(runs, trials) if trials else candidates
    repeats = 0
    for setting in (*candidates, *(tried if trials else ())):
        kept = _once_per_seed(runs, setting.rows)
        repeats += len(setting.rows) - len(kept)
        setting.rows = kept
    if repeats:
        notes.append(
            f"{optimizer}: {words.count(repeats, 'run')} repeat{'s' if repeats == 1 else ''} "
            "the setting and seed of another and counts once."
        )
    ranks = {id(setting): setting.rank(runs) for setting in candidates}
    ranked = sorted(candidates, key=lambda setting: ranks[id(setting)])
    best = ranked[0] if ranked else None
    chosen = best.rows if best else []
    notes += _choice_notes(optimizer, ranked, [ranks[id(setting)] for setting in ranked])
    settings = best.settings if best else {}
    everything = [setting.settings for setting in (*candidates, *tried)]
    return Entry(
        optimizer=optimizer,
        tuned=tuned,
        chosen=chosen,
        trials=sorted(row for setting in tried for row in setting.rows) if trials else [],
        others=sorted(row for setting in ranked[1:] for row in setting.rows),
        settings=settings,
        setting=_short(settings, [*varying(everything), *shared]),
        settings_tried=len(tried),
        picked_from=len(candidates),
        notes=notes,
    )


def _choice_notes(
    optimizer: str, ranked: list[_Setting], ranks: list[tuple[bool, float, str]]
) -> list[str]:
    """Say what spoke against the setting chosen, where several were run."""
    if len(ranked) < 2:
        return []
    notes: list[str] = []
    chosen = ranked[0]
    incomplete, mean, _ = ranks[0]
    if not incomplete and any(rank[0] and rank[1] < mean for rank in ranks[1:]):
        notes.append(
            f"{optimizer}: a setting with a lower mean loss has runs that did not complete, "
            "and ranks after those that completed."
        )
    most = max(len(setting.rows) for setting in ranked)
    if len(chosen.rows) < most:
        notes.append(
            f"{optimizer}: the setting chosen has {words.count(len(chosen.rows), 'run')}, "
            f"another has {most}."
        )
    return notes


def _group(runs: Runs, rows: list[int]) -> list[_Setting]:
    """Group runs by setting; those that did not complete join the only setting that they fit."""
    groups: list[_Setting] = []
    by_config: dict[Fingerprint, list[_Setting]] = {}
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
            group = _Setting([row], _own_settings(runs, row, ended), config)
            groups.append(group)
            own.append(group)
            without_config = without_config or not config
    for group in groups:
        group.settings = {**group.config, **group.settings}
        group.rows.sort()
    return groups


def _own_settings(runs: Runs, row: int, ended: bool) -> dict[str, Cell]:
    settings = summary_settings(runs, row)
    if not ended:  # its summary says how many epochs it made, not how many it should have
        settings.pop("epochs", None)
    return settings


def _same(
    group: _Setting, config: dict[str, Cell], settings: dict[str, Cell], strict: bool
) -> bool:
    if group.config and config:
        return fingerprint(group.config) == fingerprint(config)
    if strict:
        return not varying([group.settings, settings])
    common = (set(group.settings) & set(settings)) - {"epochs"}
    return not varying({k: s[k] for k in common} for s in (group.settings, settings))


def summary_settings(runs: Runs, row: int, only: tuple[str, ...] | None = None) -> dict[str, Cell]:
    """Return the settings in a row of ``runs.csv``, empty cells left out."""
    found: dict[str, Cell] = {}
    run = runs.rows[row]
    for column in only or ("base_lr", *_SHARED, *runs.setting_columns):
        cell = run[column]
        if not missing(cell):
            found["lr" if column == "base_lr" else column] = cell
    return found


def _once_per_seed(runs: Runs, rows: list[int]) -> list[int]:
    """A copy of a run is no replicate; of several, one that completed counts."""
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


def _short(settings: dict[str, Cell], more: list[str]) -> str:
    parts: dict[str, str] = {}
    for key in (*_ALWAYS_SHOWN, *(f"optimizer.{name}" for name in _ALWAYS_SHOWN), *more):
        name = key.removeprefix("optimizer.")
        hidden = name.endswith("_target_") or (name in parts)
        if key in settings and not hidden:
            parts[name] = words.setting(settings[key])
    return " ".join(f"{name}={value}" for name, value in parts.items())
