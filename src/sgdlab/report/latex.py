"""Tables for papers: LaTeX with booktabs, a ``tabular`` to put into a table of one's own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sgdlab.analysis import Analysis, Result, words
from sgdlab.checks import is_number
from sgdlab.report import evidence_tables, tables
from sgdlab.report.document import Table
from sgdlab.results import DEFAULTS, ONE
from sgdlab.visible import visible

_SPECIAL: Mapping[str, str] = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "_": r"\_", "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "−": "$-$", "–": "--", "×": r"$\times$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$",
    "∞": r"$\infty$", "τ": r"$\tau$", "…": r"\ldots{}", "\u00a0": "~", "·": r"$\cdot$",
    "“": "``", "”": "''", '"': "''", "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}",
    "*": "{*}", "-": "{-}",
}  # fmt: skip
"""What means something to LaTeX, or is not in the fonts of every set-up. Brackets and stars after
``\\\\`` would be its arguments, and hyphens in a row one dash."""

_STATUS: Mapping[str, str] = {"pass": "pass", "warn": r"\emph{warn}", "fail": r"\textbf{fail}"}


def escape(content: str) -> str:
    """Return text that LaTeX sets as it is, in one line."""
    content = visible(" ".join(content.split()))
    content = re.sub(r"(\d) %", "\\1\u00a0%", content)
    return "".join(_SPECIAL.get(letter, letter) for letter in content)


def latex(analysis: Analysis) -> dict[str, str]:
    """Return ``comparison.tex``, ``pairwise.tex`` and ``audit.tex`` by their names."""
    results = analysis.results
    return {
        "comparison.tex": _file("comparison", results, [_comparison(r) for r in results]),
        "pairwise.tex": _file("pairwise", results, [_pairs(r) for r in results]),
        "audit.tex": _file("audit", results, [evidence_tables.audit(r) for r in results]),
    }


def _comparison(result: Result) -> Table:
    table = tables.spread(result)
    goal = [_steps(row.get("median_steps_to_target")) for row in result.rows]
    return replace(
        table,
        columns=[*table.columns, "Steps to target"],
        rows=[[*row, steps] for row, steps in zip(table.rows, goal, strict=True)],
        numeric=table.numeric | {"Steps to target"},
    )


def _steps(value: float | None) -> str:
    return f"{value:,.0f}" if is_number(value) else words.NOTHING


def _pairs(result: Result) -> Table:
    table = evidence_tables.pairs(result)
    # The note stands beside the verdict on the page; in a table of a paper it takes too much room.
    place = table.columns.index("Verdict")
    rows = [
        [*row[:place], pair["verdict"], *row[place + 1 :]]
        for row, pair in zip(table.rows, result.primary, strict=True)
    ]
    return replace(table, rows=rows)


def _file(name: str, results: Sequence[Result], found: Sequence[Table]) -> str:
    """Return one ``tabular`` per workload and track, each under its name."""
    parts = [f"% {name}: written by sgdlab report; needs \\usepackage{{booktabs}}"]
    for result, table in zip(results, found, strict=True):
        track = {DEFAULTS: ", default settings", ONE: ", one setting"}.get(result.track, "")
        if table.rows:
            parts.append(f"% {_comment(result.workload.name)}{track}\n{tabular(table)}")
    return "\n\n".join(parts) + "\n"


def _comment(content: str) -> str:
    return visible(" ".join(content.split()))


def tabular(table: Table) -> str:
    """Return a table; columns of sentences share what room there is."""
    wide = [column for column in table.columns if column in table.wide]
    share = 0.75 / len(wide) if wide else 0.0
    kinds = "".join(
        f"p{{{share:.2f}\\linewidth}}" if c in table.wide else "r" if c in table.numeric else "l"
        for c in table.columns
    )

    def cell(column: str, content: str) -> str:
        shown = escape(content)
        return _STATUS.get(content, shown) if column == table.status else shown

    lines = [map(escape, table.columns), *(map(cell, table.columns, row) for row in table.rows)]
    head, *rows = (" & ".join(cells) + r" \\" for cells in lines)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{@{{}}{kinds}@{{}}}}", r"\toprule", head, r"\midrule",
            *rows, r"\bottomrule", r"\end{tabular}",
        ]
    )  # fmt: skip
