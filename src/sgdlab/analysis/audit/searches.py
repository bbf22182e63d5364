"""Checks of the protocol: did every contender get the same chance to be tuned?"""

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
    share,
    some,
    span,
    unknown,
    warned,
)
from sgdlab.analysis.audit.schedules import warmup_epochs
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.solo_timing import seconds_of, with_times
from sgdlab.analysis.tuning import searches
from sgdlab.analysis.workloads import Fingerprint, fingerprint
from sgdlab.results import DIVERGED, ENDED, STOPPED

SECONDS_TOLERANCE = 0.1
"""How much less tuning time than another's still counts as the same, or one trial if that is more:
a search cannot stop within a trial."""

DIVERGED_MANY, DIVERGED_MOST = 0.25, 0.5
"""Shares of diverged trials above which the space is doubtful, and above which it is wrong."""


def budget(case: Case) -> AuditFinding:
    """Every search has as many trials, or as much time, as any other, and as planned."""
    if case.defaults:
        return idle(case.untuned)
    if not case.tuned:
        return _settings(case)
    if not case.trials:
        return unknown("no run of the phase tune is there, so what tuning cost cannot be counted")
    return _seconds(case) if case.plan.in_seconds else _trials(case)


def _settings(case: Case) -> AuditFinding:
    """Compare the settings run in a sweep: who was run with more had the better chance."""
    tried = {entry.optimizer: entry.settings_tried for entry in case.entries}
    told = f"settings run: {some([f'{name} {number}' for name, number in tried.items()])}"
    if len(set(tried.values())) > 1:
        return failed(f"{case.untuned}; {told}")
    return unknown(f"{case.untuned}; {told}")


def _counts(case: Case, entry: Entry) -> list[int]:
    """Return the trials with a result, by search; one that failed told nothing."""
    return [
        sum(case.cell(row, "status") in ENDED for row in search.trials)
        for search in searches(entry)
    ]


def _trials(case: Case) -> AuditFinding:
    counts = {entry.optimizer: _counts(case, entry) for entry in case.entries}
    told = some([f"{name} {_ranged(own)}" for name, own in counts.items()], "; ")
    if len({number for own in counts.values() for number in own}) > 1:
        return failed(f"searches differ in trials with a result: {told}")
    lengths = {len(own) for own in counts.values()}
    if len(lengths) > 1:
        several = some([f"{name} {len(own)}" for name, own in counts.items()])
        return failed(f"the optimizers differ in their number of searches: {several}")
    number = next(iter(counts.values()))[0]
    evidence = f"{words.count(number, 'trial')} for {case.how_many}"
    if (many := lengths.pop()) > 1:
        evidence += f" in each of {many} searches"
    planned = {name: case.plan.trials(case.key, name) for name in case.names}
    if other := [f"{name} {n}" for name, n in planned.items() if n not in (None, number)]:
        return failed(f"{evidence}, but study.yaml says {some(other)}")
    return passed(evidence)


def _ranged(counts: Sequence[int]) -> str:
    if len(set(counts)) > 1:
        return f"{', '.join(map(str, counts[:8]))}{', …' if len(counts) > 8 else ''}"
    return f"{counts[0]}{f' in each of {len(counts)}' if len(counts) > 1 else ''}"


def _seconds(case: Case) -> AuditFinding:
    _, alone = with_times(case.runs)
    spent: dict[str, float] = {}
    longest = 0.0
    for entry in case.entries:
        seconds = {row: seconds_of(case.runs, alone, row) for row in entry.trials}
        own = [sum(seconds[row] for row in search.trials) for search in searches(entry)]
        spent[entry.optimizer] = sum(own) / len(own)
        longest = max([longest, *seconds.values()])
    if untimed := [name for name, mean in spent.items() if math.isnan(mean)]:
        return unknown(f"the seconds of trials of {some(untimed)}, and the budget is in seconds")
    told = some([f"{name} {words.seconds(mean)}" for name, mean in spent.items()])
    least, most = min(spent.values()), max(spent.values())
    allowed = max(SECONDS_TOLERANCE * most, longest)
    evidence = f"mean tuning time of a search: {told}"
    if most - least <= allowed:
        return passed(f"{evidence}; differences up to {words.seconds(allowed)} count as equal")
    unequal = f"{evidence}; more than {words.seconds(allowed)} apart"
    return failed(unequal) if most > 1.5 * least else warned(unequal)


def diverged(case: Case) -> AuditFinding:
    """Few trials diverged: a space that mostly diverges leaves a smaller search than it claims."""
    return overall([_diverged(case, entry) for entry in case.entries])


def _diverged(case: Case, entry: Entry) -> AuditFinding:
    rows = entry.trials or [*entry.chosen, *entry.others]
    status = [case.cell(row, "status") for row in rows]
    ended = sum(one in ENDED for one in status)
    if not ended:
        return unknown(f"no run of {entry.optimizer} has ended")
    lost = status.count(DIVERGED)
    evidence = f"{entry.optimizer} {share(lost, ended)} {'trials' if entry.trials else 'runs'}"
    if lost > DIVERGED_MOST * ended:
        return failed(f"{evidence} diverged")
    if lost > DIVERGED_MANY * ended:
        return warned(f"{evidence} diverged")
    return passed(f"{evidence} diverged")


def independent(case: Case) -> AuditFinding:
    """What tuning finds by luck is measured: several searches, each with draws of its own."""
    if not case.tuned:
        if case.defaults:
            return idle(case.untuned)
        return warned(f"{case.untuned}: the numbers hold for these settings only")
    findings: list[AuditFinding] = []
    for entry in case.entries:
        found = searches(entry)
        if len(found) < 2:
            findings.append(warned(f"one search of {entry.optimizer}"))
        elif twins := _twins(case, entry):
            findings.append(
                warned(f"{entry.optimizer} has the same trials in replicates {span(twins)}")
            )
        else:
            findings.append(passed(f"{len(found)} searches of {entry.optimizer}"))
    single = [len(searches(entry)) < 2 for entry in case.entries]
    if all(single):
        misled = ", and to choose by a metric misleads more often than to choose by the loss"
        return warned(
            "one search per optimizer: intervals and p-values are of seed noise only, what tuning "
            f"found by luck is not measured{misled if 'metric' in case.plan.select_by else ''}"
        )
    return overall(findings)


def _twins(case: Case, entry: Entry) -> list[float]:
    """Return replicates whose trials repeat those of another: drawn alike, or with its results."""
    drawn: dict[frozenset[Fingerprint], float] = {}
    results: dict[tuple[object, ...], float] = {}
    twins: set[float] = set()
    for search in searches(entry):
        if not search.trials:
            continue
        configs = frozenset(fingerprint(case.runs.configs[row]) for row in search.trials)
        losses = [case.number(row, "final_val_loss") for row in search.trials]
        told = tuple(sorted(loss for loss in losses if not math.isnan(loss)))
        # A grid is the same in every search; only its seeds differ.
        same = [drawn.setdefault(configs, search.replicate)] if case.plan.method != "grid" else []
        same += [results.setdefault(told, search.replicate)] if told else []
        for other in same:
            if other != search.replicate:
                twins |= {other, search.replicate}
    return sorted(twins)


def halving(case: Case) -> AuditFinding:
    """Successive halving, where used, ranked trials on what a longer run would show, too."""
    stopped = {
        entry.optimizer: [row for row in entry.trials if case.cell(row, "status") == STOPPED]
        for entry in case.entries
    }
    rows = [row for own in stopped.values() for row in own]
    if not rows:
        if case.plan.halving:
            return warned("study.yaml asks for successive halving, but no trial was stopped")
        if not case.tuned:
            return idle(case.untuned)
        return passed(f"not used: none of {words.count(len(case.trials), 'trial')} was stopped")
    trials = {entry.optimizer: len(entry.trials) for entry in case.entries}
    told = some([f"{len(own)} of {trials[name]} of {name}" for name, own in stopped.items()])
    rungs = sorted({e for row in rows if not math.isnan(e := case.number(row, "epochs"))})
    if not rungs:
        return unknown(f"when trials were stopped ({told})")
    warmup = max(warmup_epochs(case, row) for row in rows)
    evidence = f"stopped early: {told}; rungs after epoch {span(rungs)}"
    if rungs[0] <= warmup:
        return warned(f"{evidence}, but warm-up takes {warmup:g} epochs: ranked while warming up")
    return passed(f"{evidence}; warm-up takes {warmup:g}")
