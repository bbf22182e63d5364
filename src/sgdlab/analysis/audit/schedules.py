"""Checks of schedules: run to their end, over one horizon, and of a kind that suits."""

import math

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
from sgdlab.analysis.workloads import text
from sgdlab.checks import is_number
from sgdlab.optimizers.traits import KEY, Traits, shipped_as, traits_of

LONG_WARMUP = 0.5
"""Share of a run above which its warm-up is most of what was compared."""

DECAYING = (
    "cosine", "cosine_restarts", "exponential", "inverse_sqrt", "inverse_time", "linear",
    "one_cycle", "polynomial", "step", "wsd",
)  # fmt: skip
"""Schedules that lower the learning rate by themselves; ``plateau`` may."""


def finished(case: Case) -> AuditFinding:
    """Completed runs trained for as long as their config says, so to the end of their schedule.

    Or until their own rule stopped them, which is a part of the config.
    """
    rows = completed(case.runs, case.chosen)
    if not rows:
        return unknown("no run has completed")
    short: list[str] = []
    untold = early = 0
    for entry in case.entries:
        for row in completed(case.runs, entry.chosen):
            unit, planned = horizon(case, row)
            made = case.number(row, "steps" if unit == "steps" else "epochs")
            if math.isnan(planned) or math.isnan(made):
                untold += 1
            elif row in case.runs.stopped_early:
                early += 1
            elif made < planned:
                seed = words.setting(case.cell(row, "seed"))
                short.append(f"{entry.optimizer} seed {seed}: {made:g} of {planned:g} {unit}")
    all_runs = words.count(len(rows), "completed run")
    if early and not short:
        return passed(f"{early} of {all_runs} ended by their own rule, stop.patience")
    if short:
        return failed(f"{len(short)} of {all_runs} short: {some(short)}")
    if untold:
        return unknown(f"how long {untold} of {all_runs} had to train")
    return passed(f"all {all_runs} trained {_horizons(case)}")


def horizon(case: Case, row: int) -> tuple[str, float]:
    """Return what a run counts, ``steps`` or ``epochs``, and how many it has to make."""
    config = case.runs.configs[row]
    if is_number(most := config.get("max_steps")):
        return "steps", float(most)
    epochs = config.get("epochs")
    return "epochs", float(epochs) if is_number(epochs) else math.nan


def _horizons(case: Case) -> str:
    found = {horizon(case, row) for row in case.chosen}
    return some([f"{number:g} {unit}" for unit, number in sorted(found)], " or ")


def same_horizon(case: Case) -> AuditFinding:
    """All contenders train equally long: a longer run is another problem, and a richer one."""
    if len(case.entries) < 2:
        return case.only_one
    lengths: dict[str, list[str]] = {}
    for entry in case.entries:
        found = {horizon(case, row) for row in entry.chosen}
        if any(math.isnan(number) for _, number in found):
            return unknown(f"how long runs of {entry.optimizer} had to train")
        if found:
            told = " or ".join(f"{number:g} {unit}" for unit, number in sorted(found))
            lengths.setdefault(told, []).append(entry.optimizer)
    if not lengths:
        return unknown("there is no run to compare")
    if len(lengths) > 1:
        told = some([f"{length} by {some(names)}" for length, names in lengths.items()], "; ")
        declared = case.plan.declared & {"epochs", "max_steps"}
        return warned(f"{told}{' (searched, or fixed in study.yaml)' if declared else ''}")
    return passed(f"{next(iter(lengths))} for {case.how_many}")


def warmup_epochs(case: Case, row: int) -> float:
    """Return the epochs of warm-up of a run's schedule, 0 when none is told."""
    config = case.runs.configs[row]
    steps, epochs = config.get("schedule.warmup_steps"), config.get("schedule.warmup_epochs")
    if is_number(steps):
        each = case.number(row, "steps") / (case.number(row, "epochs") or math.nan)
        return float(steps) / each if each > 0 else 0.0
    return float(epochs) if is_number(epochs) else 0.0


def warmup(case: Case) -> AuditFinding:
    """The warm-up is a small part of the runs compared."""
    shares: dict[str, float] = {}
    for entry in case.entries:
        for row in completed(case.runs, entry.chosen):
            made = case.number(row, "epochs")
            if made > 0 and case.runs.configs[row]:
                part = warmup_epochs(case, row) / made
                shares[entry.optimizer] = max(part, shares.get(entry.optimizer, 0.0))
    if not shares:
        return unknown("no completed run tells its schedule")
    findings: list[AuditFinding] = []
    for name, part in shares.items():
        evidence = f"warm-up is {100 * part:.0f} % of a run of {name}"
        if part >= 1:
            findings.append(failed(f"{evidence}, which never reaches its schedule"))
        elif part > LONG_WARMUP:
            findings.append(warned(evidence))
        else:
            findings.append(passed(evidence))
    return overall(findings)


def schedule_free(case: Case) -> AuditFinding:
    """Schedule-free optimizers keep their learning rate: they average instead of decaying it.

    Defazio et al. (2024), "The road less scheduled".
    """
    told = {entry.optimizer: _averages(case, entry) for entry in case.entries}
    if not any(averages is not False for averages in told.values()):
        return idle(f"no schedule-free optimizer among {some(case.names)}")
    findings: list[AuditFinding] = []
    for entry in case.entries:
        for kind in sorted({_kind(case, row) for row in entry.chosen}):
            if told[entry.optimizer]:
                findings.append(_judged(entry.optimizer, kind))
            elif told[entry.optimizer] is None and kind != "constant":
                findings.append(unknown(f"whether {entry.optimizer} is schedule-free (_traits_)"))
    return overall(findings) if findings else unknown("its runs tell no schedule")


def _judged(optimizer: str, kind: str) -> AuditFinding:
    """Return what to say of a schedule-free optimizer with a schedule."""
    evidence = f"{optimizer} with schedule {kind or 'unknown'}"
    if kind == "constant":
        return passed(evidence)
    if kind == "plateau":
        return warned(f"{evidence}, which may lower its rate")
    if kind in DECAYING:
        return failed(f"{evidence}, which decays its rate")
    return unknown(f"whether {evidence} decays")


def _averages(case: Case, entry: Entry) -> bool | None:
    """Say whether an optimizer evaluates an average of its own; None where that is not known."""
    found = {_traits(case, row).averages_itself for row in entry.chosen}
    return True if True in found else None if None in found else False


def _traits(case: Case, row: int) -> Traits:
    """Return what is known of the optimizer of a run, by its class, else by its shipped name."""
    target = case.runs.configs[row].get("optimizer._target_")
    if target is None:
        return traits_of(shipped_as(text(case.cell(row, "optimizer"))))
    return traits_of({"_target_": target, KEY: case.runs.own_traits.get(text(target))})


def _kind(case: Case, row: int) -> str:
    """Return a schedule by its class where that is ours, else by its name."""
    target = text(case.runs.configs[row].get("schedule._target_"))
    if target.startswith("sgdlab.schedules."):
        return target.split(".")[2]
    return text(case.cell(row, "schedule"))
