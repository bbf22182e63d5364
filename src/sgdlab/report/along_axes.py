"""The section of a page on the axes that a comparison was repeated along."""

from collections.abc import Sequence

from sgdlab.analysis import Analysis, words
from sgdlab.analysis.axis_lines import AxisLine
from sgdlab.report.document import Block, Fold, Gallery, Notes, Table
from sgdlab.report.figures.along import along_axes
from sgdlab.report.speed_up_table import said_of
from sgdlab.report.verdict.along import along, leading, shown
from sgdlab.results import APART

SAID = 8
"""Lines that are said in words; the table has all."""

OPEN = 6
"""More figures are folded away until asked for."""


def axes_blocks(analysis: Analysis) -> list[Block]:
    """Return the blocks of the section; empty without axes."""
    lines = [line for line in analysis.lines if line.result.track not in APART] or analysis.lines
    if not lines:
        return []
    charts = along_axes(lines)
    blocks: list[Block] = [Notes([along(line) for line in leading(lines, SAID)])]
    if charts:
        blocks.append(Gallery(charts[:OPEN]))
    if charts[OPEN:]:
        blocks.append(Fold(f"{len(charts) - OPEN} further figures", [Gallery(charts[OPEN:])]))
    return [*blocks, axes_table(lines)]


def axes_table(lines: Sequence[AxisLine]) -> Table:
    """Return a row per pair and point."""
    rows: list[list[str]] = []
    for line in lines:
        for point in line.points:
            metric = point.result.workload.metric
            mean, low, high = (words.difference(v, metric, unit=False) for v in line.ends(point))
            winner = line.winner(point)
            where = f"{line.axis}={shown(point)}"
            rows.append(
                [
                    f"{where} {line.others}".strip(),
                    f"{line.first} − {line.second}",
                    f"{mean} ({low} to {high})",
                    said_of(point.speed.mean, point.speed.ci_low, point.speed.ci_high),
                    words.p_value(point.pair["p_adjusted"]),
                    f"{winner} better" if winner else str(point.pair["verdict"]),
                ]
            )
    result = lines[0].result
    points = " in points" if result.workload.metric == "accuracy" else ""
    caption = (
        f"Differences in {result.metric_name}{points} with 95 % intervals, and how many times "
        "sooner the first is at the loss that both reach. p and verdict are those of the point, "
        "adjusted over its pairs, not over points."
    )
    columns = ["Where", "Pair", "Difference", "Speed-up", "p", "Verdict"]
    return Table(columns, rows, caption, numeric=frozenset(columns[2:5]))
