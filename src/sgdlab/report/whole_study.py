"""The commands that make whole studies again, and the report."""

import os

from sgdlab.analysis import Analysis
from sgdlab.report.document import Block, Command, Text
from sgdlab.report.origin import Making
from sgdlab.report.typed_command import typed_command
from sgdlab.results import CONFIG, STUDY_CONFIG_BEGIN, shows
from sgdlab.visible import shell_path, shell_word

LISTED_STUDIES = 5
"""Studies, and command lines, that are named; runs of more have their own commands below."""

_ABOVE = 3
"""Folders above a run in which the ``config.yaml`` of its study may lie."""


def whole(analysis: Analysis, made: Making) -> list[Block]:
    """Return the commands of the studies, as typed and from their folders, and of the report."""
    blocks: list[Block] = []
    for line, folder in _typed(analysis)[:LISTED_STUDIES]:
        blocks.append(Command("All runs, as typed", line))
        if folder:
            blocks.append(Text(f"Typed in {folder}, from which its relative paths count.", "note"))
    for name in made.origin.bundles:
        line = f"python -m zipfile -e {shell_path(name)} ."
        blocks.append(Command("Unpack the bundle, which the commands below read", line))
    for folder in _folders(analysis)[:LISTED_STUDIES]:
        line = f"sgdlab compare --config-dir {shell_path(folder)} --config-name config"
        blocks.append(Command("The same comparison from its folder, here or elsewhere", line))
    blocks.append(Command("This report", made.command()))
    return blocks


def _typed(analysis: Analysis) -> list[tuple[str, str]]:
    """Return command lines that made several runs each, and where they were typed."""
    known = analysis.runs.environments
    # The runs of a sweep have recorded the same line, which need not be read for each of them.
    recorded: dict[tuple[str, str], object] = {}
    for row in sorted(known):
        line, folder = known[row].get("command"), str(known[row].get("folder") or "")
        recorded.setdefault((str(line), folder), line)
    found: dict[tuple[str, str], None] = {}
    for (_, folder), line in recorded.items():
        words = typed_command(line)
        if words is not None:
            found[" ".join(map(shell_word, words)), folder] = None
    return list(found)


def _folders(analysis: Analysis) -> list[str]:
    """Return the folders of comparisons that hold their config."""
    found: dict[str, None] = {}
    seen: dict[str, bool] = {}
    for run in analysis.runs.rows:
        folder = str(run["directory"])
        for _ in range(_ABOVE):
            folder = os.path.dirname(folder)
            if folder not in seen:
                seen[folder] = shows(os.path.join(folder, CONFIG), [STUDY_CONFIG_BEGIN])
            if seen[folder]:
                found[folder or "."] = None
                break
    return list(found)
