"""Checks of the runs compared: all there, as many for each, and each a fresh observation."""

import math

from sgdlab.analysis import words
from sgdlab.analysis.audit.check import (
    AuditFinding,
    Case,
    failed,
    overall,
    passed,
    some,
    span,
    unknown,
    warned,
)
from sgdlab.analysis.targets import completed
from sgdlab.analysis.units import REPLICATE
from sgdlab.analysis.workloads import missing
from sgdlab.results import COMPLETED, DIVERGED, FAILED, UNFINISHED

FEW = 0.2
"""Share of a contender's final runs that may diverge before the comparison is one of survivors."""

_LOST = (FAILED, UNFINISHED, DIVERGED)


def missing_runs(case: Case) -> AuditFinding:
    """Every run that was planned is there and completed.

    Means over survivors flatter: a contender that diverges on hard seeds is compared on easy
    ones.
    """
    lost: list[AuditFinding] = []
    total = len(case.chosen)
    for entry in case.entries:
        status = [case.cell(row, "status") for row in entry.chosen]
        counts = [f"{status.count(one)} {one}" for one in dict.fromkeys(status) if one != COMPLETED]
        if counts:
            evidence = f"{entry.optimizer}: {', '.join(counts)} of {len(status)}"
            few = len(status) - status.count(COMPLETED) <= FEW * len(status)
            only_diverged = set(status) <= {COMPLETED, DIVERGED}
            lost.append(warned(evidence) if only_diverged and few else failed(evidence))
        trials = [case.cell(row, "status") for row in entry.trials]
        bad = [f"{trials.count(one)} {one}" for one in (FAILED, UNFINISHED) if one in trials]
        if bad:
            lost.append(warned(f"{entry.optimizer}: {', '.join(bad)} of {len(trials)} trials"))
    if not case.plan.known:
        if lost:
            return overall(lost)
        return unknown(
            f"no study.yaml says which runs were planned; all {words.count(total, 'run')} compared "
            "completed"
        )
    lost += _absent(case)
    if lost:
        return overall(lost)
    planned = len(case.plan.contenders) * sum(len(own) for own in case.plan.final_seeds)
    if not planned:
        return unknown(f"study.yaml lists no final runs; all {total} compared completed")
    return passed(f"all {words.count(planned, 'planned run')} compared completed")


def _absent(case: Case) -> list[AuditFinding]:
    """Return the final runs that ``study.yaml`` expects and that are not there, by contender."""
    found: list[AuditFinding] = []
    entries = {entry.optimizer: entry for entry in case.entries}
    if not any(case.plan.final_seeds):
        return []
    for name in case.plan.contenders:
        rows = entries[name].chosen if name in entries else []
        there = {(case.number(row, "replicate"), case.number(row, "seed")) for row in rows}
        # Runs of one replicate may name none.
        seeds = {seed for replicate, seed in there if math.isnan(replicate)}
        absent = [
            seed
            for replicate, own in enumerate(case.plan.final_seeds)
            for seed in own
            if (replicate, seed) not in there and seed not in seeds
        ]
        if absent:
            planned = sum(len(own) for own in case.plan.final_seeds)
            found.append(
                failed(
                    f"{name}: {len(absent)} of {words.count(planned, 'planned run')} not there "
                    f"(seed {span(absent)})"
                )
            )
    return found


def equal_units(case: Case) -> AuditFinding:
    """Every contender has as many completed units, of as many runs each."""
    planned = {entry.optimizer: _shape(case, entry.units, whole=True) for entry in case.entries}
    done = {entry.optimizer: _shape(case, entry.units, whole=False) for entry in case.entries}
    units = {entry.unit for entry in case.entries}
    unit = REPLICATE if REPLICATE in units else units.pop()
    told = {name: _told(shape, unit) for name, shape in done.items()}
    if len(set(done.values())) == 1:
        return passed(f"{next(iter(told.values()))} for {case.how_many}")
    evidence = some([f"{name} {text}" for name, text in told.items()], "; ")
    if len(set(planned.values())) == 1:
        return warned(f"{evidence}: as many were started, not all completed")
    return failed(evidence)


def _shape(case: Case, units: dict[float, list[int]], whole: bool) -> tuple[int, ...]:
    """Return the runs of each unit, sorted; completed ones only unless ``whole``."""
    counts = [len(rows if whole else completed(case.runs, rows)) for rows in units.values()]
    return tuple(sorted(count for count in counts if count))


def _told(shape: tuple[int, ...], unit: str) -> str:
    text = f"{words.count(len(shape), unit)}"
    if unit != REPLICATE or not shape:
        return text
    each = f"{shape[0]}" if shape[0] == shape[-1] else f"{shape[0]} to {shape[-1]}"
    return f"{text} of {each} run{'' if shape[-1] == 1 else 's'}"


def number_of_units(case: Case) -> AuditFinding:
    """There are enough observations to know a spread: two barely, one not at all."""
    counts = {e.optimizer: len(_shape(case, e.units, whole=False)) for e in case.entries}
    unit = {e.optimizer: e.unit for e in case.entries}
    least = min(counts.values())
    told = some([f"{name} {words.count(n, unit[name])}" for name, n in counts.items()])
    if least < 2:
        return failed(f"{told}: nothing can be concluded from fewer than 2")
    if least == 2:
        return warned(f"{told}: a spread from 2 is hardly known")
    return passed(told)


def seeds_matter(case: Case) -> AuditFinding:
    """Runs of different seeds differ: equal ones are one observation, however many there are."""
    findings: list[AuditFinding] = []
    for entry in case.entries:
        done = completed(case.runs, entry.chosen)
        results = {tuple(case.cell(row, column) for column in _RESULTS) for row in done}
        told = [result for result in results if not all(missing(cell) for cell in result)]
        if len(done) < 2 or not told:
            findings.append(unknown(f"{entry.optimizer} has fewer than 2 completed runs"))
        elif len(results) < len(done):
            findings.append(
                warned(f"{entry.optimizer}: {len(done)} runs, {len(results)} different results")
            )
        else:
            findings.append(passed(f"{entry.optimizer}: {len(done)} runs, all different"))
    return overall(findings)


_RESULTS = ("final_train_loss", "final_val_loss", "test_loss", "final_val_metric", "test_metric")
