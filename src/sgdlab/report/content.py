"""What a report says, in order: the answer, tables, figures, settings, losses, commands."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.alone import TIMING
from sgdlab.report import tables
from sgdlab.report.document import (
    Block,
    Command,
    Document,
    Fold,
    Gallery,
    Image,
    Notes,
    Section,
    Text,
)
from sgdlab.results import COMPLETED

FOLD_FROM = 25
"""A table with more rows is folded away until asked for."""

LISTED = 200
"""Runs and files that a list on the page shows; more are left to ``runs.csv``."""


def document(analysis: Analysis, images: Mapping[int, Sequence[Image]], version: str) -> Document:
    """Return the page; ``images`` are the figures of each workload, by position."""
    results = analysis.results
    runs = [run for run in analysis.runs.rows if run["phase"] != TIMING]
    done = sum(run["status"] == COMPLETED for run in runs)
    parts = [words.count(len(runs), "run"), f"{done:,} completed"]
    if timing := len(analysis.runs.rows) - len(runs):
        parts.append(words.count(timing, "timing run"))
    if len(results) > 1:
        parts.append(words.count(len(results), "workload"))
    title = results[0].workload.name if len(results) == 1 else "Optimizer comparison"
    sections = [_answer(analysis)]
    for position, result in enumerate(results):
        sections += _workload(analysis, result, images.get(position, ()), len(results) > 1)
    sections += _whole(analysis)
    return Document(title, f"{' · '.join(parts)} · sgdlab {version}", sections)


def _answer(analysis: Analysis) -> Section:
    blocks: list[Block] = [Text(verdict, "lead") for verdict in analysis.verdicts]
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


def _workload(
    analysis: Analysis, result: Result, images: Sequence[Image], several: bool
) -> list[Section]:
    level = 3 if several else 2
    sections: list[Section] = []
    first: list[Block] = [tables.comparison(result), tables.cost(result)]
    if result.answer.facts:
        first.append(Notes(result.answer.facts))
    if result.answer.notes:
        first.append(Text(" ".join(result.answer.notes), "note"))
    if several:
        sections.append(Section(result.workload.name, [], 2))
    sections.append(Section("Comparison", first, level))
    if result.pairs:
        table = tables.pairs(result)
        pairs: Block = table
        if len(table.rows) > FOLD_FROM:
            pairs = Fold(f"All {words.count(len(table.rows), 'pair')}", [table])
        sections.append(Section("Pairs", [pairs, Text(tables.PAIRS_NOTE, "note")], level))
    if images:
        sections.append(Section("Figures", [Gallery(list(images))], level))
    if any(entry.settings for entry in result.entries):
        sections.append(Section("Settings compared", _settings(result), level))
    sections.append(Section("How to repeat a run", _commands(analysis, result), level))
    return sections


def _settings(result: Result) -> list[Block]:
    own, shared = tables.settings(result)
    blocks: list[Block] = [own] if own.rows else []
    if shared.rows:
        count = words.count(len(shared.rows), "setting")
        blocks.append(Fold(f"The same for every optimizer: {count}", [shared]))
    return blocks


def _commands(analysis: Analysis, result: Result) -> list[Block]:
    blocks: list[Block] = []
    rest: list[Block] = []
    for entry in result.entries:
        for position, row in enumerate(entry.chosen):
            run = analysis.runs.rows[row]
            seed = "" if run["seed"] is None else f", seed {run['seed']}"
            what = f"{entry.optimizer}{seed}"
            block = Command(what, command(run["directory"]))
            (rest if position else blocks).append(block)
    if not blocks:
        return [Text("There is no run in the comparison yet.", "note")]
    if rest:
        others = f"other {words.count(len(rest), 'run')} of the comparison"
        if len(rest) > LISTED:
            note = Text("The folders of all runs are in runs.csv.", "note")
            blocks.append(Fold(f"{LISTED} of the {others}", [*rest[:LISTED], note]))
        else:
            blocks.append(Fold(f"The {others}", rest))
    return blocks


def command(directory: str) -> str:
    """Return the line that repeats a run, for a POSIX shell."""
    folder = shlex.quote(Path(directory).as_posix())
    return f"sgdlab train --config-dir {folder} --config-name config"


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
    files = (
        "Numbers in full: comparison.csv (a row per optimizer), pairwise.csv (a row per pair) and "
        "runs.csv (a row per run), beside this page. Commands are relative to "
        "the folder in which the report was made, unless their path is absolute."
    )
    return [*sections, Section("Files", [Text(files, "note")])]
