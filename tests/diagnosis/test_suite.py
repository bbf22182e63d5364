"""Precision on runs that were really trained: a handful always, the whole suite in CI."""

from collections.abc import Sequence

import pytest
from suite import BROKEN, ENTRIES, HEALTHY, NOTED, Entry
from suite_runs import shown, train_entry

HANDFUL = [*(e for e in HEALTHY if e.overrides[:2] == ("dataset=wine", "model=linear"))]
HANDFUL = [e for e in HANDFUL if e.half == "development"][:1] + [
    next(e for e in BROKEN if e.label == label and e.overrides[0] in ("dataset=diabetes", start))
    for label, start in (
        ("lr far too high", ""),
        ("lr far too low", ""),
        ("decay on bias and norm", ""),
        ("clip far too small", ""),
        ("warm-up too long", "dataset=breast_cancer"),
        ("labels shuffled or zero gradient", "dataset=wine"),
    )
]


@pytest.mark.parametrize("entry", HANDFUL, ids=lambda e: e.label)
def test_what_was_broken_is_found(tmp_path, entry: Entry):
    alarms, _ = shown(*train_entry(entry, tmp_path))
    assert bool(alarms) is bool(entry.symptoms)
    assert not entry.symptoms or alarms & set(entry.symptoms)


def test_no_entry_occurs_twice_and_both_halves_hold_every_kind():
    assert len({(e.overrides, e.sibling) for e in ENTRIES}) == len(ENTRIES)
    labels = [{e.label for e in ENTRIES if e.half == half} for half in ("development", "held_out")]
    assert labels[0] == labels[1]


@pytest.mark.slow
def test_nine_tenths_are_found_with_a_twentieth_of_false_alarms(tmp_path):
    results = [(entry, *shown(*train_entry(entry, tmp_path))) for entry in ENTRIES]

    def share(entries: Sequence[Entry], found) -> float:
        own = [found(e, alarms, notes) for e, alarms, notes in results if e in entries]
        return sum(own) / len(own)

    def hit(entry: Entry, alarms: set[str], notes: set[str]) -> bool:
        seen = alarms | notes if entry in NOTED else alarms
        return bool(seen & set(entry.symptoms))

    broken = [e for e in ENTRIES if e.symptoms]
    assert share(broken, hit) >= 0.9
    assert share([e for e in broken if e.half == "held_out"], hit) >= 0.9
    assert share(HEALTHY, lambda _, alarms, __: bool(alarms)) <= 0.05
