"""The commands that repeat the runs of a comparison."""

from sgdlab.analysis import Analysis, Result, words
from sgdlab.report.document import Block, Command, Fold, Text
from sgdlab.visible import shell_path

LISTED = 200
"""Runs and files that a list on the page shows; more are left to ``runs.csv``."""


def commands(analysis: Analysis, result: Result) -> list[Block]:
    """Return the command of the first run of each optimizer, and those of the others folded."""
    first: list[Block] = []
    rest: list[Block] = []
    for entry in result.entries:
        for position, row in enumerate(entry.chosen):
            run = analysis.runs.rows[row]
            parts = [entry.optimizer]
            parts += [f"{key} {run[key]}" for key in ("replicate", "seed") if run[key] is not None]
            block = Command(", ".join(parts), command(run["directory"]))
            (rest if position else first).append(block)
    if not first:
        return [Text("There is no run in the comparison yet.", "note")]
    if rest:
        others = f"other {words.count(len(rest), 'run')} of the comparison"
        if len(rest) > LISTED:
            note = Text("The folders of all runs are in runs.csv.", "note")
            first.append(Fold(f"{LISTED} of the {others}", [*rest[:LISTED], note]))
        else:
            first.append(Fold(f"The {others}", rest))
    return first


def command(directory: str) -> str:
    """Return the line that repeats a run, for a POSIX shell."""
    folder = shell_path(directory)
    return f"sgdlab train --config-dir {folder} --config-name config"
