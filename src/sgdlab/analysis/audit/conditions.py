"""Checks of conditions: compared as tuned, and all contenders under the same ones."""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from sgdlab.analysis import words
from sgdlab.analysis.audit.check import (
    AuditFinding,
    Case,
    failed,
    idle,
    overall,
    passed,
    some,
    unknown,
    warned,
)
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.targets import completed
from sgdlab.analysis.tuning import RecordedSearch, searches
from sgdlab.analysis.workloads import varying
from sgdlab.results import Cell

_WATCHED = ("eval.", "limits.")
"""Keys that change what is seen of a run, hardly its result."""

_GRAVE = (
    "batch_size", "accumulate", "dataset.", "split.", "model.", "loss.", "precision", "dtype",
    "stop.",
)  # fmt: skip
"""Keys in which contenders must agree, or it is not their optimizers that are compared."""

_HORIZON = ("epochs", "max_steps")


def as_tuned(case: Case) -> AuditFinding:
    """Final runs have every setting of the trial that won: batch size, horizon, schedule, all.

    Settings tuned at one batch size or horizon are not the best at another (Shallue et al. 2019,
    "Measuring the effects of data parallelism").
    """
    if not case.tuned:
        return idle(case.untuned)
    findings = [
        _as_tuned(case, entry, search)
        for entry in case.entries
        for search in searches(entry)
        if search.finals
    ]
    if not findings:
        return unknown("there are no final runs")
    if all(finding.status == "pass" for finding in findings):
        sizes = _values(case, case.chosen, "batch_size")
        return passed(
            f"{words.count(len(case.chosen), 'final run')}, every setting as in the trial that won "
            f"(batch size {some(sizes)})"
        )
    return overall(findings)


def _as_tuned(case: Case, entry: Entry, search: RecordedSearch) -> AuditFinding:
    where = f"{entry.optimizer}{case.replicate(search.replicate)}"
    configs = case.runs.configs
    told: list[str] = []
    status = "pass"
    for row in search.finals:
        number = case.number(row, "trial")
        own = [r for r in search.trials if case.number(r, "trial") == number and configs[r]]
        if not own or not configs[row]:
            return unknown(f"with what settings the winner of {where} was tuned")
        before, now = configs[own[0]], configs[row]
        for key in varying([before, now]):
            status = "fail" if not key.startswith(_WATCHED) or status == "fail" else "warn"
            old, new = before.get(key), now.get(key)
            shown = words.setting(old), words.setting(new)
            changed = f"{key} {' → '.join(shown if shown[0] != shown[1] else map(str, (old, new)))}"
            if changed not in told:
                told.append(changed)
    if not told:
        return passed(where)
    evidence = f"{where}, tuned → compared: {some(told)}"
    return failed(evidence) if status == "fail" else warned(evidence)


def same_conditions(case: Case) -> AuditFinding:
    """Settings that are no optimizer's own are the same for all, unless searched or declared.

    The horizon has a check of its own.
    """
    if len(case.entries) < 2:
        return case.only_one
    rows = {entry.optimizer: _with_config(case, entry.chosen) for entry in case.entries}
    if untold := [name for name, own in rows.items() if not own]:
        return unknown(f"the settings of {some(untold)}: no config.yaml of a run can be read")
    findings: list[AuditFinding] = []
    declared: list[str] = []
    for key in _differing(case, rows.values()):
        told = [f"{name} {some(_values(case, own, key))}" for name, own in rows.items()]
        evidence = f"{key}: {some(told)}"
        if _is_declared(case, key) or _swept(case, key):
            declared.append(key)
        elif key.startswith(_GRAVE):
            findings.append(failed(evidence))
        else:
            findings.append(warned(evidence))
    if findings:
        return overall(findings)
    if declared:
        return passed(f"all the same but what was searched or declared: {some(declared)}")
    sizes = _values(case, rows[case.names[0]], "batch_size")
    return passed(f"batch size {some(sizes)} and all else but the optimizer the same for all")


def _with_config(case: Case, rows: Iterable[int]) -> list[int]:
    return [row for row in rows if case.runs.configs[row]]


def _differing(case: Case, rows: Iterable[Sequence[int]]) -> list[str]:
    """Return the shared keys whose values are not the same set for every contender."""
    contenders = list(rows)
    configs = [case.runs.configs[row] for own in contenders for row in own]
    keys = [key for key in varying(configs) if not key.startswith(("optimizer.", *_HORIZON))]
    return [key for key in keys if len({tuple(_values(case, own, key)) for own in contenders}) > 1]


def _values(case: Case, rows: Sequence[int], key: str) -> list[str]:
    cells: list[Cell] = [case.runs.configs[row].get(key) for row in rows if case.runs.configs[row]]
    return sorted({words.setting(cell) for cell in cells})


def _is_declared(case: Case, key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in case.plan.declared)


def _swept(case: Case, key: str) -> bool:
    """Whether every contender was run with several values of a key, and its best one is shown."""
    tried = [(*entry.chosen, *entry.others, *entry.trials) for entry in case.entries]
    return all(len(_values(case, _with_config(case, rows), key)) > 1 for rows in tried)


def same_work(case: Case) -> AuditFinding:
    """A step costs every contender as many gradients: else equal steps are unequal work."""
    if len(case.entries) < 2:
        return case.only_one
    per_step: dict[str, float] = {}
    for entry in case.entries:
        done = completed(case.runs, entry.chosen)
        rates = [_evaluations(case, row) for row in done]
        rates = [rate for rate in rates if not math.isnan(rate)]
        if not rates:
            return unknown(f"how many gradients a step of {entry.optimizer} takes")
        per_step[entry.optimizer] = median(rates)
    told = some([f"{name} {words.number(rate, 3)}" for name, rate in per_step.items()])
    evidence = f"evaluations of the loss or its gradient per step, the larger: {told}"
    if max(per_step.values()) > 1.05 * min(per_step.values()):
        return warned(f"{evidence}: curves against steps favour the greedier")
    return passed(evidence)


def _evaluations(case: Case, row: int) -> float:
    steps = case.number(row, "steps")
    columns = ("gradient_evaluations", "function_evaluations")
    known = [n for column in columns if not math.isnan(n := case.number(row, column))]
    return max(known) / steps if known and steps > 0 else math.nan
