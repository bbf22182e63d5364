"""Checks of what runs ran on: the same data, code, device and threads, by ``environment.json``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sgdlab.analysis import words
from sgdlab.analysis.audit.check import AuditFinding, Case, failed, passed, some, unknown, warned
from sgdlab.analysis.audit.plan import section
from sgdlab.analysis.solo_timing import STACKED
from sgdlab.analysis.units import varies
from sgdlab.analysis.workloads import text

_CODE = ("sgdlab", "torch", "numpy")
"""Packages whose version can change numbers."""


def data(case: Case) -> AuditFinding:
    """All runs saw the same data, by the fingerprint of every tensor of it.

    Where splits vary, those of a replicate (else of a seed) did, whatever the contender.
    """
    if varies(case.runs, case.ours):
        return _splits(case)
    groups, untold = _groups(case, case.ours, lambda env: _text(env, "dataset_fingerprint"))
    if not groups:
        return unknown("no run tells the fingerprint of its data")
    shown = _told({mark[:8]: rows for mark, rows in groups.items()})
    if len(groups) > 1:
        return failed(f"{len(groups)} data sets: {shown}")
    return _rest(f"one data set, fingerprint {shown}", untold)


def _splits(case: Case) -> AuditFinding:
    units: dict[str, set[str]] = {}
    for row in case.ours:
        replicate = text(case.cell(row, "replicate"))
        unit = f"replicate {replicate}" if replicate else f"seed {text(case.cell(row, 'seed'))}"
        if mark := _text(case.environment[row], "dataset_fingerprint"):
            units.setdefault(unit, set()).add(mark[:8])
    if mixed := [unit for unit, marks in units.items() if len(marks) > 1]:
        return failed(f"several splits within {some(mixed)}")
    if not units:
        return unknown("no run tells the fingerprint of its data")
    marks = set[str]().union(*units.values())
    if len(marks) < len(units):
        return failed(f"split.vary=true, and {len(units)} units share {len(marks)} splits")
    return passed(f"{len(units)} units, each with a split of its own that all contenders share")


def code(case: Case) -> AuditFinding:
    """All runs were made by the same code: git commit, and versions of sgdlab, torch and numpy."""
    groups, untold = _groups(case, case.ours, _code)
    if not groups:
        return unknown("no run tells its versions")
    if len(groups) > 1:
        return warned(f"{len(groups)} versions: {_told(groups)}")
    return _rest(_told(groups), untold)


def _code(environment: Mapping[str, Any]) -> str:
    known = section(environment.get("packages"))
    parts = [f"{name} {known[name]}" for name in _CODE if known.get(name)]
    commit = _text(environment, "git_commit")
    if commit:
        parts.append(f"commit {commit[:8]}{'-dirty' if commit.endswith('-dirty') else ''}")
    return ", ".join(parts)


def devices(case: Case) -> AuditFinding:
    """All runs, and those that give time and memory, ran on one kind of device."""
    rows = [*case.ours, *case.timing]
    groups, untold = _groups(case, rows, lambda env: _text(env, "device"))
    if not groups:
        return unknown("no run tells its device")
    if len(groups) > 1:
        return failed(f"{len(groups)} devices: {_told(groups)}")
    machines, _ = _groups(case, rows, lambda env: _text(env, "platform"))
    if len(machines) > 1:
        return warned(f"{_told(groups)}, but {len(machines)} systems: {_told(machines)}")
    return _rest(_told(groups), untold)


def threads(case: Case) -> AuditFinding:
    """Runs on CPU used one number of threads: another sums in another order, and takes longer."""
    compared, timing = case.ours, case.timing
    on = {_text(case.environment[row], "device") for row in compared} - {""}
    counts, untold = _groups(case, compared, _threads)
    if not counts:
        return unknown("no run tells its threads")
    if len(counts) > 1 and "cpu" in on:
        return warned(f"numbers of threads differ: {_told(counts)}")
    alone, _ = _groups(case, timing, _threads)
    if len(alone) > 1:
        return warned(f"runs that give the time differ in threads: {_told(alone)}")
    if len(counts) > 1:
        return passed(
            f"{_told(counts)}, on {some(sorted(on)) or 'no CPU'}, where they change nothing"
        )
    return _rest(_told(counts), untold)


def _threads(environment: Mapping[str, Any]) -> str:
    number = environment.get("threads")
    return words.count(number, "thread") if isinstance(number, int) else ""


def engines(case: Case) -> AuditFinding:
    """Time and memory of all contenders were measured in the same way."""
    found: dict[str, set[str]] = {
        entry.optimizer: {text(case.cell(row, "engine")) for row in entry.chosen} - {""}
        for entry in case.entries
    }
    if untold := [name for name, engines in found.items() if not engines]:
        return unknown(f"what trained the runs of {some(untold)}")
    every = set[str]().union(*found.values())
    if len(every) > 1:
        told = some([f"{name} {' and '.join(sorted(own))}" for name, own in found.items()])
        return warned(
            f"{told}: results agree to rounding, but time and memory of stacked runs are of short "
            "runs alone, those of others their own"
        )
    evidence = f"{words.count(len(case.chosen), 'run')}, all {every.pop()}"
    if STACKED not in evidence:
        return passed(f"{evidence}: time and memory are their own")
    timed = {case.workload.label(case.runs, row) for row in case.timing}
    if lacking := [name for name in case.names if name not in timed]:
        return warned(f"{evidence}: time and memory of {some(lacking)} were not measured")
    return passed(
        f"{evidence}: time and memory are of {words.count(len(case.timing), 'short run')} alone"
    )


def _groups(
    case: Case, rows: Sequence[int], mark: Callable[[Mapping[str, Any]], str]
) -> tuple[dict[str, list[int]], int]:
    """Return rows by what their environment says, most first, and how many say nothing."""
    groups: dict[str, list[int]] = {}
    untold = 0
    for row in rows:
        if said := mark(case.environment[row]):
            groups.setdefault(said, []).append(row)
        else:
            untold += 1
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))), untold


def _told(groups: Mapping[str, Sequence[int]]) -> str:
    return some(
        [f"{mark} ({words.count(len(rows), 'run')})" for mark, rows in groups.items()], "; "
    )


def _rest(evidence: str, untold: int) -> AuditFinding:
    """Pass, unless some runs do not tell."""
    if not untold:
        return passed(evidence)
    return unknown(f"{words.count(untold, 'run')} without it; the others {evidence}")


def _text(environment: Mapping[str, Any], key: str) -> str:
    value = environment.get(key)
    return value if isinstance(value, str) else ""
