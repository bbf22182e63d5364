"""What a report says of one workload: its comparison, audit, figures and settings."""

from collections.abc import Sequence
from dataclasses import replace

from sgdlab.analysis import Result, words
from sgdlab.analysis.audit.logged import CANNOT_TELL
from sgdlab.report import classical_table, evidence_tables, tables
from sgdlab.report.ablation_table import ablation_table
from sgdlab.report.charts.model import Chart
from sgdlab.report.claims import claims
from sgdlab.report.document import Block, Command, Fold, Gallery, Notes, Section, Text
from sgdlab.report.figures.forest import MOST
from sgdlab.report.figures.workload import Figures
from sgdlab.report.speed_up_table import speed_up_table
from sgdlab.report.track_titles import track_title
from sgdlab.report.verdict import FAILS, Answer
from sgdlab.results import ONE

FOLD_FROM = 25
"""A table with more rows is folded away until asked for."""

OPEN_SCATTERS = 4
"""More figures of trials are folded away until asked for."""

_ONLY_DEFAULTS = "The optimizers at the settings of their own YAML, without any tuning."
_DEFAULTS = (
    "The same optimizers at the settings of their own YAML, without any tuning: other runs than "
    "those above."
)
_ONE = (
    "One setting of each for all workloads: that with the least mean rank over them in validation, "
    "of the trials above. What one would ship without tuning again."
)

FEW_PASSES = 8
"""More checks that passed are folded away until asked for."""


def tuned(result: Result, answer: Answer, figures: Figures, level: int) -> list[Section]:
    """Return the sections about the tuned optimizers, or those of a sweep, of one workload."""
    first: list[Block] = [tables.comparison(result)]
    if answer.details:
        first.append(Notes(answer.details))
    if figures.heat:
        first.append(_maps(figures.heat))
    if figures.units:
        first.append(Gallery(figures.units))
    spent = tables.cost(result)
    first += [tables.spread(result), *([] if spent is None else [spent])]
    if answer.notes:
        first.append(Fold("How to read these tables", [Notes(answer.notes)]))
    parts: list[tuple[str, list[Block]]] = [
        ("Ingredients", [kept] if (kept := ablation_table(result)) is not None else []),
        ("Claims", [claims(result)] if result.claims else []),
        ("Comparison", first),
        ("Audit", _audit(result)),
        ("Speed-up", [sooner] if (sooner := speed_up_table(result)) is not None else []),
        ("Curves", _gallery(figures.curves)),
        ("Pairs", _pairs(result, figures)),
        ("Learning rate", _rates(result, figures)),
        ("Tuning budget", _gallery(figures.budgets)),
        ("Trials", _trials(figures)),
        ("Classical differences", _classical(result)),
        ("Gradient norm", _gallery(figures.gradient)),
        ("Settings compared", _settings(result)),
    ]
    return [Section(title, blocks, level, folded=level > 2) for title, blocks in parts if blocks]


def defaults(
    result: Result, answer: Answer, figures: Figures, level: int, *, is_told: bool
) -> list[Section]:
    """Return the track of published settings, or of one setting, as one section apart.

    Args:
        result: The track.
        answer: What is said of it.
        figures: Those that are drawn of it.
        level: Of the heading.
        is_told: Whether the page has the answer already.
    """
    kept = ablation_table(result)
    what = "one setting" if result.track == ONE else "default settings"
    track = _ONE if result.track == ONE else _ONLY_DEFAULTS if is_told else _DEFAULTS
    blocks: list[Block] = [
        Text(track, "note") if kept is None else kept,
        *([] if is_told else answer_blocks(answer, "second")),
        tables.comparison(result),
        *_gallery([*figures.units, *figures.forest]),
    ]
    if result.primary:
        blocks.append(Fold(f"Pairs at {what}", [evidence_tables.pairs(result)]))
    if (spent := tables.cost(result)) is not None:
        blocks.append(Fold(f"Cost at {what}", [spent]))
    if result.audit:
        audit = f"Audit at {what}: {evidence_tables.audit_counts(result)}"
        blocks.append(Fold(audit, [evidence_tables.audit(result)]))
    title = track_title(result)
    if level > 2:
        title += f": {answer.headline}"  # folded, it would be out of sight
    return [Section(title, blocks, level, apart=True, folded=level > 2)]


def answer_blocks(answer: Answer, role: str) -> list[Block]:
    """Return headline, number, facts, next step and protocol of an answer."""
    blocks: list[Block] = [Text(answer.headline, role), Text(answer.number, "measure")]
    blocks += [Text(caveat, "warn") for caveat in answer.caveats]
    if answer.audit:
        blocks.append(Text(answer.audit, "warn" if answer.audit.startswith(FAILS) else ""))
    if answer.facts:
        blocks.append(Notes(answer.facts))
    if answer.next is not None:
        what = f"Next: {answer.next.what}"
        command = answer.next.command
        blocks.append(Command(what, command) if command else Text(what))
    if answer.protocol:
        blocks.append(Text(answer.protocol, "note"))
    return blocks


def _gallery(charts: Sequence[Chart]) -> list[Block]:
    return [Gallery(list(charts))] if charts else []


def _maps(charts: Sequence[Chart]) -> Block:
    """Return the maps of two settings; many are folded away until asked for."""
    if len(charts) <= OPEN_SCATTERS:
        return Gallery(list(charts))
    return Fold(f"A map for each of {len(charts)} combinations", [Gallery(list(charts))])


def _audit(result: Result) -> list[Block]:
    if not result.audit:
        return []
    counts = evidence_tables.audit_counts(result)
    blocks: list[Block] = [Text(f"Fairness of the comparison: {counts}.")]
    table = evidence_tables.audit(result)
    if untold := [row for row in table.rows if row[2] == CANNOT_TELL]:
        # What holds for every log of others is one line until it is asked for.
        table = replace(table, rows=[row for row in table.rows if row not in untold])
        checks = f"{words.count(len(untold), 'check')} of which the files cannot tell anything"
        return [*blocks, table, Fold(checks, [replace(table, rows=untold)])]
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
    if len(table.rows) > MOST:
        best = result.entries[0].optimizer
        rows = [row for row in table.rows if best in row]
        table = replace(table, rows=rows, strong=frozenset(), caption=(
            f"The pairs with {best}; pairwise.csv has all {len(result.primary)}, and p-values are "
            "adjusted for all."
        ))  # fmt: skip
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
        blocks.append(Fold(f"The same for every {result.noun}: {count}", [shared]))
    return blocks
