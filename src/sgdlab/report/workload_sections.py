"""What a report says of one workload: its comparison, audit, figures and settings."""

from collections.abc import Sequence
from dataclasses import replace

from sgdlab.analysis import Result, words
from sgdlab.report import classical_table, evidence_tables, tables
from sgdlab.report.charts.model import Chart
from sgdlab.report.document import Block, Fold, Gallery, Notes, Section, Text
from sgdlab.report.figures.workload import Figures
from sgdlab.report.verdict import Answer

FOLD_FROM = 25
"""A table with more rows is folded away until asked for."""

OPEN_SCATTERS = 4
"""More figures of trials are folded away until asked for."""

FEW_PASSES = 8
"""More checks that passed are folded away until asked for."""


def tuned(result: Result, answer: Answer, figures: Figures, level: int) -> list[Section]:
    """Return the sections about the tuned optimizers, or those of a sweep, of one workload."""
    first: list[Block] = [tables.comparison(result)]
    if answer.facts:
        first.append(Notes(answer.facts))
    if figures.units:
        first.append(Gallery(figures.units))
    first += [tables.spread(result), tables.cost(result)]
    if answer.notes:
        first.append(Text(" ".join(answer.notes), "note"))
    parts: list[tuple[str, list[Block]]] = [
        ("Comparison", first),
        ("Audit", _audit(result)),
        ("Curves", _gallery(figures.curves)),
        ("Pairs", _pairs(result, figures)),
        ("Learning rate", _rates(result, figures)),
        ("Tuning budget", _gallery(figures.budgets)),
        ("Trials", _trials(figures)),
        ("Classical differences", _classical(result)),
        ("Gradient norm", _gallery(figures.gradient)),
        ("Settings compared", _settings(result)),
    ]
    return [Section(title, blocks, level) for title, blocks in parts if blocks]


def defaults(result: Result, answer: Answer, figures: Figures, level: int) -> list[Section]:
    """Return the track of published settings, as one section apart from the tuned one."""
    blocks: list[Block] = [
        Text(
            "The same optimizers at the settings of their own YAML, without any tuning: other "
            "runs than those above.",
            "note",
        ),
        Text(answer.verdict, "second"),
        tables.comparison(result),
        *_gallery([*figures.units, *figures.forest]),
    ]
    if result.primary:
        blocks.append(Fold("Pairs at default settings", [evidence_tables.pairs(result)]))
    blocks.append(Fold("Cost at default settings", [tables.cost(result)]))
    if result.audit:
        audit = f"Audit at default settings: {evidence_tables.audit_counts(result)}"
        blocks.append(Fold(audit, [evidence_tables.audit(result)]))
    return [Section("Default settings, untuned", blocks, level, apart=True)]


def _gallery(charts: Sequence[Chart]) -> list[Block]:
    return [Gallery(list(charts))] if charts else []


def _audit(result: Result) -> list[Block]:
    if not result.audit:
        return []
    counts = evidence_tables.audit_counts(result)
    blocks: list[Block] = [Text(f"Fairness of the comparison: {counts}.")]
    table = evidence_tables.audit(result)
    passed = [row for row in table.rows if row[0] == "pass"]
    if len(passed) <= FEW_PASSES:
        return [*blocks, table]
    if others := [row for row in table.rows if row[0] != "pass"]:
        blocks.append(replace(table, rows=others))
    checks = f"The evidence of the {words.count(len(passed), 'check')} that passed"
    return [*blocks, Fold(checks, [replace(table, rows=passed)])]


def _pairs(result: Result, figures: Figures) -> list[Block]:
    if not result.primary:
        return []
    table = evidence_tables.pairs(result)
    shown: Block = table
    if len(table.rows) > FOLD_FROM:
        shown = Fold(f"All {words.count(len(table.rows), 'pair')}", [table])
    note = Text(evidence_tables.pairs_note(result), "note")
    blocks: list[Block] = [*_gallery(figures.forest), shown, note]
    if others := evidence_tables.others(result):
        said = Text(
            "Not what the verdict is about: look for reasons here, not for winners.", "note"
        )
        blocks.append(Fold("Other metrics, exploratory", [said, *others]))
    return blocks


def _rates(result: Result, figures: Figures) -> list[Block]:
    blocks = _gallery(figures.rates)
    if (table := evidence_tables.basins(result)) is not None:
        blocks.append(table)
    return blocks


def _trials(figures: Figures) -> list[Block]:
    charts = figures.tuning
    if len(charts) <= OPEN_SCATTERS:
        return _gallery(charts)
    return [Fold(f"A figure for each of {len(charts)} optimizers", [Gallery(charts)])]


def _classical(result: Result) -> list[Block]:
    table = classical_table.classical(result)
    return [] if table is None else [table]


def _settings(result: Result) -> list[Block]:
    if not any(entry.settings for entry in result.entries):
        return []
    own, shared = tables.settings(result)
    blocks: list[Block] = [own] if own.rows else []
    if shared.rows:
        count = words.count(len(shared.rows), "setting")
        blocks.append(Fold(f"The same for every optimizer: {count}", [shared]))
    return blocks
