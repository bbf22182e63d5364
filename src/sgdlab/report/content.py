"""What a report says, in order: the answer, tables, audit, figures, settings, losses, commands."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sgdlab.analysis import Analysis, Result, words
from sgdlab.report import tables
from sgdlab.report.along_axes import axes_blocks
from sgdlab.report.charts.model import Chart
from sgdlab.report.document import (
    Block,
    Code,
    Command,
    Document,
    Fold,
    Notes,
    Section,
    Text,
)
from sgdlab.report.figures.workload import Figures
from sgdlab.report.origin import Making
from sgdlab.report.over_workloads import over_workloads
from sgdlab.report.repeat import LISTED, commands
from sgdlab.report.verdict import Answer, Joint
from sgdlab.report.verdict.unfinished import section_of
from sgdlab.report.whole_study import whole
from sgdlab.report.winners import Winners
from sgdlab.report.workload_sections import FOLD_FROM, answer_blocks, defaults, tuned
from sgdlab.results import APART, COMPLETED, DEFAULTS, ONE, TIMING

NOTHING = "Nothing can be compared: no run says which optimizer, model and data it is of."
"""The answer where no run can be told."""


def document(
    analysis: Analysis,
    said: Sequence[Answer],
    over: Joint | None,
    drawn: Sequence[Figures],
    profiles: Sequence[Chart],
    version: str,
    winners: Winners,
    made: Making,
) -> Document:
    """Return what the page says, in order.

    Args:
        analysis: All that it says.
        said: The answer of each result, in the same order.
        over: The answer over several workloads.
        drawn: The figures of each result, in the same order.
        profiles: The figures of all workloads together.
        version: The version of sgdlab.
        winners: The best settings of every optimizer as plain PyTorch.
        made: How the report is made.
    """
    results = analysis.results
    several = len({result.workload.name for result in results}) > 1
    title = _title_of_one(results[0]) if results and not several else _title(analysis)
    sections = [_answer(analysis, said, over)]
    if analysis.unfinished:
        sections.append(section_of(analysis.unfinished))
    if axes := axes_blocks(analysis):
        sections.append(Section("Along axes", axes))
    before = ""
    level = 3 if several else 2
    for result, answer, figures in zip(results, said, drawn, strict=True):
        is_first = several and result.workload.name != before
        before = result.workload.name
        if is_first:
            sections.append(Section(result.workload.name, answer_blocks(answer, "second")))
        if result.track in APART:
            is_told = is_first or (over is None and answer is _leading(said, results))
            sections += defaults(result, answer, figures, level, is_told=is_told)
        else:
            sections += tuned(result, answer, figures, level)
    if profiles or analysis.together:
        sections.append(Section("Over all workloads", over_workloads(analysis, profiles)))
    sections += _whole(analysis)
    if results:
        logged = any(result.workload.logged for result in results)
        own: list[Block] = [Command("This report", made.command())]
        repeat = own if logged else [*whole(analysis, made), *_repeat(analysis)]
        sections.append(Section("How to repeat every row", repeat))
    if winners.sources or winners.missing:
        sections.append(_winners(winners))
    sections.append(Section("Files", [Text(_FILES, "note")]))
    return Document(title, _subtitle(analysis, version, made), sections)


_FILES = (
    "Numbers in full, beside this page: comparison.csv (a row per optimizer or setting compared), "
    "pairwise.csv (a row per pair and metric), speedup.csv, joint.csv and effects.csv (several "
    "workloads together), axes.csv, budget.csv, sensitivity.csv, audit.csv and runs.csv (a row per "
    "run); verdict.json has the answer for programs; tables/ has LaTeX, figures/ every figure as "
    "SVG, and as PNG and PDF where --formats asks for them. Commands are relative to the folder in "
    "which the report was made, unless their path is absolute."
)


def _subtitle(analysis: Analysis, version: str, made: Making) -> str:
    runs = [run for run in analysis.runs.rows if run["phase"] != TIMING]
    done = sum(run["status"] == COMPLETED for run in runs)
    parts = [words.count(len(runs), "run"), f"{done:,} completed"]
    if timing := len(analysis.runs.rows) - len(runs):
        parts.append(words.count(timing, "timing run"))
    if (workloads := len({result.workload.name for result in analysis.results})) > 1:
        parts.append(words.count(workloads, "workload"))
    parts += [f"from the bundle {Path(name).name}" for name in made.origin.bundles]
    return f"{' · '.join(parts)} · sgdlab {version}"


def _answer(analysis: Analysis, said: Sequence[Answer], over: Joint | None) -> Section:
    blocks: list[Block] = []
    if over is not None:
        blocks += [Text(over.headline, "lead"), *(Text(said, "measure") for said in over.tests[:1])]
        if over.tests[1:]:
            blocks.append(Notes(over.tests[1:]))
        blocks.append(Text(over.number, "note" if over.tests else "measure"))
        failed = [result.workload.name for result in analysis.results if _fails(result)]
        if failed:
            some = words.listing(list(dict.fromkeys(failed)))
            blocks.append(Text(f"Not passed by the audit: {some}", "warn"))
        blocks.append(tables.matrix(over))
    elif said:
        blocks += answer_blocks(_leading(said, analysis.results), "lead")
    else:
        blocks.append(Text(NOTHING, "lead"))
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


def _leading(said: Sequence[Answer], results: Sequence[Result]) -> Answer:
    """Return the answer that a page begins with: of tuned optimizers, where there are any."""
    both = zip(said, results, strict=True)
    tuned = [answer for answer, result in both if result.track not in APART]
    return (tuned or said)[0]


def _fails(result: Result) -> bool:
    return any(check.status == "fail" for check in result.audit)


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


def _title_of_one(result: Result) -> str:
    """Return the workload, and what is compared on it."""
    names = [row["optimizer"] for row in result.rows]
    what = words.listing(names) if len(names) < 4 else f"{len(names)} {result.noun}s"
    return f"{result.workload.name}: {what}"


def _title(analysis: Analysis) -> str:
    """Return the title of a page about several workloads."""
    settings = {result.workload.by for result in analysis.results}
    if len(settings) == 1 and (by := settings.pop()):
        return f"Comparison by {words.listing(by)}"
    return "Optimizer comparison"


def _repeat(analysis: Analysis) -> list[Block]:
    results = analysis.results
    if len(results) == 1:
        return commands(analysis, results[0])
    titles = [
        result.workload.name
        + {DEFAULTS: ", default settings", ONE: ", one setting"}.get(result.track, "")
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
