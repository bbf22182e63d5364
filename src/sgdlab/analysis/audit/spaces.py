"""Checks of what was searched: ranges that hold the best, alike for all, and tried enough."""

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
    unknown,
    warned,
)
from sgdlab.analysis.audit.plan import Range
from sgdlab.analysis.budget import expected_best
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.tuning import (
    RecordedSearch,
    learning_rate,
    maximises,
    searches,
    tolerance,
)
from sgdlab.analysis.varied import setting_of
from sgdlab.analysis.workloads import varying
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED, STOPPED

EDGE = 0.05
"""Share of a range, on its own scale, that is its edge at either end."""

_RATE = "lr"


def rate_edge(case: Case) -> AuditFinding:
    """The best learning rates lie inside the range that was tried, not on its edge.

    The range is that of ``study.yaml``, widened by what was tried (a search may be re-centred).
    A best rate on the edge says that a better one may lie beyond it.
    """
    if case.defaults:
        return idle(case.untuned)
    if case.workload.by:
        return _edge_compared(case)
    return overall([_edge(case, entry, _RATE) for entry in case.entries])


def _edge_compared(case: Case) -> AuditFinding:
    """Judge the best of the learning rates that were compared, or the one that all runs have."""
    of = {entry.optimizer: _rates_of(case, entry) for entry in case.entries}
    rates = sorted({rate for own in of.values() for rate in own})
    if len(rates) < 2:
        return idle("the learning rate was not varied")
    best = of[case.entries[0].optimizer]
    told = f"best {some([words.number(rate, 3) for rate in best])} of {words.number(rates[0], 3)}"
    evidence = f"{told} to {words.number(rates[-1], 3)} ({words.count(len(rates), 'rate')})"
    if set(best) & {rates[0], rates[-1]}:
        return warned(f"{evidence}: on the edge, so a better one may lie beyond it")
    return passed(evidence)


def _rates_of(case: Case, entry: Entry) -> list[float]:
    """Return the learning rates of the runs compared of a contender, each once."""
    rates = {learning_rate(case.runs, row) for row in entry.chosen}
    return sorted(rate for rate in rates if rate > 0)


def other_edges(case: Case) -> AuditFinding:
    """The other settings searched do not sit on the edge of their ranges in most searches."""
    if case.defaults:
        return idle(case.untuned)
    findings: list[AuditFinding] = []
    for entry in case.entries:
        space = case.plan.space(entry.optimizer)
        for key in space:
            if key in (_RATE, "optimizer.lr") or "choices" in space[key]:
                continue
            found = _edge(case, entry, key)
            findings.append(
                warned(found.detail) if found.status == "fail" else passed(found.detail)
            )
    if findings:
        return overall(findings)
    if case.plan.known:
        return idle("study.yaml has no other range that was searched")
    return unknown("no study.yaml says what else was searched")


def _edge(case: Case, entry: Entry, key: str) -> AuditFinding:
    plan, name = case.plan, entry.optimizer
    bounds = plan.bounds(name, key) or (plan.bounds(name, "optimizer.lr") if key == _RATE else None)
    if bounds is None and plan.space(name):
        return passed(f"{key} of {name} was not searched, by study.yaml")
    inside: list[float] = []
    edges: list[str] = []
    ranges: list[Range] = []
    for search in _searches(entry):
        tried = _numbers(case, [*search.trials, *search.finals], key)
        best = _numbers(case, search.finals, key)[:1]
        over = _widened(bounds, tried)
        if not best or over is None:
            continue
        ranges.append(over)
        place = _place(best[0], over)
        if EDGE <= place <= 1 - EDGE:
            inside.append(best[0])
        else:
            end = "lower" if place < EDGE else "upper"
            edges.append(
                f"{words.setting(best[0])} at the {end} end{case.replicate(search.replicate)}"
            )
    if not ranges:
        return unknown(f"whether the best {key} of {name} could be another: only one was tried")
    low, high = min(r.low for r in ranges), max(r.high for r in ranges)
    where = f"of {words.setting(low)} to {words.setting(high)}"
    if not edges:
        best = sorted({words.setting(value) for value in inside}, key=float)
        ends = best[0] if len(best) == 1 else f"{best[0]} to {best[-1]}"
        return passed(f"best {key} of {name} {ends}, inside {where[3:]}")
    evidence = (
        f"best {key} of {name} on the edge {where} in {len(edges)} of "
        f"{len(ranges)} search{'' if len(ranges) == 1 else 'es'} ({some(edges)})"
    )
    return failed(evidence) if 2 * len(edges) > len(ranges) else warned(evidence)


def _searches(entry: Entry) -> list[RecordedSearch]:
    """Return the searches; the settings of a sweep are one."""
    if entry.tuned:
        return searches(entry)
    return [RecordedSearch(-1.0, entry.others, entry.chosen)]


def _numbers(case: Case, rows: Sequence[int], key: str) -> list[float]:
    cells = [setting_of(case.runs, row, key) for row in rows]
    return [float(cell) for cell in cells if is_number(cell)]


def _widened(bounds: Range | None, tried: Sequence[float]) -> Range | None:
    if bounds is None:
        found = Range(min(tried), max(tried), min(tried) > 0) if tried else None
    else:
        found = Range(min([bounds.low, *tried]), max([bounds.high, *tried]), bounds.log)
    return found if found and found.low < found.high else None


def _place(value: float, over: Range) -> float:
    """Return where a value lies in a range, from 0 to 1, on the scale of the range."""
    if over.log and over.low > 0:
        return math.log(value / over.low) / math.log(over.high / over.low)
    return (value - over.low) / (over.high - over.low)


def alike(case: Case) -> AuditFinding:
    """Every contender has as many settings searched, over ranges of about the same width.

    Under one budget, more dimensions or wider ranges are searched more thinly; settings left at
    their defaults can decide a ranking (Choi et al. 2019, "On empirical comparisons of
    optimizers for deep learning").
    """
    if not case.tuned:
        return idle(case.untuned) if case.defaults else unknown(case.untuned)
    spaces = {entry.optimizer: _dimensions(case, entry) for entry in case.entries}
    if nothing := [name for name, keys in spaces.items() if not keys]:
        return unknown(f"what was searched for {some(nothing)}")
    told = some([f"{name} {len(keys)} ({', '.join(keys)})" for name, keys in spaces.items()], "; ")
    evidence = f"settings searched: {told}"
    widths = {
        name: width.decades
        for name in case.names
        if (width := case.plan.bounds(name, _RATE)) and width.log
    }
    if widths:
        evidence += "; decades of lr: "
        evidence += some([f"{name} {words.number(width, 2)}" for name, width in widths.items()])
    if len({len(keys) for keys in spaces.values()}) > 1:
        return warned(evidence)
    if widths and max(widths.values()) > 1.5 * min(widths.values()):
        return warned(evidence)
    return passed(evidence)


def _dimensions(case: Case, entry: Entry) -> list[str]:
    """Return what was searched: by the plan, else what varies between trials."""
    if space := case.plan.space(entry.optimizer):
        return [key.removeprefix("optimizer.") for key in space]
    keys = varying(case.runs.configs[row] for row in entry.trials)
    return [key.removeprefix("optimizer.") for key in keys]


def enough(case: Case) -> AuditFinding:
    """Twice the trials would change little: half of them find nearly as good settings.

    Compares the expected best of all ``n`` trials of a search with that of ``n / 2`` (rounded up);
    a curve that still rises leaves the ranking to the budget (Dodge et al. 2019, "Show your
    work").
    """
    if not case.tuned:
        return idle(case.untuned) if case.defaults else unknown(case.untuned)
    return overall([_enough(case, entry) for entry in case.entries])


def _enough(case: Case, entry: Entry) -> AuditFinding:
    column = "final_val_metric"
    maximise = maximises(case.workload, column)
    status = {case.cell(row, "status") for row in entry.trials}
    if STOPPED in status:
        return unknown(f"what fewer trials of {entry.optimizer} would find: some were stopped")
    worst = -math.inf if maximise else math.inf
    halves: list[float] = []
    wholes: list[float] = []
    sizes: set[int] = set()
    for search in searches(entry):
        values = [
            worst if case.cell(row, "status") == DIVERGED else case.number(row, column)
            for row in search.trials
            if case.cell(row, "status") in (COMPLETED, DIVERGED)
        ]
        values = [value for value in values if not math.isnan(value)]
        if len(values) > 1:
            half = -(-len(values) // 2)
            halves.append(expected_best(values, half, maximize=maximise))
            wholes.append(expected_best(values, len(values), maximize=maximise))
            sizes.add(len(values))
    if not sizes:
        return unknown(f"what fewer trials of {entry.optimizer} would find: it has one or none")
    half, whole = sum(halves) / len(halves), sum(wholes) / len(wholes)
    ends = "–".join(map(str, sorted({min(sizes), max(sizes)})))
    what = f"expected best validation {case.workload.metric or 'metric'} of {entry.optimizer}"
    if not math.isfinite(half) or not math.isfinite(whole):
        return warned(f"{what}: half of {ends} trials may find none that completes")
    gain = words.difference(whole - half, case.name_of(column))
    evidence = f"{what} with {ends} trials against half of them {gain}"
    if abs(whole - half) > tolerance(case.workload, column, whole):
        return warned(f"{evidence}: still improving when the budget ended")
    return passed(evidence)
