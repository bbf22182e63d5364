"""Chooses, per contender, the settings and the runs that enter the comparison."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from sgdlab.analysis import words
from sgdlab.analysis.load import Runs
from sgdlab.analysis.settings import (
    SHARED,
    Setting,
    group,
    once_per_seed,
    seed_of,
    short,
    summary_settings,
    together,
)
from sgdlab.analysis.solo_timing import SOLO
from sgdlab.analysis.units import REPLICATE, Unit, Units, varies
from sgdlab.analysis.workloads import WorkloadRuns, text, varying
from sgdlab.results import APART, DEFAULTS, FINAL, TUNE, Cell

__all__ = ["Entry", "entries", "seed_of", "summary_settings", "tracks"]

_Key = TypeVar("_Key")

TUNED = "tuned"
"""Track of the searches and their winners; the others are those of `APART`, and runs without
phases have none."""


@dataclass(frozen=True)
class Entry:
    """One contender in the comparison of a workload.

    Attributes:
        optimizer: The label: the optimizer, with the values of scientific parameters if any.
        tuned: Whether its settings were found by tuning trials (phases ``tune`` and ``final``).
        chosen: Rows of the runs compared: one setting per unit of replicates, else one in all.
        trials: Rows of the tuning trials.
        others: Rows of settings that were run, too, and not chosen.
        settings: All that determines the chosen runs, the seed excepted; what differs between
            replicates is the text of a range.
        setting: The part of it that varies or matters, as short text.
        settings_tried: How many settings were run.
        picked_from: How many settings the reported seeds themselves chose from.
        notes: What a reader has to know about the choice.
        unit: What one observation is, ``replicate``, ``seed`` or ``run``; see
            `sgdlab.analysis.units`.
        units: The rows of the chosen runs, completed or not, by number of the unit. A replicate
            that has trials and no final run is there without rows: a unit that is missing.
        trials_of: The rows of the trials, by number of the search (−1: its runs have none).
        settings_of: The settings of the chosen runs, by number of the search.
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
    unit: Unit = "seed"
    units: dict[float, list[int]] = field(default_factory=dict[float, list[int]])
    trials_of: dict[float, list[int]] = field(default_factory=dict[float, list[int]])
    settings_of: dict[float, dict[str, Cell]] = field(default_factory=dict[float, dict[str, Cell]])

    def of_units(self, units: dict[float, list[int]]) -> "Entry":
        """Return it with some of its units only, or some of their runs."""
        if units == self.units:
            return self
        kept = {row for rows in units.values() for row in rows}
        return replace(self, units=units, chosen=[row for row in self.chosen if row in kept])


def tracks(runs: Runs, workload: WorkloadRuns) -> list[str]:
    """Return the tracks of a workload, `TUNED` first; ``""`` is that of runs without phases."""
    phases = {text(runs.rows[row]["phase"]) for row in workload.rows}
    found = [TUNED] if phases & {TUNE, FINAL} else []
    if not found and (not phases & {*APART} or phases - {*APART, *SOLO}):
        found = [""]
    return [*found, *(track for track in APART if track in phases)]


def entries(runs: Runs, workload: WorkloadRuns, track: str = TUNED) -> list[Entry]:
    """Return the contenders of a workload in a track, by name.

    Short solo runs (phases ``timing`` and ``pilot``) are neither trials nor units.
    """
    apart = track in APART
    phase = {row: text(runs.rows[row]["phase"]) for row in workload.rows}
    rows = [r for r, own in phase.items() if (own == track if apart else own not in APART)]
    named = _grouped(rows, partial(workload.label, runs))
    sorts = {
        name: _Sorted(runs, name, named[name], track if apart else "") for name in sorted(named)
    }
    compared = [row for row in rows if runs.rows[row]["phase"] not in SOLO]
    common = [summary_settings(runs, row, SHARED) for row in compared]
    shared = [key for key in varying(common) if key != "epochs"]
    hidden = [*workload.by, *(f"optimizer.{key}" for key in workload.by)]
    members = {name: [*found.final, *found.trials] for name, found in sorts.items()}
    paired = workload.logged is None or bool(workload.logged.unit)
    # Published settings come from no search, but the seeds of a replicate may share its split.
    searched = track != DEFAULTS or varies(runs, rows)
    units = Units(runs, members, searched=searched, paired=paired)
    return [_entry(runs, found, units, shared, hidden) for found in sorts.values()]


class _Sorted:
    """The runs of a contender by what they are for."""

    def __init__(self, runs: Runs, name: str, rows: Sequence[int], apart: str) -> None:
        by = _grouped(rows, lambda row: text(runs.rows[row]["phase"]))
        self.name = name
        self.trials = by.get(TUNE, [])
        self.tuned = not apart and bool(self.trials or by.get(FINAL))
        self.final = by.get(apart or (FINAL if self.tuned else ""), [])
        solo = sum(len(by.get(phase, [])) for phase in SOLO)
        self.aside = len(rows) - len(self.trials) - len(self.final) - solo


def _entry(
    runs: Runs, found: _Sorted, units: Units, shared: Sequence[str], hidden: Sequence[str]
) -> Entry:
    name, notes = found.name, list[str]()
    if found.aside:
        notes.append(
            f"{name}: {words.count(found.aside, 'run')} outside the phases tune and final "
            f"{'is' if found.aside == 1 else 'are'} listed in runs.csv only."
        )
    kind = units.kind(name)
    by_search = _grouped(found.final, units.search)
    if found.final and kind != REPLICATE:
        by_search = {units.search(found.final[0]): found.final}
    of_trials = _grouped(found.trials, units.search)
    tried = {search: group(runs, rows) for search, rows in of_trials.items()}
    ranked = {search: _ranked(group(runs, rows), runs) for search, rows in by_search.items()}
    every = [s for settings in (*ranked.values(), *tried.values()) for s in settings]
    repeats = 0
    for setting in every:
        kept = once_per_seed(runs, setting.rows)
        repeats += len(setting.rows) - len(kept)
        setting.rows = kept
    if repeats:
        notes.append(
            f"{name}: {words.count(repeats, 'run')} repeat{'s' if repeats == 1 else ''} "
            "the setting and seed of another and counts once."
        )
    best = {search: settings[0] for search, settings in sorted(ranked.items())}
    for settings in ranked.values():
        notes += _choice_notes(runs, name, settings)
    chosen = [row for setting in best.values() for row in setting.rows]
    trials_of = {
        search: sorted(row for setting in settings for row in setting.rows)
        for search, settings in sorted(tried.items())
    }
    numbered = _grouped(chosen, lambda row: units.number(row, kind))
    if kind == REPLICATE:
        numbered |= {search: [] for search in trials_of if search not in numbered}
    settings = together([setting.settings for setting in best.values()])
    told = {key: cell for key, cell in settings.items() if key not in hidden}
    trials = sorted(row for rows in trials_of.values() for row in rows)
    return Entry(
        optimizer=name,
        tuned=found.tuned,
        chosen=chosen,
        trials=trials,
        others=sorted(r for s in ranked.values() for setting in s[1:] for r in setting.rows),
        settings=settings,
        setting=short(told, [*varying(setting.settings for setting in every), *shared]),
        settings_tried=_count(tried or ranked),
        picked_from=max((len(s) for s in ranked.values()), default=0),
        notes=notes,
        unit=kind,
        units=dict(sorted(numbered.items())),
        trials_of=trials_of,
        settings_of={search: setting.settings for search, setting in best.items()},
    )


def _grouped(rows: Iterable[int], key: Callable[[int], _Key]) -> dict[_Key, list[int]]:
    """Return rows by their key, both in the order in which they come."""
    found: dict[_Key, list[int]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _ranked(settings: Sequence[Setting], runs: Runs) -> list[Setting]:
    return sorted(settings, key=lambda setting: setting.rank(runs))


def _count(settings: Mapping[float, Sequence[Setting]]) -> int:
    """Return how many settings there are; one that several searches tried counts once."""
    if len(settings) == 1:
        return len(next(iter(settings.values())))
    return len({setting.key for found in settings.values() for setting in found})


def _choice_notes(runs: Runs, name: str, ranked: Sequence[Setting]) -> list[str]:
    """Say what spoke against the setting chosen, where several were run."""
    if len(ranked) < 2:
        return []
    notes: list[str] = []
    ranks = [setting.rank(runs) for setting in ranked]
    incomplete, mean, _ = ranks[0]
    if not incomplete and any(rank[0] and rank[1] < mean for rank in ranks[1:]):
        notes.append(
            f"{name}: a setting with a lower mean loss has runs that did not complete, "
            "and ranks after those that completed."
        )
    most = max(len(setting.rows) for setting in ranked)
    if len(ranked[0].rows) < most:
        notes.append(
            f"{name}: the setting chosen has {words.count(len(ranked[0].rows), 'run')}, "
            f"another has {most}."
        )
    return notes
