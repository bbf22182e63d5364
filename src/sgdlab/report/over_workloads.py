"""What a report says of all workloads together: their meta-analysis and performance profiles."""

from collections.abc import Sequence
from itertools import groupby

from sgdlab.analysis import Analysis, words
from sgdlab.report.charts.model import Chart
from sgdlab.report.document import Block, Fold, Gallery, Table, Text
from sgdlab.report.figures.together import together
from sgdlab.report.together_table import together_table
from sgdlab.results import DEFAULTS, ONE

OPEN = 2
"""More forest plots are folded away until asked for."""


def over_workloads(analysis: Analysis, profiles: Sequence[Chart]) -> list[Block]:
    """Return the blocks of the section: forest plots and their table, then the profiles."""
    blocks: list[Block] = []
    for track, pairs in groupby(analysis.together, key=lambda pair: pair.track):
        own = list(pairs)
        unit = own[0].effects[0].result.unit
        said = {DEFAULTS: "At default settings, untuned:", ONE: "With one setting for all:"}
        if track in said:
            blocks.append(Text(said[track], "note"))
        charts = [] if track == DEFAULTS else together(own, unit)
        if charts:
            blocks.append(Gallery(charts[:OPEN]))
        if charts[OPEN:]:
            more = words.count(len(charts) - OPEN, "further forest plot")
            blocks.append(Fold(more[0].upper() + more[1:], [Gallery(charts[OPEN:])]))
        blocks.append(together_table(own, unit))
    return [*blocks, *_scores(analysis), *([Gallery(list(profiles))] if profiles else [])]


def _scores(analysis: Analysis) -> list[Block]:
    if (found := analysis.profile) is None:
        return []
    ranked = sorted(found.score, key=lambda name: (-found.score[name], name))
    rows = [[name, words.number(found.score[name], 3)] for name in ranked]
    caption = (
        "AlgoPerf's score: the mean height of the performance profile of steps to target, "
        "from 1 to 4 times the cost of the fastest. 1 is the fastest everywhere."
    )
    return [Table(["Optimizer", "Score"], rows, caption, numeric=frozenset(["Score"]))]
