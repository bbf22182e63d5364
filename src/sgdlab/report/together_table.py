"""What several workloads say of every pair together, as a table."""

from collections.abc import Sequence

from sgdlab.analysis import words
from sgdlab.analysis.joint import DIFFERENCE, JointPair
from sgdlab.report.document import Table
from sgdlab.report.verdict.together import FEW, ends, ordered, times


def together_table(pairs: Sequence[JointPair], unit: str) -> Table:
    """Return a row per pair and effect.

    Args:
        pairs: The pairs of one track.
        unit: What a unit is.
    """
    columns = ["Pair", "Effect", "Workloads", "Mean (95 % CI)", "Another workload", "τ", "I²",
               "p", "Verdict"]  # fmt: skip
    rows: list[list[str]] = []
    for pair in pairs:
        judged = pair.effect == DIFFERENCE
        mean, low, high, ahead, behind = ends(pair)
        first, second = ordered(pair)
        verdict = pair.verdict
        if "better" in verdict:
            verdict = f"{first} better"

        def shown(value: float, judged: bool = judged) -> str:
            return words.number(value, 2) if judged else times(value)

        rows.append(
            [
                f"{first} − {second}" if judged else f"{first} before {second}",
                f"difference, sd of a {unit}" if judged else "speed-up, ×",
                str(pair.whole.k),
                f"{shown(mean)} ({shown(low)} to {shown(high)})",
                f"{shown(ahead)} to {shown(behind)}" if pair.whole.k >= FEW else words.NOTHING,
                words.number(pair.whole.tau, 2),
                f"{100 * pair.whole.i2:.0f} %",
                words.p_value(pair.p_adjusted),
                f"{verdict}; {pair.note}" if pair.note else verdict,
            ]
        )
    caption = (
        "Random-effects meta-analysis (Hartung and Knapp) of the workloads as a sample of such "
        "workloads. Intervals are for one pair alone, p is adjusted by Holm over the pairs of an "
        "effect. Another workload: 95 % prediction interval. τ: standard deviation of the true "
        "effects between workloads, of logarithms for speed-ups. The verdict over workloads is "
        "by the difference; speed-ups are exploratory. effects.csv has each workload."
    )
    return Table(
        columns, rows, caption, numeric=frozenset(columns[2:-1]), wide=frozenset(["Verdict"])
    )
