"""What each search of a comparison has found so far, as lines above its progress."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sgdlab.results import Cell
from sgdlab.terminal.live_line import in_middle
from sgdlab.terminal.numbers import NOTHING, number, setting

_HEADS = ("", "search", "trials", "val loss", "of the best trial", "again")
_NUMERIC = (1, 2, 3, 5)


@dataclass
class BoardRow:
    """How far one search is, or several of one contender together.

    Attributes:
        name: What is tuned.
        replicate: Which search it is; empty for several.
        trials: How many trials have ended, and how many there will be; 0: not known yet.
        losses: The validation loss of the best trial of each search that has one.
        settings: The settings of those trials, by their short names.
        again: How many runs with fresh seeds have ended, and how many there will be.
    """

    name: str
    replicate: str
    trials: tuple[int, int] = (0, 0)
    losses: list[float] = field(default_factory=list[float])
    settings: dict[str, list[Cell]] = field(default_factory=dict[str, list[Cell]])
    again: tuple[int, int] = (0, 0)


def board_lines(rows: Sequence[BoardRow], width: int, height: int) -> list[str]:
    """Return a heading and a line per search; one per contender where there is no room for all.

    Args:
        rows: The searches, those of a contender one after another.
        width: The columns of the terminal.
        height: The lines that there are for it; of more, the last says how many are left out.
    """
    if not rows or height < 3:
        return []
    if len(rows) >= height:
        rows = _by_contender(rows)
    kept = rows if len(rows) < height else rows[: height - 2]
    cells = [_HEADS, *map(_cells, kept)]
    if not any(row.again[1] for row in kept):
        cells = [line[:-1] for line in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    # What is long gives way: names of contenders at most a third, settings what is left.
    widths[0] = min(widths[0], max(8, width // 3))
    others = sum(widths) - widths[4] + 2 * (len(widths) - 1)
    widths[4] = max(min(widths[4], width - 1 - others), len(_HEADS[4]) if width > 70 else 0)
    lines = [_line(line, widths)[: width - 1].rstrip() for line in cells]
    if len(kept) < len(rows):
        lines.append(f"… and {len(rows) - len(kept)} more")
    return lines


def _by_contender(rows: Sequence[BoardRow]) -> list[BoardRow]:
    """Return a row per contender: sums of its searches, and what they found from least to most."""
    found: dict[str, BoardRow] = {}
    for row in rows:
        whole = found.setdefault(row.name, BoardRow(row.name, ""))
        whole.trials = whole.trials[0] + row.trials[0], whole.trials[1] + row.trials[1]
        whole.again = whole.again[0] + row.again[0], whole.again[1] + row.again[1]
        whole.losses += row.losses
        for key, values in row.settings.items():
            whole.settings.setdefault(key, []).extend(values)
    return list(found.values())


def _cells(row: BoardRow) -> tuple[str, ...]:
    settings = " ".join(f"{key}={_span(values)}" for key, values in row.settings.items())
    losses = _span(list(row.losses)) if row.losses else NOTHING
    return (
        row.name, row.replicate, _of(row.trials), losses, settings or NOTHING, _of(row.again),
    )  # fmt: skip


def _of(counts: tuple[int, int]) -> str:
    return f"{counts[0]}/{counts[1]}" if counts[1] else str(counts[0])


def _span(values: Sequence[Cell]) -> str:
    """Return a value, or the least and the greatest of several; of texts all that there are."""
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values):
        return ",".join(dict.fromkeys(setting(value) for value in values))
    ends = dict.fromkeys((number(min(numbers)), number(max(numbers))))
    return "–".join(ends)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts: list[str] = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        shown = in_middle(cell, width) if place == 0 else cell
        if len(shown) > width:
            shown = shown[: max(width - 1, 0)] + "…" * (width > 0)
        parts.append(shown.rjust(width) if place in _NUMERIC else shown.ljust(width))
    return "  ".join(parts)
