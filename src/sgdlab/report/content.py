"""What a report says, in order: the answer, tables, audit, figures, settings, losses, commands."""

from collections.abc import Sequence
from dataclasses import replace

from sgdlab.analysis import Analysis, words
from sgdlab.report import tables
from sgdlab.report.charts.model import Chart
from sgdlab.report.document import (
    Block,
    Code,
    Document,
    Fold,
    Gallery,
    Notes,
    Section,
    Table,
    Text,
)
from sgdlab.report.figures.workload import Figures
from sgdlab.report.repeat import LISTED, commands
from sgdlab.report.verdict import Answer, answers, verdicts
from sgdlab.report.winners import Winners
from sgdlab.report.workload_sections import FOLD_FROM, defaults, tuned
from sgdlab.results import COMPLETED, DEFAULTS, TIMING

NAMED = 3
"""Checks that failed which the answer names."""


def document(
    analysis: Analysis,
    drawn: Sequence[Figures],
    profiles: Sequence[Chart],
    version: str,
    winners: Winners,
) -> Document:
    """Return what the page says, in order.

    Args:
        analysis: All that it says.
        drawn: The figures of each result, in the same order.
        profiles: The figures of all workloads together.
        version: The version of sgdlab.
        winners: The best settings of every optimizer as plain PyTorch.
    """
    results = analysis.results
    several = len({result.workload.name for result in results}) > 1
    title = "Optimizer comparison" if several or not results else results[0].workload.name
    said = answers(analysis)
    sections = [_answer(analysis, said)]
    before = ""
    for result, answer, figures in zip(results, said, drawn, strict=True):
        if several and result.workload.name != before:
            sections.append(Section(result.workload.name, []))
        before = result.workload.name
        make = defaults if result.track == DEFAULTS else tuned
        sections += make(result, answer, figures, 3 if several else 2)
    if profiles:
        sections.append(Section("Over all workloads", _profile(analysis, profiles)))
    sections += _whole(analysis)
    if results:
        sections.append(Section("How to repeat every row", _repeat(analysis)))
    if winners.sources or winners.missing:
        sections.append(_winners(winners))
    sections.append(Section("Files", [Text(_FILES, "note")]))
    return Document(title, _subtitle(analysis, version), sections)


_FILES = (
    "Numbers in full, beside this page: comparison.csv (a row per optimizer), pairwise.csv (a row "
    "per pair and metric), budget.csv, sensitivity.csv, audit.csv and runs.csv (a row per run); "
    "tables/ has LaTeX, figures/ every figure as SVG, and as PNG and PDF unless left out. Commands "
    "are relative to the folder in which the report was made, unless their path is absolute."
)


def _subtitle(analysis: Analysis, version: str) -> str:
    runs = [run for run in analysis.runs.rows if run["phase"] != TIMING]
    done = sum(run["status"] == COMPLETED for run in runs)
    parts = [words.count(len(runs), "run"), f"{done:,} completed"]
    if timing := len(analysis.runs.rows) - len(runs):
        parts.append(words.count(timing, "timing run"))
    if (workloads := len({result.workload.name for result in analysis.results})) > 1:
        parts.append(words.count(workloads, "workload"))
    return f"{' · '.join(parts)} · sgdlab {version}"


def _answer(analysis: Analysis, said: Sequence[Answer]) -> Section:
    tracks = zip(said, analysis.results, strict=True)
    main = [answer.verdict for answer, result in tracks if result.track != DEFAULTS]
    main = main or [answer.verdict for answer in said] or verdicts(analysis)
    blocks: list[Block] = [Text(verdict, "lead") for verdict in main]
    checks = [check for result in analysis.results for check in result.audit]
    failed = list(dict.fromkeys(check.check for check in checks if check.status == "fail"))
    if failed:
        named = failed[:NAMED] + [f"{len(failed) - NAMED} more"] * (len(failed) > NAMED)
        blocks.append(Text(f"Not passed by the audit: {words.listing(named)}.", "warn"))
    if analysis.runs.problems:
        files = words.count(len(analysis.runs.problems), "file")
        blocks.append(
            Text(
                f"{files} could not be read in whole; the runs concerned count as failed where "
                "their numbers are in doubt. See “Damaged files”.",
                "warn",
            )
        )
    return Section("Answer", blocks)


def _profile(analysis: Analysis, charts: Sequence[Chart]) -> list[Block]:
    blocks: list[Block] = []
    if (found := analysis.profile) is not None:
        ranked = sorted(found.score, key=lambda name: (-found.score[name], name))
        rows = [[name, words.number(found.score[name], 3)] for name in ranked]
        caption = (
            "AlgoPerf's score: the mean height of the performance profile of steps to target, "
            "from 1 to 4 times the cost of the fastest. 1 is the fastest everywhere."
        )
        head = ["Optimizer", "Score"]
        blocks.append(Table(head, rows, caption, numeric=frozenset(["Score"])))
    return [*blocks, Gallery(list(charts))]


def _whole(analysis: Analysis) -> list[Section]:
    """Return what concerns all runs found, whatever their workload."""
    lost = tables.not_completed(analysis)
    table: Block = lost
    if len(lost.rows) > LISTED:
        some = replace(lost, rows=lost.rows[:LISTED])
        table = Fold(f"The first {LISTED} of {len(lost.rows):,} runs; runs.csv has all", [some])
    elif len(lost.rows) > FOLD_FROM:
        table = Fold(f"All {words.count(len(lost.rows), 'run')}", [lost])
    if lost.rows:
        share = f"{len(lost.rows):,} of {words.count(len(analysis.runs.rows), 'run')}"
        blocks: list[Block] = [Text(f"{share}: {tables.by_status(analysis)}."), table]
    else:
        blocks = [Text("Every run found completed.")]
    sections = [Section("What did not complete", blocks)]
    if analysis.runs.problems:
        listed: list[Block] = [Notes(analysis.runs.problems[:LISTED])]
        if (more := len(analysis.runs.problems) - LISTED) > 0:
            listed.append(Text(f"And {more:,} more; the command prints them all.", "note"))
        sections.append(Section("Damaged files", listed))
    return sections


def _repeat(analysis: Analysis) -> list[Block]:
    """Return the commands of the only result, or those of each folded."""
    results = analysis.results
    if len(results) == 1:
        return commands(analysis, results[0])
    titles = [
        result.workload.name + (", default settings" if result.track == DEFAULTS else "")
        for result in results
    ]
    first, *rest = zip(titles, results, strict=True)
    blocks: list[Block] = [Text(f"{first[0]}:"), *commands(analysis, first[1])]
    return [*blocks, *(Fold(title, commands(analysis, result)) for title, result in rest)]


def _winners(winners: Winners) -> Section:
    said = Text(
        "The best settings of every optimizer, by validation loss, as plain PyTorch: optimizer, "
        "parameter groups and schedule, which run without sgdlab."
    )
    codes = [Fold(name, [Code(name, source)]) for name, source in winners.sources.items()]
    missing = [Notes([f"Not exported: {reason}" for reason in winners.missing])]
    return Section("Use the winner", [said, *codes, *(missing if winners.missing else [])])
