"""Checks of selection: the test set kept out of it, the rule followed, fresh and paired seeds."""

import math
from collections.abc import Sequence

from sgdlab.analysis import words
from sgdlab.analysis.audit.check import (
    AuditFinding,
    Case,
    failed,
    idle,
    overall,
    passed,
    some,
    span,
    unknown,
    warned,
)
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.targets import completed, validation
from sgdlab.analysis.tuning import RecordedSearch, maximises, searches

_SAME_LOSS = 1e-4
"""Relative difference of losses at initialisation up to which they are the same weights; stacked
and ordinary training sum in another order."""


def chosen_without_test(case: Case) -> AuditFinding:
    """Nothing was chosen by the test set: not by rule, and no tuning trial looked at it."""
    if case.plan.select_by.startswith("test"):
        return failed(f"winners were chosen by {case.plan.select_by}")
    looked = {
        entry.optimizer: sum(_tested(case, row) for row in entry.trials) for entry in case.entries
    }
    if any(looked.values()):
        told = some([f"{number} of {name}" for name, number in looked.items() if number])
        return failed(f"tuning trials evaluated the test split: {told}")
    if case.trials:
        rule = case.plan.select_by or "a rule that no study.yaml tells"
        return passed(
            f"none of {words.count(len(case.trials), 'trial')} evaluated the test split; winners "
            f"were chosen by {rule}"
        )
    if case.tuned:
        return unknown("there are final runs, but no tuning trials, so what they saw is not there")
    if any(entry.picked_from > 1 for entry in case.entries):
        return passed("no tuning trials; the settings shown are chosen by final validation loss")
    return idle(case.untuned if case.defaults else "nothing was chosen among several settings")


def _tested(case: Case, row: int) -> bool:
    cells = (case.number(row, column) for column in ("test_metric", "test_loss"))
    return any(not math.isnan(cell) for cell in cells)


def held_out(case: Case) -> AuditFinding:
    """The verdict is by the test split, not by the data that chose the settings."""
    if case.column.startswith("test"):
        number = len(completed(case.runs, case.chosen))
        return passed(f"{words.count(number, 'completed run')} evaluated the test split, once each")
    if case.tuned or any(entry.picked_from > 1 for entry in case.entries):
        return warned(
            f"the verdict is by {case.column}, of the split that chose the settings: not every "
            "completed run evaluated the test split"
        )
    return passed(f"the verdict is by {case.column}, which chose nothing")


def best_trial(case: Case) -> AuditFinding:
    """The final runs have the settings of the best completed trial by the rule of the study."""
    if not case.tuned:
        return idle(case.untuned)
    rule = case.plan.select_by
    if not rule:
        return unknown("no study.yaml says by what winners were chosen")
    findings = [
        _best_trial(case, entry.optimizer, search, rule)
        for entry in case.entries
        for search in searches(entry)
    ]
    if all(finding.status == "pass" for finding in findings):
        number = len(findings)
        which = "the winner" if number == 1 else f"each of {number} winners"
        return passed(f"{which} is the best trial of its search by {rule}")
    return overall(findings)


def _best_trial(case: Case, name: str, search: RecordedSearch, rule: str) -> AuditFinding:
    where = f"{name}{case.replicate(search.replicate)}"
    won = {number for row in search.finals if not math.isnan(number := case.number(row, "trial"))}
    done = completed(case.runs, search.trials)
    values = {case.number(row, "trial"): case.number(row, rule) for row in done}
    values = {trial: value for trial, value in values.items() if not math.isnan(value + trial)}
    if not search.finals and not done:
        return warned(f"{where}: no trial completed, so there is no winner")
    if not won or not values:
        return unknown(f"which trial of {where} won")
    if len(won) > 1:
        return failed(f"final runs of {where} have the settings of trials {span(sorted(won))}")
    number = won.pop()
    better = max if maximises(case.workload, rule) else min
    best = better(values, key=lambda trial: values[trial])
    if number not in values:
        return unknown(f"how good trial {number:g} of {where} was: it is not among the trials")
    if values[number] != values[best]:
        theirs, ours = (words.metric(values[trial], case.name_of(rule)) for trial in (best, number))
        return failed(
            f"{where}: trial {number:g} was run again ({rule} {ours}), but trial {best:g} is "
            f"better ({theirs})"
        )
    return passed(f"{where}: trial {number:g}")


def reported_seeds(case: Case) -> AuditFinding:
    """The seeds that are reported did not choose the settings."""
    picked = [entry for entry in case.entries if entry.picked_from > 1]
    if not picked:
        if case.tuned:
            return passed("the runs reported have the one setting that each search chose before")
        return passed(f"one setting of {case.how_many} was run")
    told = some([f"{entry.optimizer} {entry.picked_from}" for entry in picked])
    evidence = f"settings chosen among several on the seeds that are reported: {told}"
    if case.column.startswith("test"):
        return warned(f"{evidence}; by validation loss, while the verdict is by the test split")
    return failed(f"{evidence}; and by the split that gives the verdict")


def fresh_seeds(case: Case) -> AuditFinding:
    """Final runs have seeds that no tuning trial had, of any contender or replicate."""
    trials, finals = case.seeds(case.trials), case.seeds(case.chosen)
    if not case.tuned:
        return idle(case.untuned)
    if not trials or not finals:
        return unknown("there are no seeds of tuning trials and of final runs to compare")
    evidence = f"trials ran with seed {span(trials)}, final runs with {span(finals)}"
    if both := set(trials) & set(finals):
        users = [e.optimizer for e in case.entries if both & set(case.seeds(e.chosen))]
        return failed(f"{evidence}: {span(sorted(both))} in both ({some(users)})")
    return passed(evidence)


def paired_seeds(case: Case) -> AuditFinding:
    """Every contender has the same seeds in each unit: the same initial weights and batches."""
    if len(case.entries) < 2:
        return case.only_one
    own = {entry.optimizer: _by_unit(case, entry) for entry in case.entries}
    if empty := [name for name, units in own.items() if not units]:
        return unknown(f"the seeds of {some(empty)}: no run has one")
    first = own[case.entries[0].optimizer]
    if any(units != first for units in own.values()):
        seeds = {
            name: {s for found in units.values() for s in found} for name, units in own.items()
        }
        told = some([f"{name} {span(sorted(found))}" for name, found in seeds.items()], "; ")
        evidence = f"seeds of the runs compared differ: {told}"
        if any(all(units.get(n) == found for units in own.values()) for n, found in first.items()):
            return warned(f"{evidence}; only common ones are paired")
        return failed(f"{evidence}; none is common to all")
    starts = _starts(case)
    number = sum(len(found) for found in first.values())
    evidence = f"{words.count(number, 'seed')} ({span([s for f in first.values() for s in f])})"
    unequal = [f"{seed:g}" for seed, losses in starts.items() if not _same(losses)]
    if unequal:
        return warned(
            f"{evidence} in common, but runs of seed {some(unequal)} do not start from the same "
            "loss, so not from the same weights"
        )
    checked = sum(len(losses) > 1 for losses in starts.values())
    shown = f"losses at initialisation agree for {checked}" if checked else "not compared by loss"
    return passed(f"{evidence} for {case.how_many}; {shown}")


def _by_unit(case: Case, entry: Entry) -> dict[float, tuple[float, ...]]:
    found = {unit: tuple(sorted(case.seeds(rows))) for unit, rows in entry.units.items()}
    return {unit: seeds for unit, seeds in found.items() if seeds}


def _starts(case: Case) -> dict[float, list[float]]:
    """Return the losses at initialisation by seed."""
    starts: dict[float, list[float]] = {}
    for entry in case.entries:
        for row in entry.chosen:
            table, seed = validation(case.runs, row, "loss"), case.number(row, "seed")
            if table is not None and table["step"][0] == 0 and not math.isnan(seed):
                starts.setdefault(seed, []).append(float(table["loss"][0]))
    return starts


def _same(losses: Sequence[float]) -> bool:
    return max(losses) - min(losses) <= _SAME_LOSS * max(abs(loss) for loss in losses)
